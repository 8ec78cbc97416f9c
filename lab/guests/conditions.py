"""Where a guest could go, what of it would have to be copied, and what ties it to its host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import failure
from lab.formats import parse_property_string
from lab.guests import drives
from lab.guests.clone import QEMU
from lab.guests.memory import blockers
from lab.guests.record import Guest, load
from lab.ha.affinity import obstacles
from lab.ha.config import is_managed, sid_of
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab
    from lab.guests.drives import Drive

# Devices of the host, in the order in which they are told.
_TIED = ("hostpci", "parallel", "serial", "usb", "virtiofs")
_MAPPINGS = {"usb": "usb", "hostpci": "pci", "virtiofs": "dir"}
_NO_LIST = (
    "Can't use an undefined value as an ARRAY reference at"
    " /usr/share/perl5/PVE/QemuMigrate/Helpers.pm line 1."
)


@dataclass(slots=True)
class Tied:
    """What ties a guest to its host: keys of its devices, those of them that hosts know under a
    name of their own (`mapped`), and by host the keys whose name it does not know."""

    keys: list[str] = field(default_factory=list)
    mapped: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)


def tied(guest: Guest) -> Tied:
    """The devices of the host that a guest uses."""
    found = Tied(keys=blockers(guest.config) if guest.running else [])
    for key in sorted(guest.config):
        kind, value = key.rstrip("0123456789"), str(guest.config[key])
        if kind in _TIED and _ties(guest, key, kind, value, found):
            found.keys.append(key)
    return found


def _ties(guest: Guest, key: str, kind: str, value: str, found: Tied) -> bool:
    if kind == "serial":
        return value != "socket"
    if kind not in _MAPPINGS:
        return True
    device = parse_property_string(f"pve-qm-{kind}", value)
    if kind == "usb" and str(device.get("host", "")).lower() == "spice":
        return False
    name = device.get("dirid" if kind == "virtiofs" else "mapping")
    if not name:
        return True
    row = guest.lab.store.get(f"mapping-{_MAPPINGS[kind]}", name)
    if row is None:
        raise failure(_NO_LIST)
    _note_missing(guest.lab, key, f"mapping-{_MAPPINGS[kind]}", row["map"], found)
    found.mapped[key] = {"name": name}
    if kind != "hostpci":
        return True
    if row.get("live-migration-capable"):
        found.mapped[key]["live-migration"] = 1
        return False
    return guest.running


def _note_missing(lab: Lab, key: str, entry: str, texts: list[str], found: Tied) -> None:
    known = {parse_property_string(entry, text).get("node") for text in texts}
    for node in lab.nodes():
        if node["name"] not in known:
            found.missing.setdefault(node["name"], []).append(key)


@handles("GET", f"{QEMU}/migrate")
async def migration_conditions(call: Call) -> dict[str, Any]:
    """The hosts that a guest could go to, and why not to the others."""
    lab = call.lab
    guest = load(lab, call.params["vmid"], call.params["node"])
    guest.check_lock()
    devices, sid = tied(guest), sid_of(lab.store, guest.vmid)
    watched = sid if is_managed(lab.store, sid) else None
    hosts = [node["name"] for node in lab.nodes() if node["name"] != guest.node]
    along, blocking = obstacles(lab.store, watched, hosts)
    refused: dict[str, dict[str, Any]] = {}
    for host in hosts:
        reasons = {
            "unavailable_storages": sorted(_unavailable(guest, host)),
            "unavailable-resources": devices.missing.get(host),
            "blocking-ha-resources": blocking.get(host),
        }
        refused[host] = {name: what for name, what in reasons.items() if what}
    shown: dict[str, Any] = {
        "running": int(guest.running),
        "allowed_nodes": [host for host, reasons in refused.items() if not reasons],
        "not_allowed_nodes": refused,
        "local_disks": local_disks(guest),
        "local_resources": devices.keys,
        "mapped-resources": sorted(devices.mapped),
        "mapped-resource-info": devices.mapped,
        "has-dbus-vmstate": 1,
    }
    return shown | ({"dependent-ha-resources": along} if watched else {})


def _unavailable(guest: Guest, node: str) -> set[str]:
    """Storages of the guest that another host does not have."""
    found = set()
    for _, drive in guest.drives():
        if name := names.split_volume_id(drive["file"]):
            config = storage_config(guest.lab, name[0])
            if config.get("disable") or not definitions.on_node(config, node):
                found.add(name[0])
    return found


def local_disks(guest: Guest) -> list[dict[str, Any]]:
    """The volumes that other hosts do not see: attached, unused, pending and in snapshots."""
    found: dict[str, dict[str, Any]] = {}
    for key, drive, snapshot, pending in _volumes(guest):
        _note(found.setdefault(drive["file"], {}), key, drive, snapshot, pending=pending)
    return [
        {**row, "volid": volid}
        for volid, row in found.items()
        if not _is_shared(guest.lab, volid) and not row["shared"]
        if not (volid == "none" and row["cdrom"])
    ]


def _volumes(guest: Guest) -> Iterator[tuple[str, Drive, str | None, bool]]:
    for config, snapshot, pending in (
        (guest.config, None, False),
        (guest.pending, None, True),
        *((config, name, False) for name, config in guest.snapshots.items()),
    ):
        for key, drive in guest.drives(config):
            yield key, drive, snapshot, pending
        for key in sorted(config):
            if drives.is_unused(key) or key == "vmstate":
                yield key, {"file": str(config[key])}, snapshot, pending


def _is_shared(lab: Lab, volid: str) -> bool:
    name = names.split_volume_id(volid)
    return name is not None and definitions.is_shared(storage_config(lab, name[0]))


def _note(
    row: dict[str, Any], key: str, drive: Drive, snapshot: str | None, *, pending: bool
) -> None:
    """Add what one place says of a volume to what others have said."""
    row["cdrom"] = int(bool(row.get("cdrom", 1) and drives.is_cdrom(drive)))
    said = {
        "is_cloudinit": drives.is_cloud_init(drive),
        "replicate": drive.get("replicate", 1),
        "shared": drive.get("shared", 0),
        "is_unused": drives.is_unused(key),
        "is_vmstate": key == "vmstate",
        "is_tpmstate": key == "tpmstate0",
    }
    for name, value in said.items():
        row[name] = int(bool(row.get(name) or value))
    attached = not row["is_unused"] and snapshot is None and not pending
    row["is_attached"] = int(bool(row.get("is_attached") or attached))
    if snapshot is not None:
        row.setdefault("referenced_in_snapshot", {})[snapshot] = 1
    if pending:
        row["referenced_in_pending"] = 1
    if drive.get("size"):
        row.setdefault("size", drive["size"])
    if drives.is_drive(key):
        row["drivename"] = key
