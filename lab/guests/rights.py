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
    " migrate_speed name onboot ostype protection reboot startdate startup tdf template",
    "VM.PowerMgmt": "freeze",
    "VM.Config.Disk": "boot bootdisk vmstatestorage",
}
_NEEDED = {option: name for name, group in _GROUPS.items() for option in group.split()}
# Their privileges depend on the value.
_BY_VALUE = re.compile(r"cdrom|tags|(?:unused|serial|usb|hostpci|virtiofs)\d+")
_DEVICES = [re.compile(rf"{kind}\d+") for kind in ("serial", "usb", "hostpci", "rng", "virtiofs")]


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
        elif nets.is_net(key) or key == "running-nets-host-mtu":
            held.require("VM.Config.Network")
        elif key == "vmstate":
            held.require("VM.Config.Disk", "VM.PowerMgmt")
        elif key in CLOUD_INIT or key.startswith("ipconfig"):
            held.require("VM.Config.Cloudinit", "VM.Config.Network", one=True)
        else:
            raise failure(f"only root can set '{key}' config")


def require_devices(
    call: Call, vmid: int, pool: str | None, options: dict[str, Any], verb: str = "modify"
) -> None:
    """The checks that depend on the value, in Proxmox VE's order: serial ports, devices of the
    host, its random numbers, its folders."""
    if call.is_root:
        return
    for kind in _DEVICES:
        for key, value in options.items():
            if kind.fullmatch(key):
                _require_device(call, vmid, pool, key, str(value), verb)


def _require_device(
    call: Call, vmid: int, pool: str | None, key: str, value: str, verb: str
) -> None:
    kind = key.rstrip("0123456789")
    if kind == "serial" and value != "socket":
        raise failure(f"only root can {verb} '{key}' config for real devices")
    if kind == "hostpci":
        _require_host_device(call, key, kind, value)
    require(call, vmid, pool, "VM.Config.Disk" if kind == "virtiofs" else "VM.Config.HWType")
    if kind == "usb":
        _require_host_device(call, key, kind, value)
    elif kind == "hostpci" and "romfile" in parse_property_string("pve-qm-hostpci", value):
        raise bad_parameter(key, "only root@pam can set 'romfile' option")
    elif kind == "rng":
        if parse_property_string("pve-qm-rng", value).get("source") == "/dev/hwrng":
            _require_mapping(call, "hwrng")
    elif kind == "virtiofs":
        _require_mapping(call, f"dir/{parse_property_string('pve-qm-virtiofs', value)['dirid']}")


def _require_host_device(call: Call, key: str, kind: str, value: str) -> None:
    device = parse_property_string(f"pve-qm-{kind}", value)
    host = str(device.get("host", ""))
    if host and not (kind == "usb" and host.lower() == "spice"):
        words = "real devices" if kind == "usb" else "non-mapped devices"
        raise failure(f"only root can set '{key}' config for {words}")
    if not host and "mapping" not in device:
        raise failure("either 'host' or 'mapping' must be set.")
    if not host:
        _require_mapping(call, f"{'usb' if kind == 'usb' else 'pci'}/{device['mapping']}")


def _require_mapping(call: Call, name: str) -> None:
    call.lab.rights.require(call.user, f"/mapping/{name}", ["Mapping.Use"])


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
    if state := config.get("vmstatestorage"):
        require_space(call, state)
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
