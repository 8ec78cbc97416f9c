"""What a storage can do with a volume: snapshot, linked clone, copy, template, rename.

The tables are those of Proxmox VE's storage plugins: a feature exists for the present state of a
disk (`current`), for a base volume (`base`) or for the state in a snapshot (`snap`), and on file
storages only for some formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.storage import names
from lab.storage.definitions import storage_config

if TYPE_CHECKING:
    from lab.app import Lab

Table = dict[str, dict[str, str]]  # feature -> state -> formats, `*` for all

_IMAGES = "qcow2 raw vmdk"
_FILES: Table = {
    "snapshot": {"current": "qcow2", "snap": "qcow2"},
    "clone": {"base": _IMAGES},
    "template": {"current": f"{_IMAGES} subvol"},
    "copy": {"base": _IMAGES, "current": _IMAGES, "snap": "qcow2"},
    "rename": {"current": _IMAGES},
}
_BTRFS: Table = {
    "snapshot": {"current": "qcow2 raw subvol", "snap": "qcow2 raw subvol"},
    "clone": {"base": f"{_IMAGES} subvol", "current": "raw", "snap": "raw"},
    "template": {"current": f"{_IMAGES} subvol"},
    "copy": {
        "base": f"{_IMAGES} subvol",
        "current": f"{_IMAGES} subvol",
        "snap": "qcow2 raw subvol",
    },
    "rename": {"current": _IMAGES},
}
_THIN: Table = {
    "snapshot": {"current": "*"},
    "clone": {"base": "*", "snap": "*"},
    "template": {"current": "*"},
    "copy": {"base": "*", "current": "*", "snap": "*"},
    "rename": {"current": "*"},
}
_BY_TYPE: dict[str, Table] = {
    "btrfs": _BTRFS,
    "lvm": {
        "copy": {"base": "qcow2 raw", "current": "qcow2 raw", "snap": "qcow2"},
        "rename": {"current": "qcow2 raw"},
        "snapshot": {"current": "qcow2", "snap": "qcow2"},
    },
    "lvmthin": _THIN,
    "rbd": _THIN | {"snapshot": {"current": "*", "snap": "*"}},
    "zfspool": {
        "snapshot": {"current": "*", "snap": "*"},
        "clone": {"base": "*"},
        "template": {"current": "*"},
        "copy": {"base": "*", "current": "*"},
        "rename": {"current": "*"},
    },
}


def has_feature(
    lab: Lab, volid: str, feature: str, *, snapshot: str | None = None, for_container: bool = False
) -> bool:
    """Whether a storage offers a feature for a volume, or for its state in a snapshot.

    A linked clone on a file storage is a qcow2 image, which no container can use. What is no
    volume has no features.
    """
    name = names.split_volume_id(volid)
    if name is None:
        return False
    kind = storage_config(lab, name[0])["type"]
    if for_container and feature == "clone" and _BY_TYPE.get(kind, _FILES) is _FILES:
        return False
    parsed = names.parse_name(kind, name[1])
    state = "snap" if snapshot else "base" if parsed.is_base else "current"
    formats = _BY_TYPE.get(kind, _FILES).get(feature, {}).get(state, "").split()
    return "*" in formats or parsed.format in formats


def newest_only(kind: str) -> bool:
    """Whether a type of storage goes back to the newest snapshot only."""
    return kind == "zfspool"
