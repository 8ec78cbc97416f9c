printf '%s\n' "$NAME" >/etc/hostname
hostname "$NAME"

if [ "$TIME_ZONE" = Etc/UTC ]; then
    rm -f /etc/localtime
    echo Etc/UTC >/etc/timezone
else
    [ -f "/usr/share/zoneinfo/$TIME_ZONE" ] || need tzdata
    if [ ! -f "/usr/share/zoneinfo/$TIME_ZONE" ]; then
        echo "the guest knows no time zone $TIME_ZONE" >&2
        exit 1
    fi
    ln -sfn "/usr/share/zoneinfo/$TIME_ZONE" /etc/localtime
    printf '%s\n' "$TIME_ZONE" >/etc/timezone
fi

# The host key has changed: sshd shows the new one from now on.
systemctl -q try-reload-or-restart ssh
