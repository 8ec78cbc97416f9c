"""The Proxmox VE endpoint that an acceptance run works on, and what is on it.

`Site` says where and within which reserved numbers and names; `inventory` lists every object that
a run could leave behind, and `sweep` removes those that are new and lie within what is reserved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.endpoint import Access, Endpoint
from tests.conformance.masks import Vmids

PREFIX = "PRACTICUM_ACCEPTANCE_"
POOL, STORAGE = "practicum-acceptance", "local"
NAMES = ("co", "practicum-", "PracticumCo", "c-", "cs")
"""How the names of objects begin that scenarios make for themselves."""

_TASK_S = 120
# Each kind: where it is listed, the key of its id, and where one is removed.
_LISTED = {
    "backup job": ("cluster/backup", "id", "cluster/backup/{}"),
    "HA rule": ("cluster/ha/rules", "rule", "cluster/ha/rules/{}"),
    "HA resource": ("cluster/ha/resources", "sid", "cluster/ha/resources/{}"),
    "replication job": ("cluster/replication", "id", "cluster/replication/{}"),
    "network": ("cluster/sdn/vnets", "vnet", "cluster/sdn/vnets/{}"),
    "zone": ("cluster/sdn/zones", "zone", "cluster/sdn/zones/{}"),
    "alias": ("cluster/firewall/aliases", "name", "cluster/firewall/aliases/{}"),
    "IP set": ("cluster/firewall/ipset", "name", "cluster/firewall/ipset/{}?force=1"),
    "security group": ("cluster/firewall/groups", "group", "cluster/firewall/groups/{}"),
    "pool": ("pools", "poolid", "pools?poolid={}"),
    "user": ("access/users", "userid", "access/users/{}"),
    "group": ("access/groups", "groupid", "access/groups/{}"),
    "role": ("access/roles", "roleid", "access/roles/{}"),
    "storage": ("storage", "storage", "storage/{}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One endpoint and what is reserved on it: 800 VMIDs from `vmid`, a pool, a storage."""

    url: str
    access: Access
    ca_file: str | None = None
    vmid: int = Vmids.FIRST
    pool: str = POOL
    storage: str = STORAGE
    node: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Site | None:
        """The site that variables name, or None; credentials may also be the provider's own."""
        url = given.get(f"{PREFIX}ENDPOINT")
        if not url:
            return None

        def find(name: str, usual: str) -> str:
            return given.get(PREFIX + name) or given.get(f"PROXMOX_VE_{usual}", "")

        access = Access(
            user=find("USER", "USERNAME") or "root@pam",
            password=find("PASSWORD", "PASSWORD"),
            token=find("API_TOKEN", "API_TOKEN"),
        )
        return cls(
            url=url,
            access=access,
            ca_file=given.get(f"{PREFIX}CA_FILE"),
            vmid=int(given.get(f"{PREFIX}VMIDS") or Vmids.FIRST),
            pool=given.get(f"{PREFIX}POOL") or POOL,
            storage=given.get(f"{PREFIX}STORAGE") or STORAGE,
            node=given.get(f"{PREFIX}NODE"),
        )

    def open(self) -> Endpoint:
        """A connection."""
        return Endpoint(self.url, self.access, self.ca_file)

    def variables(self, node: str) -> dict[str, str]:
        """What the provider and the scenario programs find the site by."""
        found = {
            "PROXMOX_VE_ENDPOINT": self.url,
            "SCENARIO_NODE": node,
            "SCENARIO_STORAGE": self.storage,
            "SCENARIO_POOL": self.pool,
            "SCENARIO_VMID": str(self.vmid),
        }
        if self.access.token:
            found["PROXMOX_VE_API_TOKEN"] = self.access.token
        else:
            found["PROXMOX_VE_USERNAME"] = self.access.user
            found["PROXMOX_VE_PASSWORD"] = self.access.password
        trust = {"SSL_CERT_FILE": self.ca_file} if self.ca_file else {}
        return found | (trust or {"PROXMOX_VE_INSECURE": "true"})

    def is_ours(self, kind: str, name: str) -> bool:
        """Whether an object lies within what is reserved."""
        number = name.rpartition("/")[2].rpartition(":")[2].partition("-")[0]
        if kind in ("guest", "HA resource", "replication job"):
            return number.isdigit() and 0 <= int(number) - self.vmid < Vmids.COUNT
        if kind == "volume":
            return any(f"-{vmid}-" in name for vmid in self._vmids())
        return name.startswith((self.pool, *NAMES))

    def _vmids(self) -> range:
        return range(self.vmid, self.vmid + Vmids.COUNT)


