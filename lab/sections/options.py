"""Options of the whole cluster: the datacenter's console, migration, tags and the like."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.formats import parse_property_string, split_list
from lab.routes import handles
from lab.section_file import as_comments
from lab.spec import load_formats

KEY = "datacenter"
DEFAULT_MAC_PREFIX = "BC:24:11"
# These come back as objects, with texts inside where they are texts in the file.
_OBJECTS = {
    "crs": "datacenter-crs",
    "ha": "datacenter-ha",
    "migration": "datacenter-migration",
    "next-id": "datacenter-next-id",
    "notify": "datacenter-notify",
    "replication": "datacenter-replication",
    "tag-style": "datacenter-tag-style",
    "u2f": "datacenter-u2f",
    "user-tag-access": "datacenter-user-tag-access",
    "webauthn": "datacenter-webauthn",
}
_FIRST_VMID, _END_OF_VMIDS = 100, 1_000_000
_OPEN_TO_ALL = ("console", "tag-style", "allowed-tags")


def options(call: Call) -> dict[str, Any]:
    """The options that are set, as texts."""
    return call.lab.store.get("option", KEY) or {}


@handles("GET", "/cluster/options")
async def read_options(call: Call) -> Any:
    """All options for those who may audit the cluster, a few for everybody."""
    shown = {name: _shown(name, value) for name, value in options(call).items()}
    shown["allowed-tags"] = _allowed_tags(call, shown)
    if not call.lab.rights.has(call.user, "/", ["Sys.Audit"]):
        return {name: shown[name] for name in _OPEN_TO_ALL if name in shown}
    shown.setdefault("mac_prefix", DEFAULT_MAC_PREFIX)
    shown.setdefault("description", "")
    return shown


def _shown(name: str, value: Any) -> Any:
    if name == "registered-tags":
        return split_list(value)
    if name == "migration_unsecure":
        return int(value)
    if name not in _OBJECTS or not value:
        return value
    found = parse_property_string(_OBJECTS[name], value)
    if name == "user-tag-access" and "user-allow-list" in found:
        found["user-allow-list"] = sorted(set(split_list(found["user-allow-list"])))
    numbers = load_formats()[_OBJECTS[name]].properties
    return {
        key: str(part) if numbers[key].type in ("integer", "number") else part
        for key, part in found.items()
    }


def _allowed_tags(call: Call, shown: dict[str, Any]) -> list[str]:
    """Tags that a user may set: registered ones, allowed ones, and those in use."""
    tags = set(shown.get("registered-tags", ()))
    access = shown.get("user-tag-access", {})
    allow = access.get("user-allow", "free")
    if allow in ("list", "existing", "free"):
        tags |= set(access.get("user-allow-list", ()))
    if allow in ("existing", "free"):
        for kind in ("qemu", "lxc"):
            for vmid, guest in call.lab.store.items(kind):
                if call.lab.rights.has(call.user, f"/vms/{vmid}", ["VM.Audit"]):
                    tags |= set(split_list(guest["config"].get("tags", "")))
    return sorted(tags)


@handles("PUT", "/cluster/options")
async def change_options(call: Call) -> Any:
    """Set and delete options; an unknown name to delete is no error."""
    values = dict(call.params)
    gone = split_list(values.pop("delete", ""))
    _check_bounds(values.get("next-id", ""))
    kept = options(call) | {name: _stored(name, value) for name, value in values.items()}
    left = {name: value for name, value in kept.items() if name not in gone}
    call.lab.store.put("option", KEY, _renewed(left))


def _renewed(kept: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing; an old switch becomes the option that took its place."""
    found = {name: value for name, value in kept.items() if name != "crs" or value}
    if found.get("mac_prefix", "").upper() == DEFAULT_MAC_PREFIX:
        del found["mac_prefix"]
    if "migration_unsecure" in found and "migration" not in found:
        found["migration"] = "insecure" if int(found.pop("migration_unsecure")) else "secure"
    return found


def _check_bounds(text: str) -> None:
    bounds = parse_property_string("datacenter-next-id", text)
    lower, upper = bounds.get("lower", _FIRST_VMID), bounds.get("upper", _END_OF_VMIDS)
    if lower > upper:
        # The relation that is broken is written as it was found, not as it should be.
        raise failure(f"lower ({lower}) <= upper ({upper}) boundary rule broken")


def _stored(name: str, value: Any) -> Any:
    if name == "description":
        return as_comments(value)
    if name == "console" and value == "applet":
        return "html5"
    if name == "registered-tags":
        return ";".join(sorted(split_list(value)))
    return str(value)
