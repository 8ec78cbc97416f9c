"""What holds for every plan, tried on generated events."""

from __future__ import annotations

from collections import Counter

import jsonschema
from hypothesis import HealthCheck, given, settings

from event.stack import EventStack
from plan.export import event_json
from plan.loads import Load
from plan.plan import plan_event
from plan.records import EventPlan
from plan.shortage import CapacityError
from tests.plan.generated import event_stacks
from tests.plan.test_golden_plans import SCHEMA

CHECKED = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@CHECKED
@given(event_stacks())
def test_nothing_that_must_be_unique_is_twice(stack: EventStack) -> None:
    plan = plan_event(stack)
    nics = [nic for guest in plan.guests for nic in guest.interfaces]
    addresses = [str(nic.address) for nic in nics if nic.address]
    for values in (
        [guest.name for guest in plan.guests],
        [guest.vmid for guest in plan.guests],
        [nic.mac for nic in nics],
        addresses,
        [cluster.network.vlan for cluster in plan.clusters],
        [cluster.network.subnet for cluster in plan.clusters],
        [plan.security_group.name]
        + [each.security_group.name for each in plan.clusters if each.security_group],
    ):
        assert len(values) == len(set(values))


@CHECKED
@given(event_stacks())
def test_everything_is_within_the_ranges_of_the_event(stack: EventStack) -> None:
    event, plan = stack.event, plan_event(stack)
    templates = {guest.template.vmid for guest in plan.guests}
    for guest in plan.guests:
        assert guest.vmid in event.vmids
        assert guest.vmid not in templates
        assert len(guest.interfaces) <= 32
    for cluster in plan.clusters:
        assert cluster.network.vlan in event.network.vlans
        assert cluster.network.vlan != event.network.vlans.first
        assert cluster.network.subnet.subnet_of(event.network.private)


@CHECKED
@given(event_stacks())
def test_the_nodes_of_a_cluster_are_on_different_hosts_if_there_are_enough(
    stack: EventStack,
) -> None:
    plan = plan_event(stack)
    usable = {h.name for h in stack.site.site.hosts if h.share and not h.drain}
    for cluster in plan.clusters:
        on = Counter(guest.host for guest in cluster.guests)
        hosts = len(usable | set(on))
        if hosts >= len(cluster.guests):
            assert max(on.values()) == 1
        else:
            assert max(on.values()) - min(on.get(name, 0) for name in usable) <= 1
            assert any(cluster.name in warning or "more share" for warning in plan.warnings)


@CHECKED
@given(event_stacks())
def test_no_guest_is_on_a_drained_host_or_beside_the_round_robin_without_a_pin(
    stack: EventStack,
) -> None:
    plan = plan_event(stack)
    declared = {host.name: host for host in stack.site.site.hosts}
    pins = {
        f"{cluster}-{node}"
        for cluster, override in stack.event.overrides.items()
        for node in override.hosts
    }
    for guest in plan.guests:
        assert not declared[guest.host].drain
        assert declared[guest.host].share or guest.name in pins


@CHECKED
@given(event_stacks(roomy=False))
def test_a_plan_keeps_to_the_capacity_of_each_host_or_is_refused(stack: EventStack) -> None:
    try:
        plan = plan_event(stack)
    except CapacityError:
        return
    for host in plan.hosts:
        assert within(host.cores)
        assert within(host.memory_mib)
        assert within(host.disk_gib)
    assert [load.guests for load in plan.hosts] == counted(plan)


@CHECKED
@given(event_stacks(roomy=False))
def test_sums_of_a_plan_agree_with_its_guests(stack: EventStack) -> None:
    try:
        plan = plan_event(stack)
    except CapacityError:
        return
    totals = plan.totals
    assert totals.cores.need == sum(guest.cores for guest in plan.guests)
    assert totals.memory_mib.need == sum(guest.memory_mib for guest in plan.guests)
    on_hosts = [guest.disk_gib for guest in plan.guests if not guest.template.shared]
    assert totals.disk_gib.need == sum(on_hosts)
    on_storages = [guest.disk_gib for guest in plan.guests if guest.template.shared]
    assert sum(storage.need_gib for storage in plan.storages) == sum(on_storages)


@CHECKED
@given(event_stacks())
def test_every_guest_is_cloned_where_its_template_is_seen(stack: EventStack) -> None:
    for guest in plan_event(stack).guests:
        assert guest.template.shared or guest.template.host == guest.host
        assert guest.disk_gib >= stack.site.site.images[guest.template.image].disk_gib


@CHECKED
@given(event_stacks())
def test_every_plan_keeps_to_the_published_schema(stack: EventStack) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(event_json(plan_event(stack)))


def within(load: Load) -> bool:
    return load.need <= load.have + 1e-6


def counted(plan: EventPlan) -> list[int]:
    on = Counter(guest.host for guest in plan.guests)
    return [on[host.name] for host in plan.hosts]