Inventory = dict[str, set[str]]


def inventory(endpoint: Endpoint, storage: str) -> Inventory:
    """The names of everything that there is, by kind."""
    found = {
        kind: {str(row[key]) for row in endpoint.get(path)}
        for kind, (path, key, _) in _LISTED.items()
    }
    rows = endpoint.get("cluster/resources", type="vm")
    found["guest"] = {f"{row['node']}/{row['type']}/{row['vmid']}" for row in rows}
    found["right"] = {
        f"{row['path']} {row['type']} {row['ugid']} {row['roleid']}"
        for row in endpoint.get("access/acl")
    }
    found["rule"] = {
        f"{row['type']} {row['action']} {row.get('source')} {row.get('dport')} {row.get('comment')}"
        for row in endpoint.get("cluster/firewall/rules")
    }
    found["volume"] = set()
    for node in sorted(row["node"] for row in endpoint.get("nodes")):
        listed = endpoint.ask("GET", f"nodes/{node}/storage/{storage}/content").data or []
        found["volume"] |= {f"{node} {row['volid']}" for row in listed}
    return found


def differences(before: Inventory, after: Inventory) -> list[str]:
    """What there is more or less of, one line each."""
    lines = []
    for kind in sorted(before.keys() | after.keys()):
        was, now = before.get(kind, set()), after.get(kind, set())
        lines += [f"{kind} {name}: left behind" for name in sorted(now - was)]
        lines += [f"{kind} {name}: gone" for name in sorted(was - now)]
    return lines


@dataclass(slots=True)
class Broom:
    """Removes what is new and reserved, whatever a run has done before."""

    site: Site
    endpoint: Endpoint
    before: Inventory
    told: list[str] = field(default_factory=list)

    def sweep(self) -> None:
        """One pass over everything: guests first, then what guests hang on."""
        now = inventory(self.endpoint, self.site.storage)
        for name in self._new(now, "guest"):
            node, kind, vmid = name.split("/")
            self._ask("POST", f"nodes/{node}/{kind}/{vmid}/status/stop")
            self._ask("DELETE", f"nodes/{node}/{kind}/{vmid}?purge=1")
        for name in self._new(now, "volume"):
            node, volume = name.split(" ", 1)
            self._ask("DELETE", f"nodes/{node}/storage/{self.site.storage}/content/{volume}")
        for kind, (_, _, gone) in _LISTED.items():
            for name in sorted(self._new(now, kind), reverse=True):
                if kind == "security group":
                    self._empty(name)
                self._ask("DELETE", gone.format(name))

    def _new(self, now: Inventory, kind: str) -> list[str]:
        return [n for n in now[kind] - self.before[kind] if self.site.is_ours(kind, n)]

    def _empty(self, group: str) -> None:
        for _ in self.endpoint.ask("GET", f"cluster/firewall/groups/{group}").data or []:
            self._ask("DELETE", f"cluster/firewall/groups/{group}/0")

    def _ask(self, method: str, path: str) -> None:
        reply = self.endpoint.ask(method, path)
        self.told.append(f"{method} {path}: {reply.status} {reply.reason}")
        if isinstance(reply.data, str) and reply.data.startswith("UPID:"):
            wait(self.endpoint, reply.data)


def wait(endpoint: Endpoint, upid: str) -> Any:
    """The end of a task."""
    place = f"nodes/{upid.split(':')[1]}/tasks/{upid}/status"
    end = time.monotonic() + _TASK_S
    while (state := endpoint.get(place))["status"] == "running" and time.monotonic() < end:
        time.sleep(0.2)
    return state


def named() -> Site | None:
    """The site that this process's variables name."""
    return Site.of(os.environ)
