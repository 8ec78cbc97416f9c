"""Change a container's configuration: checks, what waits for a restart, what takes effect."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import ApiError, bad_parameter, bad_parameters, failure, late_text
from lab.formats import split_list
from lab.guests import drives, replicated
from lab.lxc import mounts
from lab.lxc.options import (
    Permissions,
    check_card,
    check_cards,
    check_script,
    complete_net,
    given_options,
    is_net,
    option_exists,
    stored,
)
from lab.lxc.record import Container, load
from lab.routes import handles
from lab.storage.volumes import volumes

LXC = "/nodes/{node}/lxc/{vmid}"
# A running container takes these over at once.
_IMMEDIATE = frozenset({"description", "onboot", "startup", "protection", "hostname", "hookscript",
                        "cores", "tags", "lock"})  # fmt: skip
_LIVE = frozenset({"cpulimit", "cpuunits", "memory", "swap"})
_REQUIRED = frozenset({"memory", "rootfs", "ostype"})


@handles("PUT", f"{LXC}/config")
async def update_config(call: Call) -> None:
    """Change options at once; what a running container cannot take over waits."""
    params = call.params
    given = {key for key in params if key not in ("node", "vmid", "digest")}
    if not given:
        raise failure("no options specified")
    values = given_options(call)
    deleted, reverted = split_list(params.get("delete", "")), split_list(params.get("revert", ""))
    async with call.lab.locks.guest(params["vmid"]):
        container = load(call.lab, params["vmid"], params["node"])
        container.check_lock()
        container.check_digest(params.get("digest"))
        permissions = Permissions(call, container)
        permissions.check({}, [*deleted, *reverted])
        _check_names(values, deleted, reverted)
        permissions.check(values, [])
        for key in mounts.in_order(filter(mounts.is_mount, values)):
            mount = mounts.parse_mount(key, values[key])
            replicated.check_mount(call.lab, container.vmid, mount)
        errors = change(container, values, deleted, reverted)
        if errors:
            raise bad_parameters(errors)
        container.save()
        check_cards(container)  # the change is kept all the same


def _check_names(values: dict[str, Any], deleted: list[str], reverted: list[str]) -> None:
    for name in reverted:
        if not option_exists(name):
            raise bad_parameter("revert", f"unknown option '{name}'")
        if name in values:
            text = f"you can't use '-{name}' and '-revert {name}' at the same time"
            raise bad_parameter("revert", text)
    for name in deleted:
        if not option_exists(name):
            raise bad_parameter("delete", f"unknown option '{name}'")
        if name in values:
            text = f"you can't use '-{name}' and -delete {name}' at the same time"
            raise bad_parameter("delete", text)
        if name in reverted:
            text = f"you can't use '-delete {name}' and '-revert {name}' at the same time"
            raise bad_parameter("delete", text)


def change(
    container: Container, values: dict[str, Any], deleted: list[str], reverted: list[str]
) -> dict[str, str]:
    """Put a change into a container's copy; faults by option, with which nothing is to be kept."""
    for key in reverted:
        container.pending.pop(key, None)
        container.pending_delete.pop(key, None)
    for key in deleted:
        if key in container.config or key in container.pending:
            _delete(container, key)
    for key in sorted(values):
        container.pending[key] = _checked(container, key, values[key])
        container.pending_delete.pop(key, None)
    _clean(container)
    wanted = {*values, *(key for key in deleted if key in container.pending_delete)}
    return _plug(container, wanted) if container.running else apply(container, wanted)


def _delete(container: Container, key: str) -> None:
    if key in _REQUIRED:
        raise failure(f"unable to delete required option '{key}'")
    if key == "unprivileged":
        raise failure(f"unable to delete read-only option: '{key}'")
    if mounts.is_mount(key) or mounts.is_unused(key):
        container.check_protection(f"can't remove CT {container.vmid} drive '{key}'")
    container.pending.pop(key, None)
    container.pending_delete[key] = 0


