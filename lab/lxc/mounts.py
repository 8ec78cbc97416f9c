"""Root file systems and mount points of containers, and the volumes behind them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lab.errors import ApiError, bad_parameter, failure
from lab.formats import parse_property_string, print_property_string
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.sizes import format_size, parse_size
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.lxc.record import Container

Mount = dict[str, Any]
NEW_VOLUME = re.compile(r"([^:\s]+):(\d+(?:\.\d+)?)")
DEFAULT_ROOT_GIB = 4
MIB = 1024 * 1024
_MOUNT = re.compile(r"rootfs|mp\d+")
_UNUSED = re.compile(r"unused\d+")


def is_mount(key: str) -> bool:
    """Whether a key of the configuration is the root file system or a mount point."""
    return _MOUNT.fullmatch(key) is not None


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys of mounts as Proxmox VE goes through them: the root file system, then by number."""
    return sorted(keys, key=lambda key: -1 if key == "rootfs" else int(key.removeprefix("mp")))


def is_unused(key: str) -> bool:
    """Whether a key names a volume that is kept and not mounted."""
    return _UNUSED.fullmatch(key) is not None


def parse_mount(key: str, text: str) -> Mount:
    """The keys of a mount; `size` in bytes."""
    return dict(_parsed("rootfs" if key == "rootfs" else "mountpoint", text))


@lru_cache(maxsize=4096)
def _parsed(kind: str, text: str) -> Mount:
    mount = parse_property_string(f"pve-ct-{kind}", text)
    if "size" in mount:
        mount["size"] = parse_size(str(mount["size"]))
    return mount


def print_mount(key: str, mount: Mount) -> str:
    """A mount as Proxmox VE stores it."""
    shown = dict(mount)
    if isinstance(shown.get("size"), int):
        shown["size"] = format_size(shown["size"])
    return print_property_string(f"pve-ct-{'rootfs' if key == 'rootfs' else 'mountpoint'}", shown)


def is_volume(mount: Mount) -> bool:
    """Whether a mount is a volume, not a folder or device of the host."""
    return not str(mount["volume"]).startswith("/")


def check_content(container: Container, mount: Mount) -> None:
    """500 when a volume is, or is to be, on a storage that takes no containers."""
    storage, _ = names.parse_volume_id(mount["volume"])
    if "rootdir" not in definitions.contents(storage_config(container.lab, storage)):
        text = f"storage '{storage}' does not allow content type 'rootdir' (Container)"
        raise failure(text)


def check_storage(container: Container, storage: str) -> None:
    """400 or 500 when a storage cannot hold volumes of a container on its host."""
    config = storage_config(container.lab, storage, container.node)
    if "rootdir" not in definitions.contents(config):
        text = f"storage '{storage}' does not support container directories"
        raise bad_parameter("storage", text)


def allocate(container: Container, storage: str, size: int, **values: Any) -> Row:
    """A volume of `size` bytes: an image, or a folder where the storage works with those or no
    size is given."""
    config = storage_config(container.lab, storage, container.node)
    if "rootdir" not in definitions.contents(config):
        text = f"content type 'rootdir' is not available or configured on storage '{storage}'"
        raise failure(text)
    folder = config["type"] == "zfspool" or (definitions.has_path(config) and not size)
    return volumes(container.lab).allocate(
        storage, container.node, container.vmid,
        size=size, kind="subvol" if folder else "raw", content="rootdir", **values,
    )  # fmt: skip


def create(container: Container, wanted: dict[str, str], *, filled: bool) -> dict[str, str]:
    """Make the volumes that mounts ask for (`storage:8`); the mounts as they are stored.

    Nothing stays when one of them fails. Sizes are whole MiB, rounded down.
    """
    rows, made, stored = volumes(container.lab), [], {}
    try:
        for key in in_order(wanted):
            mount = parse_mount(key, wanted[key])
            if new := NEW_VOLUME.fullmatch(mount["volume"]):
                size = int(float(new[2]) * 1024) * MIB
                row = allocate(container, new[1], size, filled=filled)
                made.append(row["volid"])
                mount |= {"volume": row["volid"], "size": size}
            stored[key] = print_mount(key, mount)
    except ApiError:
        for volid in made:
            rows.free(volid, container.node)
        raise
    return stored


def copy(container: Container, mount: Mount, origin: Row, storage: str) -> Row:
    """A full copy of a volume for a container."""
    row = allocate(container, storage, origin["size"], filled=origin["filled"])
    mount["size"] = origin["size"]
    return volumes(container.lab).update(row, used=origin["used"])


def is_owner(container: Container, volid: str) -> bool:
    """Whether a volume belongs to the container, by its name."""
    name = names.split_volume_id(volid)
    config = container.lab.store.get("storage", name[0]) if name else None
    if name is None or config is None:
        return False
    return names.parse_name(config["type"], name[1]).vmid == container.vmid


def in_use(container: Container, volid: str) -> bool:
    """Whether a volume is mounted, waits to be, or belongs to a snapshot."""
    configs = (container.config, container.pending, *container.snapshots.values())
    return any(volume == volid for config in configs for _, volume in container.disks(config))


def free(container: Container, volid: str) -> None:
    """Destroy a volume that is the container's own."""
    if not volid.startswith("/") and is_owner(container, volid):
        volumes(container.lab).free(volid, container.node)
