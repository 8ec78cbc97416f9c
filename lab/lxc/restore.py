"""Restore a container from a backup, as a new one or over the one that has its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.archives import Contents, require_contents
from lab.errors import ApiError, TaskError, failure, late_text
from lab.lxc import mounts
from lab.lxc.destroy import free_volumes
from lab.lxc.options import is_net, require_bridge, with_new_address
from lab.lxc.record import Container
from lab.lxc.template import convert
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.lxc.create import Request
    from lab.tasks import TaskLog

GIB = 1024**3
_NOT_RESTORED = frozenset(
    {"digest", "rootfs", "snapshots", "unprivileged", "parent", "template", "lock"}
)


def restore(request: Request, container: Container, config: dict[str, Any], log: TaskLog) -> None:
    """Make volumes and configuration; a container that is replaced keeps its own until the new
    volumes are there."""
    before = Container(lab=request.lab, vmid=request.vmid, node=request.node)
    if request.before is not None:
        before.config, before.pending = dict(request.before["config"]), request.before["pending"]
    try:
        contents = _contents(request, log)
        container.config, container.pending, container.pending_delete = dict(config), {}, {}
        container.snapshots = {}
        _check(request, container, contents)
        made = mounts.create(container, _wanted(request, contents), filled=True)
    except ApiError as error:
        _give_up(request, container)
        text = late_text(error)
        raise TaskError(f"{request.words} {text}") from error
    free_volumes(before)
    log(f"restoring '{request.archive}' now..")
    _fill(request, contents, made)
    log("merging backed-up and given configuration..")
    _merge(request, container, contents)
    container.config |= made
    if contents["firewall"] is not None and request.may_configure_firewall():
        request.lab.store.put("firewall", f"vm/{request.vmid}", contents["firewall"])
    container.save()
    if contents["config"].get("template"):
        log("Convert restored container to template...")
        convert(container)


def _contents(request: Request, log: TaskLog) -> Contents:
    request.archive_path()
    log(f"recovering backed-up configuration from '{request.archive}'")
    contents = require_contents(request.lab, request.archive, request.node)
    if contents["kind"] != "lxc":
        raise failure("ERROR: archive contains no configuration file")
    return contents


def _check(request: Request, container: Container, contents: Contents) -> None:
    """Rights that depend on what is in the archive; settles whether it is unprivileged."""
    old, call = contents["config"], request.call
    for key in filter(is_net, old):
        if key not in container.config:
            require_bridge(call, old[key])
    if request.unprivileged is None and old.get("unprivileged"):
        container.config["unprivileged"] = 1
    was = request.before["config"].get("unprivileged") if request.before else True
    if was and not container.config.get("unprivileged") and not call.is_root:
        request.lab.rights.require(call.user, "/", ["Sys.Modify"])


def _wanted(request: Request, contents: Contents) -> dict[str, str]:
    """The mounts that are asked for, or those of the archive on the storage that is."""
    if request.mounts:
        return request.mounts
    wanted = {}
    for key in filter(mounts.is_mount, contents["config"]):
        mount = mounts.parse_mount(key, contents["config"][key])
        if not mounts.is_volume(mount):
            if not request.call.is_root:
                raise failure(f"restoring '{key}' to bind mount is only possible for root")
        elif mount.get("size") is None:
            raise failure(f"unable to detect disk size - please specify {key} (size)")
        else:
            mount["volume"] = f"{request.storage}:{mount.pop('size') / GIB:g}"
        wanted[key] = mounts.print_mount(key, mount)
    if "rootfs" not in wanted:
        text = "rootfs configuration could not be recovered, please check and specify manually!"
        raise failure(text)
    return wanted


def _give_up(request: Request, container: Container) -> None:
    """Leave a container that was to be replaced as it was; a new one goes."""
    if request.before is None:
        container.remove()
        return
    container.lab.store.put(container.KIND, str(container.vmid), request.before)


def _fill(request: Request, contents: Contents, made: dict[str, str]) -> None:
    """Bring the contents of the archive onto the new volumes."""
    rows = volumes(request.lab)
    for key, text in made.items():
        row = rows.get(mounts.parse_mount(key, text)["volume"], request.node)
        if row is not None:
            disk = contents["disks"].get(key, {"used": 0, "filled": False, "origin": None})
            rows.update(row, **{name: disk[name] for name in ("used", "filled", "origin")})


def _merge(request: Request, container: Container, contents: Contents) -> None:
    unique = bool(request.call.params.get("unique"))
    for key, value in contents["config"].items():
        if key in _NOT_RESTORED or mounts.is_mount(key) or mounts.is_unused(key):
            continue
        if key not in container.config:
            new = unique and is_net(key)
            container.config[key] = with_new_address(request.lab, value) if new else value
