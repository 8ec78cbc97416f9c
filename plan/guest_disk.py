"""What a host runs so that an instructor can repair a guest that does not boot. Pure text.

The guest's own lock, which Proxmox VE waits for before it starts the guest or changes it, is held
all the time. The disk is mapped and mounted in namespaces of their own: when the connection breaks
or somebody kills it, the kernel ends every program of it, and mounts and maps are gone with them.
"""

from __future__ import annotations

from plan.disk_program import PROGRAM

LOCKS = "/var/lock/qemu-server"
RUNS, LOCKED = 4, 5
"""Exit codes: the guest runs; somebody else works on it."""

# By Proxmox VE's own library: only it knows paths, formats and maps of every kind of storage. The
# format is never guessed from the content, which a participant has written.
_VOLUME = r"""
use strict;
use warnings;
use PVE::Storage;
my ($do, $volume) = @ARGV;
my $config = PVE::Storage::config();
if ($do eq 'off') {
    PVE::Storage::unmap_volume($config, $volume);
    PVE::Storage::deactivate_volumes($config, [$volume]);
    exit 0;
}
PVE::Storage::activate_volumes($config, [$volume]);
my $path = PVE::Storage::map_volume($config, $volume)
    || scalar PVE::Storage::path($config, $volume);
my $format = (PVE::Storage::parse_volname($config, $volume))[6] // 'raw';
print "$path\n$format\n";
"""

_OUTER = r"""
vmid=$1
mkdir -p @LOCKS@
exec 9> "@LOCKS@/lock-$vmid.conf"
if ! flock -w 10 9; then
    echo "VM $vmid: somebody else works on it" >&2
    exit @LOCKED@
fi
if [ "$(qm status "$vmid")" != 'status: stopped' ]; then
    echo "VM $vmid is running: switch it off first" >&2
    exit @RUNS@
fi
config=$(qm config "$vmid" --current 1)
if locked=$(echo "$config" | grep '^lock: '); then
    echo "VM $vmid is locked (${locked#lock: })" >&2
    exit @LOCKED@
fi
volume=$(echo "$config" | sed -n 's/^scsi0: \([^,]*\).*/\1/p')
if [ -z "$volume" ]; then
    echo "VM $vmid has no disk scsi0" >&2
    exit 1
fi
found=$(perl -e "$of_volume" on "$volume")
path=$(echo "$found" | sed -n 1p)
format=$(echo "$found" | sed -n 2p)
status=0
unshare --mount --pid --fork --kill-child sh -euc "$inside" sh "$path" "$format" "$@" || status=$?
perl -e "$of_volume" off "$volume" || :
exit $status
"""

_INSIDE = r"""
path=$1 format=$2 vmid=$3 do=$4
shift 4
map=
if [ "$format" != raw ] || { [ ! -f "$path" ] && [ ! -b "$path" ]; }; then
    modprobe nbd
    for each in /sys/block/nbd*; do
        if [ ! -e "$each/pid" ] && qemu-nbd --connect="/dev/${each##*/}" --format="$format" "$path"
        then
            map=/dev/${each##*/}
            break
        fi
    done
    if [ -z "$map" ]; then
        echo "VM $vmid: no network block device is free for $path" >&2
        exit 1
    fi
    path=$map
fi
start=$(perl -e "$program" start "$path")
mount -t tmpfs -o mode=700 tmpfs /mnt
mkdir /mnt/disk
mount -o "nosuid,nodev,noexec,loop,offset=$start" "$path" /mnt/disk
status=0
if [ "$do" = shell ]; then
    cd /mnt/disk
    if [ $# = 0 ]; then bash -i || status=$?; else bash -c "$*" || status=$?; fi
    cd /
else
    perl -e "$program" "$do" /mnt/disk "$@" || status=$?
fi
umount /mnt/disk
if [ -n "$map" ]; then qemu-nbd --disconnect "$map" > /dev/null; fi
exit $status
"""


def host_script(*, locks: str = LOCKS) -> str:
    """The script for a host's `sh`, whose arguments are a VMID, `ls`, `get`, `put` or `shell`, and
    the words of that (see `PROGRAM`); `locks` is the folder of the guests' locks."""
    outer = _OUTER.replace("@LOCKS@", locks).replace("@LOCKED@", str(LOCKED))
    outer = outer.replace("@RUNS@", str(RUNS))
    texts = {"program": PROGRAM, "of_volume": _VOLUME, "inside": _INSIDE}
    parts = [f"{name}=$(cat <<'PRACTICUM_END'\n{text.strip()}\nPRACTICUM_END\n)\n"
             for name, text in texts.items()]  # fmt: skip
    return "set -eu\n" + "".join(parts) + "export program\n" + outer.lstrip()
