"""Planning: an event on its site, or a site, becomes a plan. The stages, in order.

survey      hosts and images of the site, unfolded
roster      clusters and their nodes: names, indexes, seats
ranges      VLANs, VMIDs, subnets and addresses are enough
placement   a host for each node
capacity    need against have
guests      the records
"""

from __future__ import annotations

from collections.abc import Sequence

from event.model import Event, InstructorNode
from event.names import INSTRUCTOR
from event.problems import Path
from event.stack import EventStack
from plan import naming
from plan.capacity import totals
from plan.egress import check_egress, check_ingress, security_group
from plan.findings import Findings, Scope
from plan.groups import GroupReader
from plan.guests import GuestMaker
from plan.hosts import HostSpec
from plan.loss import worst_loss
from plan.numbers import INSTRUCTOR_INDEX
from plan.phrases import few
from plan.ranges import check_ranges
from plan.records import Access, EventPlan, SecurityGroup
from plan.rights import listed_access, own_access
from plan.roster import ClusterSpec, NodeSpec, Roster, call_roster
from plan.seating import Seating, Seats
from plan.services import check_private, host_services, services
from plan.shortage import stop_if_short
from plan.site import plan_site
from plan.survey import SiteSurvey, api, survey

__all__ = ["plan_event", "plan_site"]


def plan_event(stack: EventStack) -> EventPlan:
    """Decide an event. Raises `PlanError` with every problem, by file and line."""
    findings = Findings()
    scope = findings.scope(stack.locate)
    looked = survey(stack.site, findings)
    findings.stop_if_any()
    event = stack.event
    reader = GroupReader(looked.images, looked.by_name, scope)
    roster = call_roster(event, reader, scope)
    instructor = _instructor(event.instructor, reader) if event.instructor else None
    check_ranges(event, stack.site.site, scope)
    check_private(event.network.private, stack.site.site, scope)
    _check_rules(event, scope)
    _check_usable(looked.hosts, findings.scope(stack.site.locate))
    findings.stop_if_any()
    seating = Seating(stack.site.site, looked.hosts, roster, instructor)
    seats = seating.seat(len(roster.clusters))
    stop_if_short(seating, seats, stack)
    lost = worst_loss(seats.placement, roster.clusters, seats.nodes)
    worst = looked.hosts[lost].name if lost is not None else None
    _warn(roster, seats, worst, scope)
    return _event_plan(stack, looked, roster, instructor, seats, worst, findings)


def _event_plan(
    stack: EventStack,
    looked: SiteSurvey,
    roster: Roster,
    instructor: NodeSpec | None,
    seats: Seats,
    worst: str | None,
    findings: Findings,
) -> EventPlan:
    event, site = stack.event, stack.site.site
    maker = _maker(stack, looked)
    clusters = tuple(
        maker.cluster(spec, places, _own_group(stack, spec))
        for spec, places in zip(roster.clusters, seats.placement.places, strict=True)
    )
    place = seats.placement.instructor
    return EventPlan(
        stack=stack.name,
        title=event.title,
        site=stack.site.name,
        api=api(site),
        access=_access(stack),
        security_group=maker.security_group,
        clusters=clusters,
        instructor=(
            maker.instructor(instructor, place, clusters)
            if instructor is not None and place is not None
            else None
        ),
        hosts=seats.hosts,
        storages=seats.storages,
        totals=totals(len(clusters), seats.hosts, worst),
        warnings=tuple(findings.warnings),
        services=services(site),
        host_services=host_services(stack.name, site, looked.hosts, clusters),
        time_zone=event.contextualize.time_zone,
        boot_timeout_s=event.contextualize.boot_timeout_s,
        take_first_host_key=event.contextualize.take_first_host_key,
    )


def _maker(stack: EventStack, looked: SiteSurvey) -> GuestMaker:
    return GuestMaker(
        stack=stack.name,
        event=stack.event,
        site=stack.site.site,
        hosts=tuple(host.name for host in looked.hosts),
        security_group=_security_group(stack),
        steps=stack.steps,
    )


def _instructor(written: InstructorNode, reader: GroupReader) -> NodeSpec:
    """The instructors' node."""
    path: Path = ("event", "instructor")
    image = reader.image(written.image)
    disk = reader.disk(written.disk_gib, image, (*path, "diskGib"))
    pin = reader.pin(written.host, (*path, "host")) if written.host else None
    return NodeSpec(
        name=INSTRUCTOR,
        index=INSTRUCTOR_INDEX,
        seat=0,
        group=INSTRUCTOR,
        image=image,
        cores=written.cores,
        memory_mib=written.memory_mib,
        disk_gib=disk,
        exposed=True,
        clone=image.clone,
        pin=pin,
    )


def _security_group(stack: EventStack) -> SecurityGroup:
    """The group of exposed nodes whose cluster has none of its own."""
    network, dns = stack.event.network, stack.site.site.network.dns
    return security_group(stack.name, network.egress, network.ingress, dns)


def _own_group(stack: EventStack, cluster: ClusterSpec) -> SecurityGroup | None:
    """The group of a cluster that has an egress of its own."""
    if cluster.override is None or cluster.override.egress is None:
        return None
    ingress, dns = stack.event.network.ingress, stack.site.site.network.dns
    return security_group(stack.name, cluster.override.egress, ingress, dns, cluster=cluster.name)


def _access(stack: EventStack) -> Access:
    """Made by the site when it lists the event, else by the event."""
    if stack.name in stack.site.site.events:
        return listed_access(stack.name, stack.site.name)
    return own_access(stack.name, stack.event.title)


def _check_rules(event: Event, scope: Scope) -> None:
    check_egress(event.network.egress, ("event", "network", "egress"), scope)
    check_ingress(event.network.ingress, ("event", "network", "ingress"), scope)
    for name, override in event.overrides.items():
        if override.egress is not None:
            check_egress(override.egress, ("event", "overrides", name, "egress"), scope)


def _check_usable(hosts: Sequence[HostSpec], scope: Scope) -> None:
    if not any(host.share and not host.drain for host in hosts):
        scope.problem(
            ("site", "hosts"), "no host takes guests: all are drained or have share 0",
            hint="take drain out of one of them",
        )  # fmt: skip


def _warn(roster: Roster, seats: Seats, worst: str | None, scope: Scope) -> None:
    """What the plan allows, but the organiser should know of."""
    if seats.placement.crowded:
        names = [roster.clusters[place].name for place in seats.placement.crowded]
        scope.warn(
            ("event", "nodeGroups"), f"nodes of {few(names)} share hosts: there are fewer hosts "
            "than nodes in a cluster", hint="latency between them is not that of a network",
        )  # fmt: skip
    if seats.placement.overflowed:
        names = [
            naming.guest_name(roster.clusters[place].name, roster.clusters[place].nodes[i].name)
            for place, i in seats.placement.overflowed
        ]
        scope.warn(
            ("event", "clusters"), f"{few(names)} found the host of their turn full and are on "
            "another one: later edits may move them", hint="give hosts a share that fits their "
            "size, or pin these guests",
        )  # fmt: skip
    if worst is not None:
        scope.warn(
            ("event", "clusters"), f"the event does not survive the loss of a host: without "
            f"{worst} not all of its guests would find room",
        )  # fmt: skip
