"""Clone a container (linked or full)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import ApiError, TaskError, failure, late_text
from lab.guests.clone import check_target
from lab.guests.create import check_pool
from lab.guests.rights import require_allocate
from lab.lxc import mounts
from lab.lxc.options import is_net, require_bridge, with_new_address
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.machine import check_unused
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.features import has_feature
from lab.storage.rights import require_space
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

_NOT_COPIED = frozenset({"parent", "snaptime", "snapstate", "template", "lock"})


@handles("POST", f"{LXC}/clone")
async def clone_container(call: Call) -> str:
    """Copy a container under another number, on this host or, from shared storage, on another."""
    lab, params = call.lab, call.params
    node, vmid, new = params["node"], int(params["vmid"]), int(params["newid"])
    require_allocate(call, new, params.get("pool"))
    check_pool(lab, params.get("pool"))
    target = params.get("target")
    target = None if target in (None, "localhost", node) else str(target)
    if target is not None:
        check_target(lab, target)
    if storage := params.get("storage"):
        _check_storage(call, storage, target)
    async with lab.locks.guest(vmid):
        source = load(lab, vmid, node)
        source.check_lock()
        check_unused(lab, new)
        clone = _Clone(call, source, new, target)
        clone.check()
        source.config["lock"] = "disk"
        source.save()
        clone.take_number()

    async def work(log: TaskLog) -> None:
        log(f"creating a clone of container {vmid} with ID {new}")
        async with lab.locks.guest(new):
            try:
                await clone.run(log)
            finally:
                async with lab.locks.guest(vmid):
                    origin = load(lab, vmid, node)
                    origin.config.pop("lock", None)
                    origin.save()

    return await lab.tasks.start(call, node, "vzclone", str(vmid), work)


def _check_storage(call: Call, storage: str, target: str | None) -> None:
    config = storage_config(call.lab, storage, call.params["node"])
    if target is not None:
        storage_config(call.lab, storage, target)
        if not definitions.is_shared(config):
            raise failure(f"can't clone to non-shared storage '{storage}'")


class _Clone:
    """One clone being made."""

    def __init__(self, call: Call, source: Container, vmid: int, target: str | None) -> None:
        self._call, self._source, self._target = call, source, target
        self._storage: str | None = call.params.get("storage")
        self._name: str | None = call.params.get("snapname")
        self._full = bool(call.params.get("full", not source.template))
        self._rows = volumes(call.lab)
        self._new = Container(lab=call.lab, vmid=vmid, node=source.node)
        self._made: list[str] = []

    def check(self) -> None:
        """Refuse what cannot be cloned; fills in what is copied."""
        if self._storage is not None and not self._full:
            raise failure("parameter 'storage' not allowed for linked clones")
        config = self._source.snapshot(self._name) if self._name else self._source.config
        shared = True
        for key, mount in self._source.mounts(config):
            self._check_mount(key, mount)
            storage = self._storage or names.parse_volume_id(mount["volume"])[0]
            shared &= definitions.is_shared(storage_config(self._call.lab, storage))
            require_space(self._call, storage)
        if self._target is not None and not shared:
            text = f"can't clone CT to node '{self._target}' (CT uses local storage)"
            raise failure(text)
        self._new.config = self._options(config)

    def _check_mount(self, key: str, mount: mounts.Mount) -> None:
        volid = mount["volume"]
        if not mounts.is_volume(mount):
            kind = "device" if volid.startswith("/dev/") else "bind"
            raise failure(f"unable to clone mountpoint '{key}' (type {kind})")
        if not self._full:
            lab = self._call.lab
            if not has_feature(lab, volid, "clone", snapshot=self._name, for_container=True):
                raise failure(f"Linked clone feature for '{volid}' is not available")
        elif self._source.running and not self._name:
            text = "Full clone of a running container is only possible from a snapshot"
            raise failure(text)

    def _options(self, config: dict[str, Any]) -> dict[str, Any]:
        lab, params = self._call.lab, self._call.params
        copied = {
            key: value
            for key, value in config.items()
            if key not in _NOT_COPIED and not mounts.is_unused(key)
        }
        for key in filter(is_net, copied):
            copied[key] = with_new_address(lab, copied[key])
            require_bridge(self._call, copied[key])
        for key in ("hostname", "description"):
            if params.get(key):
                copied[key] = params[key]
        return copied

    def take_number(self) -> None:
        """Note that the number is in use."""
        self._call.lab.firewall_copy(self._source.vmid, self._new.vmid)
        whole, self._new.config = self._new.config, {"lock": "create"}
        self._new.save()
        self._new.config = whole

    async def run(self, log: TaskLog) -> None:
        """Make volumes and configuration; nothing stays when it fails."""
        new, lab = self._new, self._call.lab
        try:
            for key, mount in self._source.mounts(new.config):
                kind = "full clone of mountpoint" if self._full else "linked clone of mount point"
                log(f"create {kind} {key} ({mount['volume']})")
                origin = names.parse_volume_id(mount["volume"])[0]
                async with lab.storage_lock(self._storage or origin, new.node):
                    row = self._volume(mount)
                    self._made.append(row["volid"])
                    if not self._full:
                        await lab.limits.pass_time(lab.limits.clone_s)
                if self._full:
                    await lab.limits.pass_time(lab.limits.clone_s)
                new.config[key] = mounts.print_mount(key, mount | {"volume": row["volid"]})
        except ApiError as error:
            for volid in self._made:
                self._rows.free(volid, new.node)
            lab.store.delete("firewall", f"vm/{new.vmid}")
            new.remove()
            raise TaskError(f"clone failed: {late_text(error)}") from error
        new.node = self._target or new.node
        new.save()
        if pool := self._call.params.get("pool"):
            lab.pool_add(pool, new.vmid)

    def _volume(self, mount: mounts.Mount) -> Row:
        origin = self._rows.require(mount["volume"], self._source.node)
        if self._name:
            origin = {**origin, **origin.get("snapshots", {}).get(self._name, {})}
        if self._full:
            storage = self._storage or origin["storage"]
            return mounts.copy(self._new, mount, origin, storage)
        row = self._rows.link(origin, self._new.node, self._new.vmid)
        return self._rows.update(row, content="rootdir")
