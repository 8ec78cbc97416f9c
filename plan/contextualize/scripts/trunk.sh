# One card carries all clusters' networks: an interface for each of them, and nothing between them.
again() { # a command, until it succeeds; the second word is what to say if it never does
    tries=0
    until sh -c "$1" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 150 ]; then
            echo "$2" >&2
            exit 1
        fi
        sleep 0.2
    done
}

again 'networkctl reload' 'the guest does not run systemd-networkd, which its trunk needs'
for each in $VLANS; do
    again "ip -4 -o address show dev $each | grep -q inet" \
        "$each has no address: the guest's kernel may have no 802.1Q"
done
