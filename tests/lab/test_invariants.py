"""Whatever is called in whatever order: what the lab keeps fits together afterwards.

Calls that Proxmox VE refuses are part of the sequences; they too leave everything in order.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lab.guests.drives import is_drive, parse_drive
from lab.sdn.files import VNETS, ZONES
from lab.store import Store
from tests.lab.conftest import MEMORY
from tests.lab.direct import Api, RefusedError

VMIDS = st.sampled_from(["100", "101", "102", "103"])
NODES = st.sampled_from(["pve1", "pve2"])
STORAGES = st.sampled_from(["local", "pool", "thin"])
SLOTS = st.sampled_from(["scsi0", "scsi1", "virtio0"])
POOLS = st.sampled_from(["p", "p/q", "r"])
USERS = st.sampled_from(["u@pve", "v@pve"])
GROUPS = st.sampled_from(["g", "h"])
SNAPSHOTS = st.sampled_from(["one", "two"])
ZONE_NAMES = st.sampled_from(["za", "zb"])


class AnyCalls(RuleBasedStateMachine):
    """Sequences of calls of a lab, without a server."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.api = Api(Path(self._folder.name))

    def teardown(self) -> None:
        self.api.lab.store.close()
        self._folder.cleanup()

    def call(self, method: str, path: str, /, **params: str) -> None:
        with suppress(RefusedError):
            self.api.ask(method, path, **params)

    @rule(vmid=VMIDS, node=NODES, storage=STORAGES, slot=SLOTS)
    def create(self, vmid: str, node: str, storage: str, slot: str) -> None:
        disks = {slot: f"{storage}:1", "ide2": f"{storage}:cloudinit"}
        self.call("POST", f"nodes/{node}/qemu", vmid=vmid, **disks)

    @rule(vmid=VMIDS, node=NODES, storage=STORAGES, slot=SLOTS)
    def add_disk(self, vmid: str, node: str, storage: str, slot: str) -> None:
        self.call("PUT", f"nodes/{node}/qemu/{vmid}/config", **{slot: f"{storage}:2"})

    @rule(vmid=VMIDS, node=NODES, slot=SLOTS, unused=st.booleans())
    def drop_disk(self, vmid: str, node: str, slot: str, unused: bool) -> None:
        gone = "unused0" if unused else slot
        self.call("PUT", f"nodes/{node}/qemu/{vmid}/config", delete=gone)

    @rule(vmid=VMIDS, new=VMIDS, node=NODES, full=st.sampled_from("01"), pool=POOLS)
    def clone(self, vmid: str, new: str, node: str, full: str, pool: str) -> None:
        place = f"nodes/{node}/qemu/{vmid}/clone"
        self.call("POST", place, newid=new, full=full, pool=pool)

    @rule(vmid=VMIDS, node=NODES, verb=st.sampled_from(["template", "status/start", "status/stop"]))
    def turn(self, vmid: str, node: str, verb: str) -> None:
        self.call("POST", f"nodes/{node}/qemu/{vmid}/{verb}")

    @rule(vmid=VMIDS, node=NODES, to=NODES)
    def migrate(self, vmid: str, node: str, to: str) -> None:
        place = f"nodes/{node}/qemu/{vmid}/migrate"
        self.call("POST", place, target=to, online="1", **{"with-local-disks": "1"})

    @rule(vmid=VMIDS, node=NODES, slot=SLOTS, storage=STORAGES, delete=st.sampled_from("01"))
    def move_disk(self, vmid: str, node: str, slot: str, storage: str, delete: str) -> None:
        place = f"nodes/{node}/qemu/{vmid}/move_disk"
        self.call("POST", place, disk=slot, storage=storage, delete=delete)

    @rule(vmid=VMIDS, heir=VMIDS, node=NODES, slot=SLOTS, other=SLOTS)
    def give_disk(self, vmid: str, heir: str, node: str, slot: str, other: str) -> None:
        place = f"nodes/{node}/qemu/{vmid}/move_disk"
        self.call("POST", place, disk=slot, **{"target-vmid": heir, "target-disk": other})

    @rule(vmid=VMIDS, node=NODES, name=SNAPSHOTS, verb=st.sampled_from(["POST", "DELETE"]))
    def snapshot(self, vmid: str, node: str, name: str, verb: str) -> None:
        place = f"nodes/{node}/qemu/{vmid}/snapshot"
        if verb == "POST":
            self.call(verb, place, snapname=name)
        else:
            self.call(verb, f"{place}/{name}")

    @rule(vmid=VMIDS, node=NODES, name=SNAPSHOTS)
    def roll_back(self, vmid: str, node: str, name: str) -> None:
        self.call("POST", f"nodes/{node}/qemu/{vmid}/snapshot/{name}/rollback")

    @rule(vmid=VMIDS, node=NODES, purge=st.sampled_from("01"))
    def destroy(self, vmid: str, node: str, purge: str) -> None:
        self.call("DELETE", f"nodes/{node}/qemu/{vmid}", purge=purge)

    @rule(pool=POOLS, verb=st.sampled_from(["POST", "DELETE"]))
    def pool(self, pool: str, verb: str) -> None:
        self.call(verb, "pools", poolid=pool)

    @rule(pool=POOLS, vmid=VMIDS, delete=st.sampled_from("01"), move=st.sampled_from("01"))
    def member(self, pool: str, vmid: str, delete: str, move: str) -> None:
        self.call("PUT", "pools", poolid=pool, vms=vmid, delete=delete, **{"allow-move": move})

    @rule(user=USERS, group=GROUPS, verb=st.sampled_from(["POST", "DELETE"]))
    def account(self, user: str, group: str, verb: str) -> None:
        if verb == "POST":
            self.call(verb, "access/groups", groupid=group)
            self.call(verb, "access/users", userid=user, groups=group)
        else:
            self.call(verb, f"access/users/{user}")
            self.call(verb, f"access/groups/{group}")

    @rule(user=USERS, group=GROUPS, vmid=VMIDS, delete=st.sampled_from("01"))
    def entry(self, user: str, group: str, vmid: str, delete: str) -> None:
        self.call("POST", f"access/users/{user}/token/t")
        holders = {"users": user, "groups": group, "tokens": f"{user}!t"}
        given = {"path": f"/vms/{vmid}", "roles": "PVEVMUser", "delete": delete}
        self.call("PUT", "access/acl", **given, **holders)

    @rule(zone=ZONE_NAMES, verb=st.sampled_from(["POST", "DELETE"]), apply=st.booleans())
    def network(self, zone: str, verb: str, apply: bool) -> None:
        if verb == "POST":
            self.call(verb, "cluster/sdn/zones", zone=zone, type="simple")
            self.call(verb, "cluster/sdn/vnets", vnet=f"n{zone}", zone=zone)
        else:
            self.call(verb, f"cluster/sdn/zones/{zone}")
            self.call(verb, f"cluster/sdn/vnets/n{zone}")
        if apply:
            self.call("PUT", "cluster/sdn")

    @invariant()
    def everything_fits(self) -> None:
        store = self.api.lab.store
        faults = [*_guests(store), *_volumes(store), *_rights(store), *_rest(self.api)]
        assert faults == []


