"""What Proxmox VE asks of single options of a virtual machine when they are changed."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure, forbidden
from lab.formats import parse_property_string, split_list
from lab.guests import drives
from lab.guests.rights import require
from lab.storage import names
from lab.storage.definitions import storage_config
from lab.storage.volumes import volumes

_WITH_CLIPBOARD = ("std", "cirrus", "vmware", "virtio", "qxl")
_WIDTHS = (39, 48)


def check_hook_script(call: Call, volume: str) -> None:
    """400 for a script that is no snippet, or not there."""
    config = storage_config(call.lab, volume.partition(":")[0])
    name = names.parse_name(config["type"], volume.partition(":")[2])
    if name.content != "snippets":
        raise bad_parameter("hookscript", f"'{volume}' is not in the snippets directory\n")
    if volumes(call.lab).get(volume, call.params["node"]) is None:
        raise bad_parameter("hookscript", f"script '{volume}' does not exist\n")


def check_display(text: str) -> None:
    """500 for a clipboard on a display that has none."""
    vga = parse_property_string("pve-qm-vga", text)
    kind = vga.get("type")
    if vga.get("clipboard") == "vnc" and kind and not kind.startswith(_WITH_CLIPBOARD):
        raise failure(f"vga type {kind} is not compatible with VNC clipboard")


def check_machine(text: str) -> None:
    """500 for an IOMMU that the machine cannot have."""
    machine = parse_property_string("pve-qemu-machine-fmt", text)
    width = machine.get("aw-bits")
    if machine.get("viommu") == "intel":
        if "q35" not in machine.get("type", ""):
            raise failure("to use Intel vIOMMU please set the machine type to q35")
        if width and width not in _WIDTHS:
            raise failure("Intel vIOMMU supports only 39 or 48 bits as address width")
    if width and not machine.get("viommu"):
        raise failure("cannot set aw-bits if no vIOMMU is configured")


def check_tpm_state(old: str | None, new: str) -> None:
    """500 for another version on the same volume."""
    if old is None:
        return
    before, after = (drives.parse_drive("tpmstate0", text) for text in (old, new))
    versions = [drive.get("version", "v1.2") for drive in (before, after)]
    if before["file"] == after["file"] and versions[0] != versions[1]:
        raise failure("cannot change TPM state version after creation")


def check_tags(call: Call, old: str, new: str) -> None:
    """403 for who may not change options, and for a tag that only those who may modify the
    cluster set or take. The pool that a new guest is to be in does not count yet."""
    require(call, int(call.params["vmid"]), None, "VM.Config.Options")
    if call.lab.rights.has(call.user, "/", ["Sys.Modify"]):
        return
    before, after = split_list(old), split_list(new)
    options: dict[str, Any] = call.lab.store.get("option", "datacenter") or {}
    registered = split_list(options.get("registered-tags", ""))
    access = parse_property_string("datacenter-user-tag-access", options.get("user-tag-access", ""))
    how = access.get("user-allow", "free")
    allowed = set() if how == "none" else set(split_list(access.get("user-allow-list", "")))
    if how == "existing":
        allowed |= _in_use(call)
    for tag in dict.fromkeys([*before, *after]):
        changed = before.count(tag) != after.count(tag)
        if changed and ((tag not in allowed and how != "free") or tag in registered):
            raise forbidden(f"/, Sys.Modify for modifying tag '{tag}'")


def _in_use(call: Call) -> set[str]:
    found: set[str] = set()
    for kind in ("qemu", "lxc"):
        for vmid, guest in call.lab.store.items(kind):
            if call.lab.rights.has(call.user, f"/vms/{vmid}", ["VM.Audit"]):
                found |= set(split_list(guest["config"].get("tags", "")))
    return found
