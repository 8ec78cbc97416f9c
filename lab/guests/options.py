"""The options of a guest: which exist, which need text, and which take effect while it runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from lab.call import Call
from lab.errors import ApiError, failure
from lab.guests.drives import is_drive
from lab.spec import Property, load_methods

# Parameters of create and update that steer the call and are no options.
CONTROL = frozenset(
    {
        "node", "vmid", "digest", "delete", "revert", "force", "skiplock", "background_delay",
        "skip_cloud_init", "import-working-storage", "archive", "bwlimit", "ha-managed",
        "live-restore", "pool", "start", "storage", "unique",
    }
)  # fmt: skip
# Kept by Proxmox VE itself; not parameters, but names that `delete` accepts.
INTERNAL = frozenset(
    {"meta", "parent", "runningcpu", "runningmachine", "running-nets-host-mtu", "snaptime",
     "vmstate"}
)  # fmt: skip
# What a saved memory needs to run again, noted beside it.
RUNNING = ("runningmachine", "runningcpu", "running-nets-host-mtu")
CLOUD_INIT = ("citype", "ciuser", "cipassword", "ciupgrade", "cicustom", "searchdomain",
              "nameserver", "sshkeys")  # fmt: skip
# No device and no process changes with these: a running guest takes them over at once.
IMMEDIATE = frozenset(
    {"description", "hookscript", "lock", "migrate_downtime", "migrate_speed", "name", "onboot",
     "protection", "shares", "startup", "tags", "vmstatestorage", *CLOUD_INIT}
)  # fmt: skip
HOTPLUG_DEFAULT = frozenset({"network", "disk", "usb"})
PASSWORD_SHOWN = "**********"  # noqa: S105 - what is shown instead of one
_IPCONFIG = re.compile(r"ipconfig\d+")
# What numbers look like in the file: no signs, no exponents.
_WRITTEN = {
    "integer": re.compile(r"\d+", re.ASCII),
    "number": re.compile(r"\d+(\.\d+)?", re.ASCII),
}


@cache
def option_specs() -> dict[str, Property]:
    """What may be set on a guest, by name."""
    parameters = load_methods()["PUT", "/nodes/{node}/qemu/{vmid}/config"].parameters
    return {name: known for name, known in parameters.items() if name not in CONTROL}


def option_exists(name: str) -> bool:
    """Whether a name is an option of a guest, internal ones included."""
    return name in option_specs() or name in INTERNAL


def given_options(call: Call) -> dict[str, Any]:
    """The options among a call's parameters: integers and flags as numbers, all else as text.

    Fractions stay as they were written: `cpulimit=128` reads back as `"128"`.
    """
    specs = option_specs()
    return {
        name: str(call.raw[name]) if specs[name].type == "number" else value
        for name, value in call.params.items()
        if name in specs
    }


def check_written(name: str, written: str) -> None:
    """500 for a value that Proxmox VE takes from the caller and cannot put into the file."""
    known = option_specs().get(name)
    if known is None or name == "description":
        return
    fault = None
    if "\n" in written or "\r" in written:
        fault = "property contains a line feed"
    elif (form := _WRITTEN.get(known.type)) and not form.fullmatch(written):
        fault = f"type check ('{known.type}') failed - got '{written}'"
    if fault:
        raise failure(f"unable to parse value of '{name}' - {fault}")


def refuse(call: Call, *parameters: str) -> None:
    """501 for parameters whose meaning the lab does not have, when they are set."""
    for name in parameters:
        if call.params.get(name):
            text = f"Method '{call.method} {call.path}' not implemented with parameter '{name}'"
            raise ApiError(501, text)


def is_immediate(name: str) -> bool:
    """Whether a running guest takes the option over without hot-plugging anything."""
    return name in IMMEDIATE or _IPCONFIG.fullmatch(name) is not None


def in_cloud_init_drive(name: str) -> bool:
    """Whether the option is part of what the cloud-init drive tells the guest."""
    return (
        name in CLOUD_INIT
        or name == "name"
        or _IPCONFIG.fullmatch(name) is not None
        or re.fullmatch(r"net\d+", name) is not None
    )


def hotplug_features(config: dict[str, Any]) -> frozenset[str]:
    """What may be plugged while the guest runs."""
    text = str(config.get("hotplug", "1"))
    if text == "1":
        return HOTPLUG_DEFAULT
    return frozenset() if text == "0" else frozenset(re.split(r"[,;\s]+", text))


def plugs_live(name: str) -> bool:
    """Whether a drive sits on a bus that takes devices while the guest runs."""
    return is_drive(name) and name.startswith(("scsi", "virtio"))


def is_windows(ostype: Any) -> bool:
    """Whether an operating system type is one of Windows."""
    return isinstance(ostype, str) and (ostype in ("wxp", "w2k", "w2k3", "w2k8", "wvista")
                                        or ostype.startswith("win"))  # fmt: skip
