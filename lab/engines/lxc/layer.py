"""The thin layer over an image that makes it a container: what has no machine under it is off.

The image's cloud-init runs all of its stages in one process, as newer versions of it do: four
starts of Python cost more than everything it has to do. An image whose cloud-init is such a newer
version keeps its own units.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.engines.lxc.kept import kept

MASKED = (
    "systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service", "systemd-udev-settle.service", "systemd-resolved.service",
    "systemd-timesyncd.service", "systemd-networkd-wait-online.service", "chrony.service",
    "getty@.service", "serial-getty@.service", "modprobe@.service", "dev-hugepages.mount",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount", "apt-daily.timer",
    "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "man-db.timer", "dpkg-db-backup.timer", "cloud-init-hotplugd.socket",
    "systemd-random-seed.service", "systemd-remount-fs.service",
    "systemd-network-generator.service",  # it would read the machine's command line
)  # fmt: skip
NEW_CLOUD_INIT = "usr/lib/systemd/system/cloud-init-main.service"
"""In images whose cloud-init needs no stages of ours."""

_FIRST = """\
[Unit]
Description=All stages of cloud-init in one process
DefaultDependencies=no
Wants=network-pre.target
After=systemd-remount-fs.service
Before=network-pre.target systemd-networkd.service shutdown.target
RequiresMountsFor=/var/lib/cloud
Conflicts=shutdown.target

[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/python3 /usr/local/sbin/cloud-init-stages
RemainAfterExit=yes
TimeoutSec=0
KillMode=process
StandardOutput=journal
"""
_SECOND = """\
[Unit]
Description=Users and keys by cloud-init
DefaultDependencies=no
After=cloud-init-local.service systemd-networkd.service
Before=network-online.target sshd.service ssh.service systemd-user-sessions.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/sbin/cloud-init-users
RemainAfterExit=yes
TimeoutSec=0
"""
_STAGES = """\
# The stages of cloud-init in the order of its own units.
import os
import socket
import time

from cloudinit.cmd.main import main

PIPE = "/run/cloud-init-stages.pipe"


def stage(*arguments):
    try:
        main(sysv_args=["cloud-init", *arguments])
    except SystemExit:
        pass


def ready():
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\\0" + address[1:] if address[0] == "@" else address)


def routable():
    try:
        with open("/run/systemd/netif/state") as state:
            return "OPER_STATE=routable" in state.read()
    except OSError:
        return False


# Who waits for users and keys opens the pipe, and then looks for the file.
def users():
    open("/run/cloud-init-stages.users", "w").close()
    pipe = os.open(PIPE, os.O_RDWR)
    os.write(pipe, b"\\n")
    os.close(pipe)


if not os.path.exists(PIPE):
    os.mkfifo(PIPE, 0o600)
stage("init", "--local")
ready()
end = time.monotonic() + 20
while not routable() and time.monotonic() < end:
    time.sleep(0.05)
stage("init")
users()
stage("modules", "--mode=config")
stage("modules", "--mode=final")
"""
_USERS = """\
# Wait for users and keys, asleep: a hundred guests that look again and again need a core for it.
exec 3<> /run/cloud-init-stages.pipe
[ -e /run/cloud-init-stages.users ] || read -r _ <&3
"""
_CLOUD_INIT = """\
# Written by the lab: a container has no disk to grow and no other place to look for its data.
datasource_list: [NoCloud, None]
cloud_init_modules:
  - bootcmd
  - write-files
  - set_hostname
  - update_hostname
  - update_etc_hosts
  - users-groups
  - ssh
"""
STAGES = {
    "etc/systemd/system/cloud-init-local.service": _FIRST,
    "etc/systemd/system/cloud-init.service": _SECOND,
    "usr/local/sbin/cloud-init-stages": _STAGES,
    "usr/local/sbin/cloud-init-users": _USERS,
}
FILES = {
    "etc/cloud/cloud.cfg.d/95_lab.cfg": _CLOUD_INIT,
    "etc/cloud/ds-identify.cfg": "policy: enabled\n",
    "etc/fstab": "# The lab mounts what there is.\n",
}
SECCOMP = """\
2
denylist
reject_force_umount
[all]
kexec_load errno 1
init_module errno 1
finit_module errno 1
delete_module errno 1
"""
"""Unlike LXC's own list it lets `open_by_handle_at` pass, which a user-space NFS server needs."""


MOUNT_NFS = "usr/sbin/mount.nfs"


def write(folder: Path, *, stages: bool = True) -> Path:
    """Write the layer to a folder and return it; with `stages` for an older cloud-init.

    The lab's own mount.nfs is part of it where it has been compiled: a container cannot mount by
    the kernel's client, even where there is one.
    """
    own = kept("programs") / "mount-nfs"
    if own.is_file():
        target = folder / MOUNT_NFS
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(own, fresh)
        fresh.chmod(0o755)
        fresh.replace(target)
    masked = MASKED + (("cloud-config.service", "cloud-final.service") if stages else ())
    for name, content in (FILES | (STAGES if stages else {})).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            path.chmod(0o644)
    units = folder / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for name in masked:
        if not (units / name).is_symlink():
            (units / name).symlink_to("/dev/null")
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o755)  # noqa: S103 - a guest's users read their /etc
    return folder