def _guests(store: Store) -> Iterator[str]:
    for vmid, row in store.items("qemu"):
        if store.get("lxc", vmid):
            yield f"{vmid} is of two kinds"
        if row["config"].get("lock"):
            yield f"{vmid} stays locked"
        for config in (row["config"], row["pending"], *row["snapshots"].values()):
            for key in filter(is_drive, config):
                volume = parse_drive(key, config[key])["file"]
                if ":" in volume and _find(store, volume, row["node"]) is None:
                    yield f"{vmid} has {key} {volume}, which is not there"
        parents = {config.get("parent") for config in (row["config"], *row["snapshots"].values())}
        if not parents <= {None, *row["snapshots"]}:
            yield f"{vmid} has a state that follows from one that is gone"


def _find(store: Store, volume: str, node: str) -> Any:
    return store.get("volume", volume) or store.get("volume", f"{node}/{volume}")


def _volumes(store: Store) -> Iterator[str]:
    for key, row in store.items("volume"):
        guest = store.get("qemu", str(row["vmid"])) if row.get("vmid") else {}
        if guest is None:
            yield f"{key} is left of a guest that is gone"
        if row.get("base") and not (
            store.get("volume", row["base"]) or _find(store, row["base"], row["node"] or "")
        ):
            yield f"{key} is a clone of nothing"


def _rights(store: Store) -> Iterator[str]:
    users = {name for name, _ in store.items("user")}
    groups = {name for name, _ in store.items("group")}
    tokens = {name for name, _ in store.items("token")}
    known = {"user": users, "group": groups, "token": tokens}
    for key, entry in store.items("acl"):
        if entry["ugid"] not in known[entry["type"]]:
            yield f"{key} is for nobody"
    for name, group in store.items("group"):
        if not set(group["users"]) <= users:
            yield f"{name} has a member that is gone"
    for name in tokens:
        if name.partition("!")[0] not in users:
            yield f"{name} is nobody's"


def _rest(api: Api) -> Iterator[str]:
    store = api.lab.store
    members = [vmid for _, pool in store.items("pool") for vmid in pool["vms"]]
    if len(members) != len(set(members)):
        yield "a guest is in two pools"
    for name, _ in store.items("pool"):
        parent = name.rpartition("/")[0]
        if parent and store.get("pool", parent) is None:
            yield f"{name} is below a pool that is gone"
    for state in ("read", "running"):
        zones = getattr(ZONES, state)(store)
        for name, vnet in getattr(VNETS, state)(store).items():
            if vnet["zone"] not in zones:
                yield f"{name} is in a zone that is gone"
    if any(api.lab.tasks.running(task["upid"]) for task in api.lab.tasks.list()):
        yield "a task did not end"


TestAnyCalls = AnyCalls.TestCase
TestAnyCalls.settings = settings(
    max_examples=2_000 if os.environ.get("PRACTICUM_SWEEP") else 60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
