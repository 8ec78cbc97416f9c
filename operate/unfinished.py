"""What a run has made without being told so: answers were lost, and the state knows nothing of it.

Each object that the plan wants and the state lacks is looked for at the site. It is deleted, and
made again, when it carries our mark and the planned name and was never complete: a clone that is
off, without our tags or its disk's limits, a machine that has not become its template, a pool,
group or bridge. A complete guest is left alone, because its disks may hold somebody's work: it is
taken over (`operate.adoption`).
"""

from __future__ import annotations

from collections.abc import Iterator

from operate.api import Api
from operate.deployed import Deployed, Inputs
from operate.event_log import GUEST_TYPES
from operate.leftovers import Leftover, find_object, place
from operate.survey import MARK, Seen, with_description
from plan.records import Access, EventPlan, SitePlan

Wanted = tuple[str, str, Inputs]
"""Name, type and inputs of a resource, as far as its place at the API follows from them."""


def find_lost(
    plan: EventPlan | SitePlan, state: Deployed | None, seen: Seen, api: Api
) -> tuple[Leftover, ...]:
    """Objects of the plan that are there, ours, never complete, and not in the state."""
    if state is None:
        return ()
    pending = frozenset(place(each.type, each.inputs) for each in state.pending)
    guests = tuple(_guests(plan, state, seen, api))
    return guests + find_objects(plan, state, seen, api, noted=pending)


def find_objects(
    plan: EventPlan | SitePlan,
    state: Deployed | None,
    seen: Seen,
    api: Api,
    *,
    taken: frozenset[int] = frozenset(),
    noted: frozenset[str] = frozenset(),
) -> tuple[Leftover, ...]:
    """Objects of the plan other than guests that are there, ours, and not in the state.

    `taken` are VMIDs of guests that are about to come into the state, `noted` the places of what
    is looked for elsewhere.
    """
    known = {place(kind, inputs) for kind, inputs in (state.objects if state else ())} | noted
    vmids = taken | (state.vmids if state else frozenset())
    wanted = _event(plan, vmids, seen) if isinstance(plan, EventPlan) else _site(plan, seen)
    found = [
        find_object(name, kind, inputs, seen, plan.stack, api)
        for name, kind, inputs in wanted
        if place(kind, inputs) not in known
    ]
    return tuple(each for each in found if each)


def _guests(
    plan: EventPlan | SitePlan, state: Deployed, seen: Seen, api: Api
) -> Iterator[Leftover]:
    """Machines of which the clone or the import was done and nothing after it."""
    noted = {int(each.inputs.get("vmId") or 0) for each in state.pending}
    for vmid, name in _names(plan).items():
        found = seen.guests.get(vmid)
        if found is None or vmid in state.vmids or vmid in noted:
            continue
        if found.kind != "qemu" or found.running or found.template:
            continue
        guest = with_description(api, found)
        tagged = {MARK, plan.stack} <= guest.tags
        if guest.name != name or not guest.is_ours(plan.stack):
            continue
        if tagged and not guest.unfinished and isinstance(plan, EventPlan):
            continue
        path = f"/nodes/{guest.host}/qemu/{vmid}"
        yield Leftover(name=name, type=GUEST_TYPES[0], path=path, guest=guest)


def _names(plan: EventPlan | SitePlan) -> dict[int, str]:
    """Planned names by VMID."""
    if isinstance(plan, EventPlan):
        return {guest.vmid: guest.name for guest in plan.guests}
    return {copy.vmid: copy.name for image in plan.images for copy in image.templates}


def _event(plan: EventPlan, vmids: frozenset[int], seen: Seen) -> Iterator[Wanted]:
    if not plan.access.by_site:
        yield from _access(plan.access, seen)
        yield plan.access.role, "RoleLegacy", {"roleId": plan.access.role}
    groups = [plan.security_group, *(each.security_group for each in plan.clusters)]
    for group in groups:
        if group is not None:
            yield group.name, "GroupLegacy", {"name": group.name}
    for guest in plan.guests:
        found = seen.guests.get(guest.vmid)
        if guest.security_group and found is not None and guest.vmid in vmids:
            inputs = {"nodeName": found.host, "vmId": guest.vmid}
            yield f"{guest.name}-rules", "RulesLegacy", inputs
            for number, _ in guest.filtered_interfaces:
                name = f"ipfilter-net{number}"
                yield f"{guest.name}-{name}", "IpsetLegacy", {**inputs, "name": name}


def _access(access: Access, seen: Seen) -> Iterator[Wanted]:
    if access.pool in seen.pools:
        yield access.pool, "PoolLegacy", {"poolId": access.pool}
    yield access.group, "GroupLegacy", {"groupId": access.group}


def _site(plan: SitePlan, seen: Seen) -> Iterator[Wanted]:
    for host in plan.hosts:
        if host.bridge in seen.bridges.get(host.name, ()):
            inputs = {"nodeName": host.name, "name": host.bridge}
            yield f"{host.name}-{host.bridge}", "Bridge", inputs
    if plan.templates_pool and plan.templates_pool.name in seen.pools:
        yield plan.templates_pool.name, "PoolLegacy", {"poolId": plan.templates_pool.name}
    for role in plan.roles:
        yield role.name, "RoleLegacy", {"roleId": role.name}
    for event in plan.events:
        yield from _access(event.access, seen)
        yield event.user_id, "UserLegacy", {"userId": event.user_id}
        token = {"userId": event.user_id, "tokenName": event.token}
        yield f"{event.event}-token", "Token", token
    for user in plan.users:
        yield user.user_id, "UserLegacy", {"userId": user.user_id}
    for job in plan.backups:
        yield job.job_id, "Job", {"resourceId": job.job_id}
