"""Notes of backups, made from a template such as `{{guestname}} on {{node}}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.errors import bad_parameter

if TYPE_CHECKING:
    from lab.machine import Machine

_ESCAPE = re.compile(r"\\(.)")
_VARIABLE = re.compile(r"\{\{([^\s{}]+)\}\}")
_KNOWN = ("cluster", "guestname", "node", "vmid")


def check_notes(template: str) -> None:
    """400 for a line feed, an unknown escape or an unknown variable."""
    if "\n" in template:
        raise bad_parameter("notes-template", "contains a line feed\n")
    wrong = [
        f"escape sequence '\\{found[1]}' at char {found.start()}"
        for found in _ESCAPE.finditer(template)
        if found[1] not in "n\\"
    ]
    wrong += [
        f"variable '{found[1]}' at char {found.end() - len(found[1])}"
        for found in _VARIABLE.finditer(template)
        if found[1] not in _KNOWN
    ]
    if wrong:
        raise bad_parameter("notes-template", f"found unknown: {', '.join(wrong)}\n")


def fill_notes(template: str, machine: Machine) -> str:
    """The notes of a guest's backup."""
    config, vmid = machine.config, machine.vmid
    name = config.get("hostname" if machine.KIND == "lxc" else "name", f"VM {vmid}")
    values = {
        "cluster": machine.lab.cluster,
        "guestname": str(name),
        "node": machine.node,
        "vmid": str(vmid),
    }
    text = _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], template)
    return _VARIABLE.sub(lambda found: values[found[1]], text)
