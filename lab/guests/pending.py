"""Changes that wait: taken over while a guest is off, plugged into one that runs, or kept waiting.

Proxmox VE writes every change to a guest's pending section first. A guest that is off takes all
of it over at once; a running one takes what needs no restart, and the rest waits for the next
stop or start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lab.errors import ApiError, failure, late_text
from lab.formats import parse_property_string
from lab.guests import drives
from lab.guests.nets import is_net, parse_net
from lab.guests.options import (
    hotplug_features,
    in_cloud_init_drive,
    is_immediate,
    is_windows,
    plugs_live,
)
from lab.storage import names
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.guests.drives import Drive
    from lab.guests.record import Guest

# Refuses a caller that may not free a volume.
MayFree = Callable[[str], None]
# Network card: what cannot change without taking the card out.
_NET_IDENTITY = ("model", "macaddr", "queues", "mtu")
# Disk: what cannot change without taking the disk out.
_DISK_IDENTITY = ("aio", "discard", "iothread", "queues", "product", "cache", "ssd", "vendor", "ro")
_AGENT_LIVE = "fstrim_cloned_disks"


def clean(guest: Guest) -> None:
    """Forget pending values that are in force already, and removals of what is not there."""
    for key, value in list(guest.pending.items()):
        if key in guest.config and guest.config[key] == value:
            del guest.pending[key]
    for key in list(guest.pending_delete):
        if key not in guest.config:
            del guest.pending_delete[key]


def detach(guest: Guest, drive: Drive) -> None:
    """Keep the volume of a detached disk as unused; a cloud-init volume is destroyed."""
    rows = volumes(guest.lab)
    if drives.is_cloud_init(drive):
        rows.free(drive["file"], guest.node)
        guest.unsynced.clear()
    elif not drives.is_cdrom(drive) and is_owner(guest, drive["file"]):
        drives.add_unused(guest.config, drive["file"])


def is_owner(guest: Guest, volid: str) -> bool:
    """Whether a volume belongs to the guest, by its name."""
    name = names.split_volume_id(volid)
    config = guest.lab.store.get("storage", name[0]) if name else None
    if name is None or config is None:
        return False
    return names.parse_name(config["type"], name[1]).vmid == guest.vmid


def deallocate(guest: Guest, key: str, drive: Drive, may_free: MayFree | None = None) -> None:
    """Destroy the volume of a removed drive when it is the guest's own and `may_free` lets it."""
    volid: str = drive["file"]
    if drives.is_cdrom(drive, without_cloud_init=True) or not is_owner(guest, volid):
        return
    if may_free is not None:
        may_free(volid)
    users = [k for k, d in guest.drives() if k != key and d["file"] == volid]
    if users or guest.in_snapshot(volid):
        raise failure(f"unable to delete '{volid}' - volume is still in use (snapshot?)")
    volumes(guest.lab).free(volid, guest.node)


def _remove_drive(guest: Guest, key: str, force: bool, may_free: MayFree | None) -> None:
    drive = drives.parse_drive(key, guest.config[key])
    if force:
        deallocate(guest, key, drive, may_free)
    else:
        detach(guest, drive)


def apply(guest: Guest, may_free: MayFree | None = None) -> dict[str, str]:
    """Take over everything that is pending of a guest that is off; faults by key."""
    errors: dict[str, str] = {}
    for key, force in sorted(guest.pending_delete.items()):
        try:
            if key in guest.config and drives.is_drive(key):
                _remove_drive(guest, key, bool(force), may_free)
        except ApiError as error:
            errors[key] = f"unable to apply pending change {key} : {late_text(error)}\n"
        else:
            del guest.pending_delete[key]
            guest.config.pop(key, None)
    clean(guest)
    new_cloud_init = False
    for key, value in list(guest.pending.items()):
        if drives.is_drive(key):
            if key in guest.config:
                detach(guest, drives.parse_drive(key, guest.config[key]))
            new_cloud_init |= drives.is_cloud_init(drives.parse_drive(key, value))
        guest.config[key] = value
        del guest.pending[key]
    if new_cloud_init:
        guest.unsynced.clear()
    return errors


def hotplug(
    guest: Guest, changed: Iterable[str], may_free: MayFree | None = None
) -> tuple[dict[str, str], frozenset[str]]:
    """Take over what a running guest can of `changed`; faults by key, and what took effect."""
    wanted, done, errors = set(changed), set(), {}
    for key in [key for key in guest.pending if is_immediate(key)]:
        _set(guest, key, guest.pending.pop(key))
        done.add(key)
    features = hotplug_features(guest.config)
    for key, force in sorted(guest.pending_delete.items()):
        if key in wanted and _unplugs(guest, key, features):
            try:
                if drives.is_drive(key):
                    _remove_drive(guest, key, bool(force), may_free)
            except ApiError as error:
                errors[key] = f"hotplug problem - {late_text(error)}\n"
                continue
            _record(guest, key, guest.config.pop(key, None), None)
            del guest.pending_delete[key]
            done.add(key)
    # The cloud-init drive comes last: it is written from all the other values.
    order = sorted(guest.pending, key=lambda key: _is_cloud_init(key, guest.pending[key]))
    for key in [key for key in order if key in wanted]:
        try:
            takes = _plugs(guest, key, guest.pending[key], features)
        except ApiError as error:
            errors[key] = f"hotplug problem - {late_text(error)}\n"
            continue
        if takes:
            _set(guest, key, guest.pending.pop(key))
            done.add(key)
    if "cloudinit" in features:
        guest.unsynced.clear()  # the drive is written at once
    return errors, frozenset(done)


