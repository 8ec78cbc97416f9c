"""Drives of a guest: disks, CD drives, cloud-init drives, and the order they boot in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lab.errors import bad_parameter
from lab.formats import parse_property_string, print_property_string
from lab.storage.sizes import format_size, parse_size

Drive = dict[str, Any]
Config = dict[str, Any]
# The order decides which disk a new guest boots from.
BUSES = {"ide": 4, "scsi": 31, "virtio": 16, "sata": 6}
BOOT_DRIVES = tuple(f"{bus}{n}" for bus, count in BUSES.items() for n in range(count))
DRIVES = (*BOOT_DRIVES, "efidisk0", "tpmstate0")
MAX_UNUSED = 256
TPM_STATE_BYTES = 4 * 1024**2
CLOUD_INIT_BYTES = 4 * 1024**2
# Sizes of the firmware's variable store in OVMF's two layouts.
EFI_BYTES = {"2m": 131_072, "4m": 540_672}
NEW_DISK = re.compile(r"(?:([^/:\s]+):)?(\d+(?:\.\d+)?)")
_CLOUD_INIT = re.compile(r".*[:/](?:vm-\d+-)?cloudinit(?:\.(?:raw|qcow2?|qed|vmdk|cloop))?")
_UNUSED = re.compile(r"unused\d+")
_NUMBER = re.compile(r"\d+$")
# Limits of a disk: of both ways together, of reading, of writing.
_WAYS = ("", "_rd", "_wr")
_DRIVE_SET = frozenset(DRIVES)


def is_drive(key: str) -> bool:
    """Whether a key of the configuration is a drive (`unused0` is not)."""
    return key in _DRIVE_SET


def is_unused(key: str) -> bool:
    """Whether a key names a volume that is kept and not attached."""
    return _UNUSED.fullmatch(key) is not None


def drive_keys(config: Config) -> list[str]:
    """The drives of a configuration, sorted by name."""
    return sorted(key for key in config if key in _DRIVE_SET)


def parse_drive(key: str, text: str) -> Drive:
    """The keys of a drive; `size` in bytes."""
    return dict(_parsed(key, text))


@lru_cache(maxsize=8192)
def _parsed(key: str, text: str) -> Drive:
    # The same few texts are looked at many times in the life of a guest.
    drive = parse_property_string(f"pve-qm-{_NUMBER.sub('', key)}", text)
    _use_megabytes(key, drive)
    if (size := drive.get("size")) is not None:
        drive["size"] = parse_size(str(size))
    _check_combination(key, drive)
    return drive


def _use_megabytes(key: str, drive: Drive) -> None:
    """Limits in bytes become limits in megabytes; Proxmox VE reads each of them as one byte."""
    for limit in ("bps", "bps_rd", "bps_wr"):
        if drive.pop(limit, None) is not None:
            if f"m{limit}" in drive:
                raise bad_parameter(key, "unable to parse drive options")
            drive[f"m{limit}"] = "0.000"


def _check_combination(key: str, drive: Drive) -> None:
    cdrom = drive.get("media") == "cdrom"
    bursts = [(f"mbps{way}_max", f"mbps{way}") for way in _WAYS]
    bursts += [(f"{kind}{way}_max_length", f"{limit}{way}_max") for way in _WAYS
               for kind, limit in (("bps", "mbps"), ("iops", "iops"))]  # fmt: skip
    wrong = (
        cdrom and (drive.get("snapshot") or drive.get("format") or key.startswith("virtio"))
    ) or any(
        drive.get(f"{limit}_{way}") and drive.get(limit)
        for limit in ("mbps", "iops")
        for way in ("rd", "wr")
    )
    if wrong or any(drive.get(burst) and not drive.get(limit) for burst, limit in bursts):
        raise bad_parameter(key, "unable to parse drive options")


def print_drive(drive: Drive) -> str:
    """A drive as Proxmox VE stores it: the volume first, the other keys sorted."""
    shown = dict(drive)
    if isinstance(shown.get("size"), int):
        shown["size"] = format_size(shown["size"])
    return print_property_string("pve-qm-drive", shown)


def is_cloud_init(drive: Drive) -> bool:
    """Whether a drive carries a guest's cloud-init data."""
    return _CLOUD_INIT.fullmatch(drive["file"]) is not None


def is_cdrom(drive: Drive, *, without_cloud_init: bool = False) -> bool:
    """Whether a drive is a CD drive; a cloud-init drive is one unless it is left out."""
    if without_cloud_init and is_cloud_init(drive):
        return False
    return drive.get("media") == "cdrom"


def cloud_init_key(config: Config, besides: str = "") -> str | None:
    """Where a configuration has its cloud-init drive, not counting one key."""
    for key in drive_keys(config):
        if key != besides and is_cloud_init(parse_drive(key, config[key])):
            return key
    return None


def boot_order(config: Config) -> list[str]:
    """The devices of `boot: order=...`, empty for the old letters or none."""
    text = str(config.get("boot", ""))
    if "order=" not in text:
        return []
    order = parse_property_string("pve-qm-boot", text).get("order", "")
    return [device for device in re.split(r"[,;\s]+", order) if device]


def print_boot_order(devices: list[str]) -> str:
    """The value of `boot`; without devices it is empty, which is stored as one blank."""
    return f"order={';'.join(devices)}" if devices else ""


def default_boot_order(config: Config) -> list[str]:
    """What a new guest boots from: its first disk, first CD drive and first network card."""
    disks = [k for k in BOOT_DRIVES if config.get(k)]
    hard = next((k for k in disks if not is_cdrom(parse_drive(k, config[k]))), None)
    cd = next((k for k in disks if is_cdrom(parse_drive(k, config[k]))), None)
    net = next((f"net{n}" for n in range(32) if config.get(f"net{n}")), None)
    return [device for device in (hard, cd, net) if device]


def boot_disk_bytes(config: Config) -> int:
    """The size of the first disk that the guest boots from, as its configuration says."""
    order = boot_order(config) or ([config["bootdisk"]] if config.get("bootdisk") else [])
    for key in order:
        if is_drive(key) and config.get(key):
            drive = parse_drive(key, config[key])
            if not is_cdrom(drive):
                return int(drive.get("size") or 0)
    return 0


def add_unused(config: Config, volid: str) -> str | None:
    """Note a volume as `unusedN`; None when it is noted already."""
    taken = {key: value for key, value in config.items() if is_unused(key)}
    if volid in taken.values():
        return None
    for number in range(MAX_UNUSED):
        if (key := f"unused{number}") not in taken:
            config[key] = volid
            return key
    return None
