"""The memory of a running guest on a volume: for snapshots with memory, and for hibernation."""

from __future__ import annotations

from typing import Any

from lab.errors import failure
from lab.guests import drives, nets
from lab.guests.machines import running_cpu, running_machine
from lab.guests.update import memory_mib
from lab.machine import Config, Machine
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.volumes import volumes

MIB = 1024 * 1024
_DRIVER_STATE_MIB = 500  # Proxmox VE's guess for what is not memory
_DEFAULT_MTU = 1500


def check_blockers(config: dict[str, Any], *, with_memory: bool) -> None:
    """500 when memory is to be saved that cannot be."""
    found = blockers(config)
    if with_memory and found:
        text = "Cannot live-migrate, snapshot (with RAM), or hibernate a VM with: "
        raise failure(text + ", ".join(found))


def blockers(config: dict[str, Any]) -> list[str]:
    """What of a configuration keeps the memory from being saved or sent elsewhere."""
    found = [key for key in ("amd-sev", "intel-tdx") if config.get(key)]
    if any(key.startswith("virtiofs") for key in config):
        found.append("virtiofs")
    return found


def state_storage(machine: Machine) -> str:
    """Where the memory of a guest is saved: as configured, else a shared storage with one of its
    disks, else a local one, and `local` for a guest without disks; file storages first."""
    config = machine.config
    if wanted := config.get("vmstatestorage"):
        return str(wanted)
    found: dict[bool, str] = {}
    for key in drives.drive_keys(config):
        name = names.split_volume_id(drives.parse_drive(key, config[key])["file"])
        if name is None:
            continue
        storage = storage_config(machine.lab, name[0])
        shared = definitions.is_shared(storage)
        if shared not in found or definitions.has_path(storage):
            found[shared] = name[0]
    return found.get(True) or found.get(False) or "local"


def allocate_state(machine: Machine, storage: str, suffix: str) -> dict[str, Any]:
    """A volume for the memory: twice its size and the state of the devices."""
    config = storage_config(machine.lab, storage, machine.node)
    extension = ".raw" if definitions.has_path(config) else ""
    size = memory_mib(machine.config.get("memory")) * 2 + _DRIVER_STATE_MIB
    return volumes(machine.lab).allocate(
        storage, machine.node, machine.vmid,
        size=size * MIB, kind="raw", file=f"vm-{machine.vmid}-{suffix}{extension}",
    )  # fmt: skip


def save(machine: Machine, into: Config, storage: str, suffix: str) -> None:
    """Make room for the memory, and note in `into` where it is and what it ran on."""
    config = machine.config
    into["vmstate"] = allocate_state(machine, storage, suffix)["volid"]
    into["runningmachine"] = running_machine(config.get("machine"))
    into["runningcpu"] = running_cpu(config.get("cpu"))
    cards = [
        f"{key}={_DEFAULT_MTU}"
        for key in sorted(filter(nets.is_net, config))
        if nets.parse_net(config[key])["model"] == "virtio"
    ]
    if cards:
        into["running-nets-host-mtu"] = ",".join(cards)
