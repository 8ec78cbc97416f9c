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


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageType:
    """Options of one type: `required` at creation, `fixed` afterwards, and the changeable ones.

    `content` is what it holds by default; `mounted` tells that its path is the host's own.
    """

    required: frozenset[str]
    fixed: frozenset[str]
    options: frozenset[str]
    content: str = "images,rootdir"
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
    content: str = "images,rootdir",
    mounted: bool = False,
) -> StorageType:
    """`changeable` are options that are required and can be changed all the same."""
    needed = frozenset(required.split())
    base = _EVERY | _FILES if files else _EVERY
    return StorageType(
        required=needed | frozenset(changeable.split()),
        fixed=needed | frozenset(fixed.split()),
        options=base | frozenset(options.split()) | frozenset(changeable.split()),
        content=content,
        mounted=mounted,
    )


TYPES: dict[str, StorageType] = {
    "dir": _type("path", "shared is_mountpoint", files=True),
    "btrfs": _type("path", "shared is_mountpoint nocow", files=True),
    "nfs": _type("server export", "options", fixed="path", files=True, mounted=True),
    "cifs": _type(
        "server share",
        "options subdir username password domain smbversion",
        fixed="path",
        files=True,
        mounted=True,
    ),
    "cephfs": _type(
        "",
        "monhost subdir options username fuse keyring fs-name content-dirs prune-backups "
        "max-protected-backups create-base-path create-subdirs mkdir",
        fixed="path",
        content="backup",
        mounted=True,
    ),
    "lvm": _type(
        "vgname",
        "shared saferemove saferemove_throughput saferemove-stepsize tagged_only "
        "snapshot-as-volume-chain",
        fixed="base",
    ),
    "lvmthin": _type("thinpool vgname"),
    "zfspool": _type("pool", "blocksize sparse mountpoint"),
    "rbd": _type("", "monhost pool namespace data-pool username krbd keyring", content="images"),
    "iscsi": _type("portal target", content="images"),
    "iscsidirect": _type("portal target", content="images"),
    "zfs": _type(
        "iscsiprovider portal target pool",
        "blocksize sparse nowritecache comstar_hg comstar_tg lio_tpg zfs-base-path",
        content="images",
    ),
    "pbs": _type(
        "server datastore",
        "namespace port username password encryption-key master-pubkey fingerprint "
        "prune-backups max-protected-backups",
        content="backup",
    ),
    "esxi": _type("server username", "shared password skip-cert-verification", content="import"),
}
