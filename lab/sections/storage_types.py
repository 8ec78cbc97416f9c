"""Which options each type of storage takes, and what it holds when nothing is said."""

from __future__ import annotations

from dataclasses import dataclass

_EVERY = frozenset({"nodes", "disable", "content"})
_FILES = frozenset(
    {
        "create-base-path",
        "create-subdirs",
        "format",
        "max-protected-backups",
        "mkdir",
        "preallocation",
        "prune-backups",
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
    `mounted` tells that its path is the host's own. `secrets` are kept in files of their own, not
    in the definition.
    """

    required: frozenset[str]
    fixed: frozenset[str]
    options: frozenset[str]
    holds: frozenset[str] = _DISKS
    content: str = "images,rootdir"
    formats: frozenset[str] = frozenset()
    mounted: bool = False
    secrets: frozenset[str] = frozenset()

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
    formats: str = "raw",
    mounted: bool = False,
    secrets: str = "",
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
        secrets=frozenset(secrets.split()),
    )


TYPES: dict[str, StorageType] = {
    "dir": _type(
        "path",
        "shared is_mountpoint content-dirs bwlimit",
        fixed="snapshot-as-volume-chain",
        files=True,
        holds=_FOLDERS,
        formats="raw qcow2 vmdk subvol",
    ),
    "btrfs": _type(
        "path", "shared is_mountpoint nocow", files=True, holds=_FOLDERS, formats="raw subvol"
    ),
    "nfs": _type(
        "server export",
        "options content-dirs bwlimit",
        fixed="path snapshot-as-volume-chain",
        files=True,
        holds=_SHARES,
        content="images",
        formats="raw qcow2 vmdk",
        mounted=True,
    ),
    "cifs": _type(
        "server share",
        "options subdir username password domain smbversion content-dirs bwlimit",
        fixed="path snapshot-as-volume-chain",
        files=True,
        holds=_SHARES,
        content="images",
        formats="raw qcow2 vmdk",
        mounted=True,
        secrets="password",
    ),
    "cephfs": _type(
        "",
        "monhost subdir options username fuse keyring fs-name content-dirs prune-backups format "
        "max-protected-backups create-base-path create-subdirs mkdir bwlimit",
        fixed="path",
        holds=_SHARES - _DISKS,
        content="backup",
        formats="",
        mounted=True,
        secrets="keyring",
    ),
    "lvm": _type(
        "vgname",
        "shared saferemove saferemove_throughput saferemove-stepsize tagged_only "
        "snapshot-as-volume-chain bwlimit",
        fixed="base",
        content="images",
        formats="raw qcow2",
    ),
    "lvmthin": _type("thinpool vgname", "bwlimit"),
    "zfspool": _type("pool", "blocksize sparse mountpoint bwlimit", formats="raw subvol"),
    "rbd": _type(
        "",
        "monhost pool namespace data-pool username krbd keyring bwlimit",
        content="images",
        secrets="keyring",
    ),
    "iscsi": _type("portal target", "bwlimit", holds=_TARGET, content="images"),
    "iscsidirect": _type("portal target", "bwlimit", holds=_TARGET, content="images"),
    "zfs": _type(
        "iscsiprovider portal target pool blocksize",
        "sparse nowritecache comstar_hg comstar_tg lio_tpg zfs-base-path bwlimit",
        holds=frozenset({"images"}),
        content="images",
    ),
    "pbs": _type(
        "server datastore",
        "namespace port username password encryption-key master-pubkey fingerprint "
        "prune-backups max-protected-backups",
        holds=frozenset({"backup", "none"}),
        content="backup",
        secrets="encryption-key master-pubkey password",
    ),
    "esxi": _type(
        "",
        "shared password skip-cert-verification port",
        changeable="server username",
        holds=frozenset({"import"}),
        content="import",
        formats="raw qcow2 vmdk",
        secrets="password",
    ),
}
