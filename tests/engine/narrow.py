"""What the tests of the narrow token share: the calls that need its privileges, and what the lab
says of requests and of a neighbour."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operate.api import Api
from plan.rights import GRANTS
from tests.engine.practice import WRITES, Practice

TOKEN = "practicum-laptop@pve!up"
POOL = "practicum-laptop"
NODE = "nodes/pve02/qemu/200111"
CLONE = "nodes/pve01/qemu/9000/clone"
NET = "virtio=02:00:03:0D:AF:00,bridge=vmbr1,tag=201"
NEW = {"newid": "200112", "name": "c01-n2", "pool": POOL, "full": "0"}
GROUPS = "cluster/firewall/groups"
NUMBERS = itertools.count(900_000_000)
NEIGHBOUR = ("nodes/pve04/qemu/300", "nodes/pve05/qemu/301")


@dataclass(frozen=True)
class Needed:
    """A call that the event's program makes, and that fails without the privilege."""

    method: str
    path: str
    fields: dict[str, str]
    refused: str  # what the reason of the 403 names

    @property
    def pattern(self) -> str:
        """The call as it stands in the log of requests, for whichever guest."""
        return re.sub(r"20\d{4}|pve\d\d", "#", f"{self.method} /{self.path}")


def needed(method: str, path: str, refused: str, /, **fields: str) -> Needed:
    return Needed(method, path, fields, refused)


def config(refused: str, **fields: str) -> Needed:
    return needed("PUT", f"{NODE}/config", f"/vms/200111, {refused}", **fields)


CALLS = {
    ("guests", "Pool.Audit"): needed("GET", "pools", f"/pool/{POOL}, Pool.Audit", poolid=POOL),
    ("guests", "VM.Allocate"): needed("DELETE", NODE, "/vms/200111, VM.Allocate"),
    ("guests", "VM.Audit"): needed("GET", f"{NODE}/config", "/vms/200111, VM.Audit"),
    ("guests", "VM.Config.CDROM"): config("VM.Config.CDROM", ide3="none,media=cdrom"),
    ("guests", "VM.Config.CPU"): config("VM.Config.CPU", cores="1"),
    ("guests", "VM.Config.Cloudinit"): config("VM.Config.Cloudinit", ide2="shared:cloudinit"),
    ("guests", "VM.Config.Disk"): config("VM.Config.Disk", boot="order=scsi0"),
    ("guests", "VM.Config.HWType"): config("VM.Config.HWType", vga="type=serial0"),
    ("guests", "VM.Config.Memory"): config("VM.Config.Memory", memory="512"),
    ("guests", "VM.Config.Network"): config("VM.Config.Network", net0=NET),
    ("guests", "VM.Config.Options"): config("VM.Config.Options", tags="c01;laptop;practicum"),
    ("guests", "VM.Console"): needed("GET", f"{NODE}/firewall/log", "/vms/200111, VM.Console"),
    ("guests", "VM.GuestAgent.Unrestricted"): needed(
        "POST", f"{NODE}/agent/exec", "/vms/200111, VM.GuestAgent.Unrestricted", command="true"
    ),
    ("guests", "VM.Migrate"): needed(
        "POST", f"{NODE}/migrate", "/vms/200111, VM.Migrate", target="pve03"
    ),
    ("guests", "VM.PowerMgmt"): needed("POST", f"{NODE}/status/start", "/vms/200111, VM.PowerMgmt"),
    ("templates", "VM.Audit"): needed("GET", "nodes/pve01/qemu/9000/config", "/vms/9000, VM.Audit"),
    ("templates", "VM.Clone"): needed("POST", CLONE, "/vms/9000, VM.Clone", **NEW),
    ("storage", "Datastore.AllocateSpace"): needed(
        "POST", CLONE, "/storage/shared, Datastore.AllocateSpace", **NEW
    ),
    ("storage", "Datastore.Audit"): needed("GET", "cluster/resources", "", type="storage"),
    ("network", "SDN.Use"): needed(
        "PUT", f"{NODE}/config", "/sdn/zones/localnetwork/vmbr1/201, SDN.Use", net0=NET
    ),
    ("firewall", "Sys.Audit"): needed("GET", f"{GROUPS}/laptop-heads", "/, Sys.Audit"),
    ("firewall", "Sys.Modify"): needed("POST", GROUPS, "/, Sys.Modify", group="laptop-others"),
}
"""For each privilege of plan/rights.py one of the calls that need it."""


def done(practice: Practice, method: str, path: str, **fields: str) -> None:
    """Ask as root, and wait for the task if it is one."""
    upid = str(practice.api(method, path, **fields))
    while upid.startswith("UPID"):
        status = practice.api("GET", f"nodes/{upid.split(':')[1]}/tasks/{upid}/status")
        if status["status"] != "running":
            assert status["exitstatus"] == "OK", status
            return
        time.sleep(0.1)


def export(practice: Practice, name: str) -> str:
    """Everything that the lab knows of the neighbour's."""
    path = practice.folder / name
    assert practice.call("lab", "export", str(path), str(practice.file("lab"))).returncode == 0
    objects = json.loads(path.read_text())["objects"]
    theirs = re.compile(r"\b30[01]\b|neighbour")
    kinds = ("qemu", "pool", "volume", "firewall", "acl", "user", "token", "group", "role")
    kept = [
        each
        for each in objects
        if theirs.search(each["key"])
        or (theirs.search(json.dumps(each["value"])) and each["kind"].startswith(kinds))
    ]
    return json.dumps(kept, indent=1, sort_keys=True)


def logged(practice: Practice) -> int:
    """How many requests the log has, once all that were answered until now are in it."""
    number = str(next(NUMBERS))
    practice.api("GET", f"cluster/nextid?vmid={number}")
    end = time.monotonic() + 60
    while not any(each["params"].get("vmid") == number for each in practice.requests()):
        assert time.monotonic() < end, "the lab does not log its requests"
        time.sleep(0.05)
    return len(practice.requests())


def writes_since(practice: Practice, start: int) -> list[str]:
    """Requests after a point of the log that changed something."""
    since = practice.requests()[start : logged(practice)]
    writes = [each for each in since if each["method"] in WRITES and each["status"] == 200]
    return [f"{each['method']} {each['path']}" for each in writes]


def ask(api: Api, call: Needed) -> Any:
    way: Callable[..., Any] = getattr(api, call.method.lower())
    return way(f"/{call.path}", **call.fields)


class Without:
    """Takes one privilege out of a role, and gives it back at the end."""

    def __init__(self, practice: Practice, scope: str, name: str) -> None:
        self._practice = practice
        self._role = f"practicum-lab-{scope}"
        self._held = next(grant for grant in GRANTS if grant.scope == scope).privileges
        self._name = name

    def __enter__(self) -> None:
        self._write({name for name in self._held if name != self._name})

    def __exit__(self, *_: object) -> None:
        self._write(set(self._held))

    def _write(self, names: set[str]) -> None:
        privileges = {"privs": ",".join(sorted(names))} if names else {"privs": ""}
        self._practice.api("PUT", f"access/roles/{self._role}", **privileges)
