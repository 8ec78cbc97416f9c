"""Which options each type of storage takes, and what it holds when nothing is said."""

from __future__ import annotations

from dataclasses import dataclass

_EVERY = frozenset({"nodes", "disable", "content", "bwlimit"})
_FILES = frozenset(
    {
        "content-dirs",
        "create-base-path",
        "create-subdirs",
        "format",
        "max-protected-backups",
        "mkdir",
        "preallocation",
        "prune-backups",
        "snapshot-as-volume-chain",
    }
)
_DISKS = frozenset({"images", "rootdir"})
_SHARES = _DISKS | {"vztmpl", "iso", "backup", "snippets", "import"}
_FOLDERS = _SHARES | {"none"}
_TARGET = frozenset({"images", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageType:
    """Options of one type: `required` at creation, `fixed` afterwards, and the changeable ones.

    `holds` is what it can hold, `content` what it holds by default, `formats` those of its disks;
    `mounted` tells that its path is the host's own.
    """

    required: frozenset[str]
    fixed: frozenset[str]
    options: frozenset[str]
    holds: frozenset[str] = _DISKS
    content: str = "images,rootdir"
    formats: frozenset[str] = frozenset({"raw", "qcow2", "vmdk", "subvol"})
    mounted: bool = False

    @property
    def known(self) -> frozenset[str]:
        """Every option."""
        return self.required | self.fixed | self.options


def _type(
    required: str,
    options: str = "",
    *,
    fixed: str = "",
    changeable: str = "",
    files: bool = False,
    holds: frozenset[str] = _DISKS,
    content: str = "images,rootdir",
    formats: str = "raw qcow2 vmdk subvol",
    mounted: bool = False,
) -> StorageType:
    """`changeable` are options that are required and can be changed all the same."""
    needed = frozenset(required.split())
    base = _EVERY | _FILES if files else _EVERY
    return StorageType(
        required=needed | frozenset(changeable.split()),
        fixed=needed | frozenset(fixed.split()),
        options=base | frozenset(options.split()) | frozenset(changeable.split()),
        holds=holds,
        content=content,
        formats=frozenset(formats.split()),
        mounted=mounted,
    )


TYPES: dict[str, StorageType] = {
    "dir": _type("path", "shared is_mountpoint", files=True, holds=_FOLDERS),
    "btrfs": _type(
        "path", "shared is_mountpoint nocow", files=True, holds=_FOLDERS, formats="raw subvol"
    ),
    "nfs": _type(
        "server export",
        "options",
        fixed="path",
        files=True,
        holds=_SHARES,
        content="images",
        formats="raw qcow2 vmdk",
        mounted=True,
    ),
    "cifs": _type(
        "server share",
        "options subdir username password domain smbversion",
        fixed="path",
        files=True,
        holds=_SHARES,
        content="images",
        formats="raw qcow2 vmdk",
        mounted=True,
    ),
    "cephfs": _type(
        "",
        "monhost subdir options username fuse keyring fs-name content-dirs prune-backups "
        "max-protected-backups create-base-path create-subdirs mkdir",
        fixed="path",
        holds=_SHARES - _DISKS,
        content="backup",
        mounted=True,
    ),
    "lvm": _type(
        "vgname",
        "shared saferemove saferemove_throughput saferemove-stepsize tagged_only "
        "snapshot-as-volume-chain",
        fixed="base",
        content="images",
    ),
    "lvmthin": _type("thinpool vgname"),
    "zfspool": _type("pool", "blocksize sparse mountpoint"),
    "rbd": _type("", "monhost pool namespace data-pool username krbd keyring", content="images"),
    "iscsi": _type("portal target", holds=_TARGET, content="images"),
    "iscsidirect": _type("portal target", holds=_TARGET, content="images"),
    "zfs": _type(
        "iscsiprovider portal target pool",
        "blocksize sparse nowritecache comstar_hg comstar_tg lio_tpg zfs-base-path",
        holds=frozenset({"images"}),
        content="images",
    ),
    "pbs": _type(
        "server datastore",
        "namespace port username password encryption-key master-pubkey fingerprint "
        "prune-backups max-protected-backups",
        holds=frozenset({"backup", "none"}),
        content="backup",
    ),
    "esxi": _type(
        "server username",
        "shared password skip-cert-verification",
        holds=frozenset({"import"}),
        content="import",
    ),
}
