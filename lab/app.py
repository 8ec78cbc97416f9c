"""The lab as one object: its store, tasks, locks and engine, and what the sections share."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.auth import Authority
from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure
from lab.faults.book import Faults
from lab.faults.passage import Travellers
from lab.faults.work import TaskGate
from lab.guests.record import from_row
from lab.ha.config import forget_guest
from lab.ha.manager import Manager
from lab.locks import Hold, Locks
from lab.realistic import Limits, Workers
from lab.rights import Rights
from lab.routes import Endpoint, Handler, Routes, handlers
from lab.spec import load_methods
from lab.storage.definitions import is_shared
from lab.store import Store
from lab.tasks import Tasks
from lab.terminals import Terminals

if TYPE_CHECKING:
    from lab.engines.base import Engine
    from lab.network.guard import LabNetwork

HANDLER_MODULES = (
    "lab.named_formats",
    "lab.sections.cluster",
    "lab.sections.options",
    "lab.sections.resources",
    "lab.sections.nodes",
    "lab.sections.bulk",
    "lab.sections.ceph",
    "lab.sections.node_settings",
    "lab.sections.network",
    "lab.sections.tasks",
    "lab.sections.access",
    "lab.sections.users",
    "lab.sections.tokens",
    "lab.sections.acl",
    "lab.sections.pools",
    "lab.sections.firewall",
    "lab.sections.firewall_sets",
    "lab.sections.firewall_log",
    "lab.sections.backup",
    "lab.sections.storage_config",
    "lab.sections.realms",
    "lab.sections.replication",
    "lab.sections.mappings",
    "lab.sections.metrics",
    "lab.sections.repositories",
    "lab.sections.certificates",
    "lab.sections.acme",
    "lab.sections.ha_resources",
    "lab.sections.ha_rules",
    "lab.sections.ha_status",
    "lab.sections.sdn",
    "lab.sections.sdn_fabrics",
    "lab.sections.sdn_zones",
    "lab.sections.sdn_vnets",
    "lab.sections.sdn_firewall",
    "lab.sections.sdn_subnets",
    "lab.sections.sdn_controllers",
    "lab.sections.sdn_services",
    "lab.sections.sdn_addresses",
    "lab.guests",
    "lab.lxc",
    "lab.consoles",
    "lab.vzdump",
    "lab.storage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a lab runs.

    - `state`: folder of everything that is kept
    - `auth_delay_s`: how long refused credentials wait for their answer (Proxmox VE: 3 s)
    - `task_grace_s`: how long an answer waits for its task to end
    - `limits`: how the cluster waits for locks, workers and lost hosts
    - `ha_round_s`: how long the HA manager waits before each of its rounds (Proxmox VE: 10 s)
    """

    state: Path
    auth_delay_s: float = 3.0
    task_grace_s: float = 0.05
    ha_round_s: float = 1.0
    limits: Limits = field(default_factory=Limits)


