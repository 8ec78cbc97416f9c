"""What a site's API shows before a run: hosts, guests, storages and bridges, in few requests."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from operate.api import Api, ApiError

MARK = "practicum"
"""Tag of everything that practicum makes; the stack's name is beside it."""

UNSETTLED = ("clone", "create")
"""Locks of a guest that is still being made."""

DISK, LIMIT = "scsi0", "iops_rd="
"""The disk of our guests and the limit that all of them have: `components.guest` sets it last."""

SETTLE_S = 60.0
POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenGuest:
    """A virtual machine or container at the API; `description` is filled where it was asked for."""

    vmid: int
    name: str
    host: str
    kind: str  # qemu, lxc
    template: bool
    tags: frozenset[str]
    status: str = ""  # running, stopped; unknown on a host that is offline
    cores: int = 0
    memory_mib: int = 0
    disk_gib: int = 0  # of the boot disk, rounded down as the provider does
    pool: str = ""
    description: str = ""
    unfinished: bool = False  # its disk lacks what is written last before a guest's first start

    @property
    def running(self) -> bool:
        """Whether it is on."""
        return self.status == "running"

    def is_ours(self, stack: str) -> bool:
        """Whether it carries the mark of a stack, in its tags or its description."""
        return {MARK, stack} <= self.tags or self.description.startswith(f"{MARK}:{stack}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A site as its API shows it."""

    version: str
    hosts: dict[str, str]  # name -> online, offline, unknown
    guests: dict[int, SeenGuest]
    storages: dict[tuple[str, str], str]  # (host, storage) -> status
    bridges: dict[str, frozenset[str]]  # host -> names of its interfaces
    pools: frozenset[str]
    quorate: bool = True  # False: nothing can be written
    security_groups: frozenset[str] | None = None  # None: this token may not see them

    @property
    def shows_storages(self) -> bool:
        """False when not one storage is visible: a token without rights, not an empty site."""
        return bool(self.storages)


def survey(api: Api, hosts: Iterable[str]) -> Seen:
    """Look at a site. `hosts` are those whose network is wanted. Raises `ApiError`."""
    version = api.get("/version")
    if not isinstance(version, dict) or "version" not in version:
        raise ApiError("foreign", "it answers, but not as Proxmox VE does")
    nodes = {str(row["node"]): str(row.get("status", "")) for row in api.get("/nodes")}
    rows = api.get("/cluster/resources")
    online = [host for host in hosts if nodes.get(host) == "online"]
    networks = api.get_all(f"/nodes/{host}/network" for host in online)
    return Seen(
        version=str(version["version"]),
        hosts=nodes,
        guests={guest.vmid: guest for guest in map(_guest, rows) if guest is not None},
        storages={
            (str(row["node"]), str(row["storage"])): str(row.get("status", "available"))
            for row in rows
            if row.get("type") == "storage"
        },
        bridges={
            host: frozenset(str(each["iface"]) for each in networks[f"/nodes/{host}/network"])
            for host in online
        },
        pools=frozenset(str(row["poolid"]) for row in api.get("/pools")),
        quorate=_quorate(api),
        security_groups=_security_groups(api),
    )


def _security_groups(api: Api) -> frozenset[str] | None:
    """Names of the site's security groups; None where they are not told."""
    try:
        rows = api.get("/cluster/firewall/groups")
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return None
        raise
    return frozenset(str(row["group"]) for row in rows or ())


def _quorate(api: Api) -> bool:
    """Whether enough hosts see each other; true where it is not told: one host, or no right."""
    try:
        rows = api.get("/cluster/status")
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return True
        raise
    return all(row.get("quorate", 1) for row in rows if row.get("type") == "cluster")


def guests_now(api: Api) -> dict[int, SeenGuest]:
    """Guests of the site as they are now, by VMID. Raises `ApiError`."""
    found = map(_guest, api.get("/cluster/resources", type="vm"))
    return {guest.vmid: guest for guest in found if guest is not None}


def path_of(guest: SeenGuest) -> str:
    """Where a guest is at the API."""
    return f"/nodes/{guest.host}/{guest.kind}/{guest.vmid}"


def with_description(api: Api, guest: SeenGuest) -> SeenGuest:
    """The guest with its description, which the list of guests does not tell.

    One that is just being cloned has its name and description at the end only; it is waited for.
    """
    end = time.monotonic() + SETTLE_S
    while (config := _config(api, guest)).get("lock") in UNSETTLED and time.monotonic() < end:
        time.sleep(POLL_S)
        found = map(_guest, api.get("/cluster/resources", type="vm"))
        guest = next((each for each in found if each and each.vmid == guest.vmid), guest)
    disk = str(config.get(DISK) or "")
    return replace(
        guest,
        description=str(config.get("description") or ""),
        unfinished=bool(disk) and LIMIT not in disk,
    )


def _config(api: Api, guest: SeenGuest) -> dict[str, Any]:
    """A guest's configuration; nothing when it cannot be read."""
    try:
        found = api.get(f"/nodes/{guest.host}/{guest.kind}/{guest.vmid}/config")
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return {}
        raise
    return found if isinstance(found, dict) else {}


def _guest(row: dict[str, Any]) -> SeenGuest | None:
    if row.get("type") not in ("qemu", "lxc"):
        return None
    return SeenGuest(
        vmid=int(row["vmid"]),
        name=str(row.get("name", "")),
        host=str(row.get("node", "")),
        kind=str(row["type"]),
        template=bool(row.get("template")),
        tags=frozenset(part for part in str(row.get("tags") or "").split(";") if part),
        status=str(row.get("status") or ""),
        cores=int(row.get("maxcpu") or 0),
        memory_mib=int(row.get("maxmem") or 0) >> 20,
        disk_gib=int(row.get("maxdisk") or 0) >> 30,
        pool=str(row.get("pool") or ""),
    )
