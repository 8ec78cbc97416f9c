set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# need PACKAGE...: installs what the image lacks, from the mirror that this guest has.
need() {
    missing=
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    # Otherwise a mirror that is down is told as a package that is not known.
    apt-get -q -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any update
    # shellcheck disable=SC2086
    apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Options::=--force-confold install $missing
}

# serve UNIT...: now, and after every boot. Reading all units again costs more than all the rest of a
# level, so it is done only where a unit that systemd knows has changed.
serve() {
    systemctl -q --no-reload enable "$@"
    case $(systemctl show -p NeedDaemonReload --value "$@") in
    *yes*) systemctl -q daemon-reload ;;
    esac
    systemctl restart "$@"
}

# await SECONDS COMMAND...: until it succeeds; fails when it never does.
await() {
    left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 1
    done
}