class Lab:
    """One simulated cluster; every `Call` carries it."""

    def __init__(self, settings: Settings, store: Store, engine: Engine | None = None) -> None:
        self.settings = settings
        self.store = store
        self.limits = settings.limits
        self.faults = Faults(self)
        self.travellers = Travellers(self)
        grace_s = self.limits.scaled(settings.task_grace_s)
        self.tasks = Tasks(store, grace_s, TaskGate(self))
        self.locks = Locks(self.limits, lambda vmid: store.get("lxc", vmid) is not None)
        self.workers = Workers(self.limits)
        self.terminals = Terminals()
        self.authority = Authority(store, settings.state)
        self.rights = Rights(store)
        self.engine = engine
        self.network: LabNetwork | None = None  # of an engine whose guests have one
        self.ha = Manager(self)
        self.started = time.time()
        # name -> (what it was made from, what was made)
        self.cache: dict[str, tuple[Any, Any]] = {}

    async def open(self) -> None:
        """Bring the status of guests in line with what the engine still runs after a restart."""
        marked = [
            guest
            for vmid, row in self.store.items("qemu")
            if (guest := from_row(self, vmid, row)).running
        ]
        alive = await engine_of(self).reconcile(marked)
        for guest in marked:
            if guest.vmid not in alive:
                guest.status = guest.qmp = "stopped"
                guest.save()
        self.store.commit()
        self.ha.wake()

    async def close(self) -> None:
        """End faults and tasks, and close the store."""
        self.faults.clear()
        await self.ha.close()
        await self.tasks.close()
        await engine_of(self).close()
        if self.network is not None:
            await self.network.close()
        self.store.close()

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        found = self.store.get("option", "cluster")
        return str(found["name"]) if found else "lab"

    def nodes(self) -> list[dict[str, Any]]:
        """All hosts in the order of the seed: name, cores, memoryMib, address."""
        return [node for _, node in self.store.items("node")]

    def node(self, name: str) -> dict[str, Any]:
        """A host; 500 with the text of a failed name look-up when there is none of that name."""
        found = self.store.get("node", name)
        if found is None:
            raise failure(
                f"hostname lookup '{name}' failed - failed to get address info for: "
                f"{name}: Name or service not known"
            )
        return found

    def resolve(self, name: str) -> str:
        """The name of the host that a path means: `localhost` is the one that was called; 500 for
        a host that does not exist."""
        return self.local if name == "localhost" else str(self.node(name)["name"])

    @property
    def local(self) -> str:
        """The host that answers: the first one that is not lost."""
        names = [name for name, _ in self.store.items("node")]
        return next((name for name in names if not self.faults.offline(name)), names[0])

    def shared(self, storage: str) -> bool:
        """Whether all hosts see the same volumes of a storage."""
        config = self.store.get("storage", storage)
        return config is not None and is_shared(config)

    def storage_lock(self, storage: str, node: str) -> Hold:
        """The lock under which volumes of a storage are made from a host: the host's, or the
        cluster's when the storage is shared."""
        return self.locks.storage(storage, None if self.shared(storage) else node)

    def pools_of(self, vmid: int | str) -> list[str]:
        """The pools a guest is in (none or one)."""
        return [name for name, pool in self.store.items("pool") if int(vmid) in pool["vms"]]

    def pool_add(self, pool: str, vmid: int | str) -> None:
        """Make a guest a member of a pool; 500 when there is no such pool."""
        found = self.store.get("pool", pool)
        if found is None:
            raise failure(f"pool '{pool}' does not exist")
        if int(vmid) not in found["vms"]:
            self.store.put("pool", pool, {**found, "vms": [*found["vms"], int(vmid)]})

    def pool_remove(self, vmid: int | str) -> None:
        """Take a guest out of its pool."""
        for name in self.pools_of(vmid):
            found = self.store.get("pool", name) or {}
            kept = [member for member in found["vms"] if member != int(vmid)]
            self.store.put("pool", name, {**found, "vms": kept})

    def firewall_copy(self, source: int | str, target: int | str) -> None:
        """Give a clone the firewall settings of its source."""
        found = self.store.get("firewall", f"vm/{source}")
        if found is not None:
            self.store.put("firewall", f"vm/{target}", found)

    def on_guest_gone(self, vmid: int | str, purge: bool) -> None:
        """Drop what belonged to a destroyed guest: rights, firewall, pool place; and with
        `purge` its place in backup jobs."""
        path = f"/vms/{vmid}"
        for key, entry in self.store.items("acl"):
            if entry["path"] == path:
                self.store.delete("acl", key)
        self.store.delete("firewall", f"vm/{vmid}")
        self.pool_remove(vmid)
        if purge:
            self._purge_from_jobs(str(vmid))
            forget_guest(self.store, vmid)

    def _purge_from_jobs(self, vmid: str) -> None:
        """Shorten the lists of backup jobs; a job that saved only this guest goes with it."""
        for key, job in self.store.items("backupjob"):
            listed = [m for m in str(job.get("vmid", "")).split(",") if m]
            rest = [member for member in listed if member != vmid]
            if listed and not rest:
                self.store.delete("backupjob", key)
            elif rest != listed:
                self.store.put("backupjob", key, {**job, "vmid": ",".join(rest)})


def make_routes() -> Routes:
    """The tree of all handlers with their descriptions, and of all folders.

    A handler without a description is a bug; a description without a handler is answered 501.
    """
    for module in HANDLER_MODULES:
        importlib.import_module(module)
    routes, methods = Routes(), load_methods()
    known = handlers()
    for key in sorted(known.keys() - methods.keys()):
        raise ValueError(f"{key[0]} {key[1]} has a handler and no description")
    for key, spec in methods.items():
        handler = list_folder(spec.index) if spec.index else known.get(key)
        if handler is not None:
            routes.add(Endpoint(method=key[0], pattern=key[1], spec=spec, handler=handler))
    return routes


def list_folder(index: tuple[str, tuple[str, ...]]) -> Handler:
    """The handler of a folder: its fixed entries, one object each."""
    key, names = index

    async def listed(_call: Call) -> list[dict[str, str]]:
        return [{key: name} for name in names]

    return listed