def _is_cloud_init(key: str, value: Any) -> bool:
    return drives.is_drive(key) and drives.is_cloud_init(drives.parse_drive(key, value))


def _set(guest: Guest, key: str, value: Any) -> None:
    _record(guest, key, guest.config.get(key), value)
    guest.config[key] = value


def _unplugs(guest: Guest, key: str, features: frozenset[str]) -> bool:
    if is_immediate(key) or key in ("cpuunits", "cpulimit"):
        return True
    if is_net(key):
        return "network" in features
    if drives.is_drive(key):
        return "disk" in features and plugs_live(key)
    if key == "hotplug":
        return not {"cpu", "memory"} & features
    if key == "tablet":
        return "usb" in features
    if key.startswith("usb"):
        return _usb_plugs(guest, features)
    if key == "vcpus":
        return "cpu" in features
    if key == "balloon":
        return guest.config.get("balloon") != 0
    return key == "memory" and "memory" in features


def _plugs(guest: Guest, key: str, value: Any, features: frozenset[str]) -> bool:
    config = guest.config
    if is_net(key):
        return _net_plugs(config.get(key), value, features)
    if drives.is_drive(key):
        return _disk_plugs(guest, key, value, features)
    if key == "hotplug":
        now = str(config.get("hotplug", ""))
        return not any(word in text for word in ("cpu", "memory") for text in (now, str(value)))
    if key == "tablet":
        return "usb" in features
    if key.startswith("usb"):
        return _usb_plugs(guest, features)
    if key == "vcpus":
        return "cpu" in features
    if key == "balloon":
        return bool(config.get("balloon", 1)) == bool(value)
    if key == "agent":
        return key in config and _agent_plugs(config[key], value)
    return key in ("cpuunits", "cpulimit") or (key == "memory" and "memory" in features)


def _usb_plugs(guest: Guest, features: frozenset[str]) -> bool:
    ostype = guest.config.get("ostype")
    modern = ostype == "l26" or (is_windows(ostype) and ostype in ("win8", "win10", "win11"))
    return "usb" in features and modern


def _net_plugs(old: str | None, new: str, features: frozenset[str]) -> bool:
    if old is not None:
        before, after = parse_net(old), parse_net(new)
        same = all(before.get(name) == after.get(name) for name in _NET_IDENTITY)
        if same and before.get("bridge") and after.get("bridge"):
            return True
    return "network" in features


def _agent_plugs(old: str, new: str) -> bool:
    before, after = (parse_property_string("pve-qm-agent", text) for text in (old, new))
    return {k: v for k, v in before.items() if k != _AGENT_LIVE} == {
        k: v for k, v in after.items() if k != _AGENT_LIVE
    }


def _disk_plugs(guest: Guest, key: str, value: str, features: frozenset[str]) -> bool:
    if key in ("efidisk0", "tpmstate0"):
        return False
    new = drives.parse_drive(key, value)
    if key in guest.config:
        old = drives.parse_drive(key, guest.config[key])
        if (new.get("media") or "disk") != (old.get("media") or "disk"):
            raise failure("unable to change media type")
        if drives.is_cdrom(old):
            if new["file"] == "none" and drives.is_cloud_init(old):
                detach(guest, old)
            return True
        if new["file"] == old["file"]:
            return all(new.get(name) == old.get(name) for name in _DISK_IDENTITY)
        if "disk" not in features:
            return False
        detach(guest, old)
    return "disk" in features and plugs_live(key)


def _record(guest: Guest, key: str, old: Any, new: Any) -> None:
    """Note what the cloud-init drive of a running guest still says.

    `unsynced` maps a key to its value on the drive; `added` lists keys the drive does not have.
    """
    if not in_cloud_init_drive(key) or (old is None and new is None):
        return
    added = set(guest.unsynced.get("added", ()))
    recorded = guest.unsynced.get(key)
    if recorded is not None:
        if new == recorded:
            del guest.unsynced[key]
    elif key in added:
        if new is None:
            added.discard(key)
    elif old is None:
        added.add(key)
    else:
        guest.unsynced[key] = old
    guest.unsynced["added"] = sorted(added)
    if not added:
        del guest.unsynced["added"]
