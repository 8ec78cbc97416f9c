"""What others have done to guests is told in event terms; a guest of theirs is never ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack
from operate.api import Api
from operate.deployed import Deployed, read_export
from operate.drift import doubts, stop_if_strangers, told
from operate.survey import Seen, survey
from plan.plan import plan_event
from tests.operate.stand_in import StandIn
from tests.operate.states import export


@pytest.fixture
def state(stack: EventStack) -> Deployed:
    return read_export(export(plan_event(stack)))


@pytest.fixture
def seen(stack: EventStack, site_api: StandIn, api: Api) -> Seen:
    """The site with the event's guests as planned."""
    for guest in plan_event(stack).guests:
        site_api.answers["/cluster/resources"].append(
            {
                "type": "qemu",
                "vmid": guest.vmid,
                "node": guest.host,
                "name": guest.name,
                "tags": ";".join(guest.tags),
                "status": "running",
                "maxcpu": guest.cores,
                "maxmem": guest.memory_mib * 1024 * 1024,
            }
        )
    return survey(api, ())


def changed(seen: Seen, vmid: int, **values: Any) -> Seen:
    """The site after somebody has changed a guest."""
    return replace(seen, guests=seen.guests | {vmid: replace(seen.guests[vmid], **values)})


def test_guests_as_planned_leave_no_doubt(state: Deployed, seen: Seen) -> None:
    assert doubts(state, seen) == {}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"host": "pve09"}, "on another host"),
        ({"status": "stopped"}, "switched off"),
        ({"name": "mine"}, "renamed"),
        ({"tags": frozenset({"keep"})}, "without our tags"),
        ({"cores": 8}, "with other cores"),
        ({"memory_mib": 4096}, "with other memory"),
        ({"disk_gib": 20}, "with another disk size"),
    ],
)
def test_each_change_that_the_list_of_guests_tells_is_seen(
    state: Deployed, seen: Seen, values: dict[str, Any], word: str
) -> None:
    found = doubts(state, changed(seen, 100101, **values))
    assert list(found) == [word]
    assert [urn.rpartition("::")[2] for urn in found[word]] == ["c01-head"]


@pytest.mark.parametrize(
    "values",
    [
        {"status": "unknown"},
        {"cores": 0, "memory_mib": 0},
        {"tags": frozenset({"c01", "event", "practicum", "keep"})},
    ],
)
def test_what_is_not_told_or_only_added_is_no_change(
    state: Deployed, seen: Seen, values: dict[str, Any]
) -> None:
    there = changed(seen, 100101, **values)
    if "tags" in values:
        there = changed(there, 100101, tags=seen.guests[100101].tags | values["tags"])
    assert doubts(state, there) == {}


def test_a_guest_that_was_taken_out_of_its_pool_is_seen(stack: EventStack, seen: Seen) -> None:
    made = export(plan_event(stack))
    rows = {row["urn"].rpartition("::")[2]: row for row in made["deployment"]["resources"]}
    rows["c01-head"]["inputs"]["poolId"] = "practicum-event"
    there = changed(seen, 100101, pool="practicum-event")
    assert doubts(read_export(made), there) == {}
    for pool in ("", "staff"):
        assert list(doubts(read_export(made), changed(seen, 100101, pool=pool))) == [
            "not in its pool"
        ]


def test_a_deleted_guest_is_gone_and_nothing_else(state: Deployed, seen: Seen) -> None:
    guests = {vmid: guest for vmid, guest in seen.guests.items() if vmid != 100101}
    assert list(doubts(state, replace(seen, guests=guests))) == ["gone"]


def test_a_number_that_came_to_somebody_else_stops_the_run(
    stack: EventStack, state: Deployed, seen: Seen, api: Api, site_api: StandIn
) -> None:
    stop_if_strangers(stack, state, seen, api)
    there = changed(seen, 100101, name="mail", tags=frozenset(), host="pve02")
    config = site_api.answers["/nodes/pve02/qemu/100101/config"] = {"description": "staff"}
    with pytest.raises(
        RunError, match=r"100101 \(mail on pve02\): deployed by event, but"
    ) as caught:
        stop_if_strangers(stack, state, there, api)
    assert "./practicum pulumi -- state delete 'urn:" in str(caught.value)
    config["description"] = "practicum:event:c01-head A small event"
    stop_if_strangers(stack, state, there, api)


def test_drift_is_told_with_what_is_and_what_should_be(state: Deployed, seen: Seen) -> None:
    guest = next(each for each in state.guests if each.vmid == 100101)
    there = replace(seen.guests[100101], host="pve02", cores=8, memory_mib=512, status="stopped")
    fields = ("cpu.cores", "memory.dedicated", "networkDevices[0].vlanId", "started", "nodeName")
    assert told(guest, there, fields) == (
        f"8 cores instead of 2, 512 MiB instead of 1024, another network, is stopped, "
        f"on pve02 instead of {guest.host}"
    )
    assert told(None, None, ("rules[0].dport", "rules[1].dport", "novelty")) == (
        "other firewall rules, novelty"
    )


def test_a_security_group_that_is_not_there_is_gone_unless_nobody_may_see_them(
    state: Deployed, seen: Seen
) -> None:
    names = frozenset(state.security_groups)
    assert doubts(state, replace(seen, security_groups=names)) == {}
    assert doubts(state, replace(seen, security_groups=None)) == {}
    (urn,) = doubts(state, replace(seen, security_groups=names - {"event-heads"}))["gone"]
    assert urn.endswith("::event-heads")
