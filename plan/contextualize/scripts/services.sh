serve practicum-services.service

if [ -n "$MIRROR" ]; then
    . /etc/os-release
    rm -f /etc/apt/sources.list.d/debian.sources
    cat >/etc/apt/sources.list <<END
deb $MIRROR/debian $VERSION_CODENAME main
deb $MIRROR/debian $VERSION_CODENAME-updates main
deb $MIRROR/debian-security $VERSION_CODENAME-security main
END
fi
