"""Which guests, and which of their disks, a backup has, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.formats import split_list
from lab.guests.record import from_row as machine_from
from lab.lxc.record import Container
from lab.lxc.record import from_row as container_from

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.machine import Machine


def find_machine(lab: Lab, vmid: int) -> Machine | None:
    """A guest of either kind, or None."""
    if row := lab.store.get("qemu", str(vmid)):
        return machine_from(lab, vmid, row)
    if row := lab.store.get("lxc", str(vmid)):
        return container_from(lab, vmid, row)
    return None


def _hosts_of_guests(lab: Lab) -> dict[int, str]:
    return {int(v): row["node"] for kind in ("qemu", "lxc") for v, row in lab.store.items(kind)}


def included_guests(lab: Lab, options: dict[str, Any], node: str | None = None) -> list[int]:
    """The numbers that a run or a job names: of a pool, a list, or all but some; with `node` only
    those on that host. Numbers of no guest stay in."""
    hosts = _hosts_of_guests(lab)
    if options.get("pool"):
        pool = lab.store.get("pool", str(options["pool"])) or {"vms": []}
        wanted = [int(vmid) for vmid in pool["vms"]]
    elif options.get("vmid"):
        wanted = [int(word) for word in split_list(str(options["vmid"]))]
    elif options.get("all"):
        without = {int(word) for word in split_list(str(options.get("exclude", "")))}
        wanted = [vmid for vmid in hosts if vmid not in without]
    else:
        wanted = []
    return [vmid for vmid in wanted if node is None or hosts.get(vmid, node) == node]


def guest_tree(lab: Lab, vmid: int) -> dict[str, Any]:
    """A guest and its disks as a tree; of a number without a guest nothing is known."""
    machine = find_machine(lab, vmid)
    if machine is None:
        return {"id": vmid, "type": "unknown", "leaf": 1}
    leaves = [
        {
            "id": f"{vmid}:{key}",
            "name": volid,
            "included": int(saved),
            "reason": reason,
            "leaf": 1,
        }
        for key, volid, saved, reason in saved_disks(machine)
    ]
    name = machine.config.get("hostname" if isinstance(machine, Container) else "name")
    return {
        "id": vmid,
        "type": machine.KIND,
        "name": name,
        "children": leaves,
        "leaf": int(not leaves),
    }


def saved_disks(machine: Machine) -> list[tuple[str, str, bool, str]]:
    """Key, volume, whether a backup has it, and why, of the disks of a guest."""
    if isinstance(machine, Container):
        return [_saved_mount(key, mount) for key, mount in machine.mounts()]
    return [_saved_drive(machine, key, volid) for key, volid in machine.disks(machine.config)]


def _saved_mount(key: str, mount: dict[str, Any]) -> tuple[str, str, bool, str]:
    volid: str = mount["volume"]
    if key == "rootfs":
        return key, volid, True, "rootfs"
    if volid.startswith("/"):
        return key, volid, False, "not a volume"
    saved = bool(mount.get("backup"))
    return key, volid, saved, "enabled" if saved else "disabled"


def _saved_drive(machine: Machine, key: str, volid: str) -> tuple[str, str, bool, str]:
    if key.startswith("efidisk") and machine.config.get("bios") != "ovmf":
        return key, volid, False, "efidisk but no OVMF BIOS"
    text = f",{machine.config[key]},"
    said = ",backup=" in text
    return key, volid, ",backup=0," not in text, f"backup={'no' if said else 'yes'}"
