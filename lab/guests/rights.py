"""Which privileges an option of a guest needs, and the checks of a caller against them.

Root with a ticket may everything; a token, even one of root, may not touch what only root may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure, forbidden
from lab.formats import parse_property_string
from lab.guests import drives, nets
from lab.guests.options import CLOUD_INIT
from lab.sdn.paths import card_paths
from lab.storage import names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space, require_volume

_GROUPS = {
    "VM.Config.CPU": "cores cpu runningcpu cpulimit cpuunits numa smp sockets vcpus",
    "VM.Config.Memory": "memory balloon shares allow-ksm",
    "VM.Config.HWType": "acpi hotplug kvm machine runningmachine scsihw smbios1 tablet vga watchdog"
    " audio0 rng0",
    "VM.Config.Options": "agent autostart bios description keyboard localtime migrate_downtime"
    " migrate_speed name onboot ostype protection reboot startdate startup tags tdf template",
    "VM.PowerMgmt": "freeze",
    "VM.Config.Disk": "boot bootdisk vmstatestorage",
}
_NEEDED = {option: name for name, group in _GROUPS.items() for option in group.split()}
# Their privileges depend on the value.
_BY_VALUE = re.compile(r"cdrom|(?:unused|serial|usb|hostpci|virtiofs)\d+")


def check_root_only(call: Call, *parameters: str) -> None:
    """400 for parameters that only root may use."""
    for name in parameters:
        if call.params.get(name) and not call.is_root:
            raise bad_parameter(name, "Only root may use this option.")


def require(call: Call, vmid: int, pool: str | None, *privileges: str, one: bool = False) -> None:
    """403 when the caller lacks privileges on a guest, and on the pool it is to be in."""
    if not call.is_root:
        _Held(call, vmid, pool).require(*privileges, one=one)


class _Held:
    """What a caller may do to a guest, looked up once for many options."""

    def __init__(self, call: Call, vmid: int, pool: str | None) -> None:
        rights = call.lab.rights
        self._path = f"/vms/{vmid}"
        self._on_guest = rights.on(call.user, self._path)
        self._on_pool = rights.on(call.user, f"/pool/{pool}") if pool else {}

    def require(self, *privileges: str, one: bool = False) -> None:
        """403 that names the guest and what is missing there."""
        enough = any if one else all
        if any(
            enough(name in held for name in privileges) for held in (self._on_guest, self._on_pool)
        ):
            return
        missing = [name for name in privileges if name not in self._on_guest]
        raise forbidden(f"{self._path}, {'|'.join(missing) if one else missing[0]}")


def require_allocate(call: Call, vmid: int, pool: str | None) -> None:
    """403, without saying more, when the caller may not make a guest of this number."""
    paths = [f"/vms/{vmid}"] + ([f"/pool/{pool}"] if pool else [])
    if not call.is_root and not any(
        call.lab.rights.has(call.user, path, ["VM.Allocate"]) for path in paths
    ):
        raise forbidden("")


def require_options(call: Call, vmid: int, pool: str | None, keys: Iterable[str]) -> None:
    """403 for options that need privileges the caller lacks, 500 for those of root."""
    if call.is_root:
        return
    held = _Held(call, vmid, pool)
    for key in keys:
        if drives.is_drive(key) or _BY_VALUE.fullmatch(key):
            continue
        if key in _NEEDED or re.fullmatch(r"numa\d+", key):
            held.require(_NEEDED.get(key, "VM.Config.CPU"))
            if key == "startup":
                call.lab.rights.require(call.user, "/", ["Sys.Modify"])
        elif nets.is_net(key):
            held.require("VM.Config.Network")
        elif key in CLOUD_INIT or key.startswith("ipconfig"):
            held.require("VM.Config.Cloudinit", "VM.Config.Network", one=True)
        else:
            raise failure(f"only root can set '{key}' config")


def require_devices(
    call: Call, vmid: int, pool: str | None, options: dict[str, Any], verb: str = "modify"
) -> None:
    """The checks that depend on the value: serial ports and devices of the host."""
    if call.is_root:
        return
    for key, value in options.items():
        if re.fullmatch(r"serial\d+", key):
            if value != "socket":
                raise failure(f"only root can {verb} '{key}' config for real devices")
            require(call, vmid, pool, "VM.Config.HWType")
        elif re.fullmatch(r"(usb|hostpci)\d+", key):
            _require_host_device(call, vmid, pool, key, str(value))


def _require_host_device(call: Call, vmid: int, pool: str | None, key: str, value: str) -> None:
    kind = "usb" if key.startswith("usb") else "pci"
    device = parse_property_string(f"pve-qm-{'usb' if kind == 'usb' else 'hostpci'}", value)
    host = str(device.get("host", ""))
    if host and not (kind == "usb" and host.lower() == "spice"):
        words = "real devices" if kind == "usb" else "non-mapped devices"
        raise failure(f"only root can set '{key}' config for {words}")
    if "mapping" in device:
        path = f"/mapping/{kind}/{device['mapping']}"
        call.lab.rights.require(call.user, path, ["Mapping.Use"])
    require(call, vmid, pool, "VM.Config.HWType")


def require_bridges(call: Call, config: dict[str, Any]) -> None:
    """403 when the caller may not put a card on one of the bridges or virtual networks."""
    if call.is_root:
        return
    for key in sorted(filter(nets.is_net, config)):
        for path in card_paths(call.lab, nets.parse_net(config[key])):
            call.lab.rights.require(call.user, path, ["SDN.Use"])


def require_drive(call: Call, vmid: int, drive: drives.Drive) -> None:
    """403 when the caller may not attach or detach this kind of drive."""
    if drives.is_cloud_init(drive):
        require(call, vmid, None, "VM.Config.Cloudinit", "VM.Config.CDROM")
    elif drives.is_cdrom(drive, without_cloud_init=True):
        require(call, vmid, None, "VM.Config.CDROM")
    else:
        require(call, vmid, None, "VM.Config.Disk")


def require_clone(call: Call, config: dict[str, Any], storage: str | None) -> None:
    """403 when the caller may not make the volumes and cards that a clone needs."""
    if call.is_root:
        return
    for key in drives.drive_keys(config):
        drive = drives.parse_drive(key, config[key])
        name = names.split_volume_id(drive["file"])
        if name and not drives.is_cdrom(drive):
            storage_config(call.lab, name[0])
            require_space(call, storage or name[0])
    require_bridges(call, config)


def require_import(call: Call, vmid: int, source: str) -> None:
    """403 when the caller may not copy from a volume."""
    if call.is_root:
        return
    name = names.split_volume_id(source)
    owner = None
    if name:
        owner = names.parse_name(storage_config(call.lab, name[0])["type"], name[1]).vmid
    if owner is not None:
        call.lab.rights.require(call.user, f"/vms/{owner}", ["VM.Clone"])
    else:
        require_volume(call, vmid, source)