def _checked(container: Container, key: str, value: Any) -> Any:
    if mounts.is_mount(key):
        container.check_protection(f"can't update CT {container.vmid} drive '{key}'")
        mount = mounts.parse_mount(key, value)
        if mounts.is_volume(mount):
            mounts.check_content(container, mount)
        return value
    if key == "unprivileged":
        raise failure(f"unable to modify read-only option: '{key}'")
    if key == "hookscript":
        check_script(container, value)
    if is_net(key):
        check_card(container, key, value, bridge_first=False)
    return stored(container.lab, key, value)


def _clean(container: Container) -> None:
    """Forget pending values that are in force, and removals of what is not there."""
    for key, value in list(container.pending.items()):
        if container.config.get(key) == value:
            del container.pending[key]
    for key in list(container.pending_delete):
        if key not in container.config:
            del container.pending_delete[key]


def apply(container: Container, wanted: set[str] | None = None) -> dict[str, str]:
    """Take over what is pending, all of it or some, of a container that is off."""
    errors: dict[str, str] = {}
    for key in sorted(container.pending_delete):
        if wanted is None or key in wanted:
            try:
                _release(container, key)
            except ApiError as error:
                errors[key] = f"unable to apply pending change {key} : {late_text(error)}\n"
                continue
            container.config.pop(key, None)
            del container.pending_delete[key]
    _clean(container)
    for key in sorted(container.pending):
        if wanted is None or key in wanted:
            try:
                value = _applied(container, key, container.pending[key])
            except ApiError as error:
                errors[key] = f"unable to apply pending change {key} : {late_text(error)}\n"
                continue
            container.config[key] = value
            del container.pending[key]
    return errors


def _release(container: Container, key: str) -> None:
    """What the removal of an option does to its volume."""
    value = container.config[key]
    if mounts.is_unused(key):
        if not mounts.in_use(container, value):
            mounts.free(container, value)
    elif key.startswith("mp"):
        mount = mounts.parse_mount(key, value)
        if mounts.is_volume(mount):
            drives.add_unused(container.config, mount["volume"])


def _applied(container: Container, key: str, value: Any) -> Any:
    """The value of an option as it is kept, its volume made when it asks for one."""
    if is_net(key):
        return complete_net(container.lab, value)
    if not key.startswith("mp"):
        return value
    mount = mounts.parse_mount(key, value)
    if mounts.is_volume(mount):
        if mounts.NEW_VOLUME.fullmatch(mount["volume"]):
            value = mounts.create(container, {key: value}, filled=False)[key]
        else:
            row = volumes(container.lab).require(mount["volume"], container.node)
            value = mounts.print_mount(key, mount | {"size": row["size"]})
    if key in container.config:
        old = mounts.parse_mount(key, container.config[key])
        new = mounts.parse_mount(key, value)
        if mounts.is_volume(old) and old["volume"] != new["volume"]:
            drives.add_unused(container.config, old["volume"])
    return value


def _plug(container: Container, wanted: set[str]) -> dict[str, str]:
    """Take over what a running container can; the rest waits."""
    errors: dict[str, str] = {}
    for key in sorted(wanted & container.pending_delete.keys()):
        live = key in _IMMEDIATE or key in ("swap", "cpulimit", "cpuunits") or is_net(key)
        if live or mounts.is_unused(key):
            if mounts.is_unused(key):
                _release(container, key)
            container.config.pop(key, None)
            del container.pending_delete[key]
    for key in sorted(wanted & container.pending.keys()):
        new_mount = key.startswith("mp") and key not in container.config
        if key in _IMMEDIATE or key in _LIVE or is_net(key) or new_mount:
            try:
                value = _applied(container, key, container.pending[key])
            except ApiError as error:
                errors[key] = f"unable to hotplug {key}: {late_text(error)}\n"
                continue
            container.config[key] = value
            del container.pending[key]
    return errors
