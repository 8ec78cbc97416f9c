"""What each image consists of, as data: a recipe is a Debian release with lists of packages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from .problems import ImageError

# What every guest needs to boot, be reached, be given its identity, and answer the agent.
BASE = (
    "systemd-sysv", "dbus", "libpam-systemd", "udev", "kmod", "systemd-resolved",
    "linux-image-cloud-amd64", "initramfs-tools", "zstd", "e2fsprogs", "fdisk",
    "grub-common", "grub-pc-bin", "grub-efi-amd64-bin",
    "openssh-server", "sudo", "adduser", "apt-utils", "ca-certificates", "chrony",
    "python3-minimal", "python3-yaml", "cloud-init", "cloud-guest-utils", "qemu-guest-agent",
    "iproute2", "iputils-ping", "netbase", "procps", "less", "vim-tiny",
)  # fmt: skip

# What the exercises' levels use; compilers and libraries included.
EXERCISES = (
    "openmpi-bin", "libopenmpi-dev", "netpipe-openmpi", "hpcc", "gcc", "libc6-dev", "make",
    "munge", "slurmctld", "slurmd", "slurm-client",
    "nfs-ganesha", "nfs-ganesha-vfs", "nfs-kernel-server", "nfs-common", "rpcbind",
    "libnfs-utils", "fuse3", "sshfs",
    "prometheus", "prometheus-node-exporter",
    "iperf3", "pdsh", "clustershell", "tcpdump", "rsync", "curl", "iputils-arping",
)  # fmt: skip

GANGLIA = ("ganglia-monitor", "gmetad")

# What participants are to start themselves, and what would only wait for its configuration.
IDLE_SERVICES = (
    "munge.service", "slurmctld.service", "slurmd.service",
    "nfs-ganesha.service", "nfs-ganesha-lock.service", "nfs-server.service",
    "nfs-client.target", "rpcbind.service", "rpcbind.socket", "rpc-statd.service",
    "prometheus.service", "prometheus-node-exporter.service",
    "ganglia-monitor.service", "gmetad.service",
)  # fmt: skip

FLAVOURS = ("plain", "exercises")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image: its Debian release, and what goes in.

    - `name`: as stack files call it; `flavour`: `plain` or `exercises`
    - `suite`: Debian's name of the release
    - `size_gib`: of the whole disk; cloud-init grows the file system to the guest's disk
    - `epoch`: second that everything made by the build is dated, unless SOURCE_DATE_EPOCH is set
    """

    name: str
    flavour: str
    suite: str
    packages: tuple[str, ...]
    size_gib: int
    epoch: int

    @property
    def file(self) -> str:
        """What its files are called, without the ending."""
        return f"{self.name}-{self.flavour}"

    @property
    def root_id(self) -> uuid.UUID:
        """Of the root partition and its file system: the same in every build."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"root.{self.file}.practicum.invalid")

    @property
    def disk_id(self) -> uuid.UUID:
        """Of the partition table: the same in every build."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"disk.{self.file}.practicum.invalid")


_RELEASES = {
    # The last release that carries Ganglia's daemons.
    "debian-12": ("bookworm", GANGLIA, 1_735_689_600),
    "debian-13": ("trixie", (), 1_767_225_600),
}
_SIZES_GIB = {"plain": 2, "exercises": 4}
NAMES = tuple(_RELEASES)


def recipe(name: str, flavour: str = "plain") -> Recipe:
    """The recipe of an image; `ImageError` with the names that there are."""
    if name not in _RELEASES:
        raise ImageError(f"there is no recipe for {name}; there are {', '.join(NAMES)}")
    if flavour not in FLAVOURS:
        raise ImageError(f"{flavour} is no flavour; there are {', '.join(FLAVOURS)}")
    suite, more, epoch = _RELEASES[name]
    packages = BASE if flavour == "plain" else (*BASE, *EXERCISES, *more)
    return Recipe(
        name=name,
        flavour=flavour,
        suite=suite,
        packages=packages,
        size_gib=_SIZES_GIB[flavour],
        epoch=epoch,
    )
