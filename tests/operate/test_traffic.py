"""`traffic`: an event's accounts by cluster, from the list of guests and the firewalls' logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from event.problems import RunError
from event.read import read_stack
from event.stack import EventStack
from operate.api import Api
from operate.traffic import account, as_text, chosen, logs, size
from plan.plan import plan_event
from plan.records import EventPlan
from tests.operate.stand_in import TOKEN, StandIn

ROOT = Path(__file__).resolve().parents[2]
NOTE = (
    "{vmid} 6 tap{vmid}i0-OUT 30/Nov/2026:00:31:01 +0000 policy DROP: MAC=02:00:00:00:00:01 "
    "SRC=198.51.100.11 DST={dest} LEN=60 TTL=64 PROTO={proto}{port}"
)


@pytest.fixture(scope="module")
def plan() -> EventPlan:
    stack = read_stack("sc09", ROOT / "stacks")
    assert isinstance(stack, EventStack)
    return plan_event(stack)


@pytest.fixture
def site_api(tmp_path: Path, port: int) -> Iterator[StandIn]:
    server = StandIn(tmp_path, port)
    yield server
    server.close()


def rows(plan: EventPlan) -> list[dict[str, Any]]:
    return [
        {"vmid": guest.vmid, "node": guest.host, "status": "running", "netin": 1024, "netout": 10}
        for guest in plan.guests
    ]


def note(vmid: int, dest: str, proto: str = "TCP", port: int | None = 22) -> str:
    text = "" if port is None else f" SPT=40000 DPT={port}"
    return NOTE.format(vmid=vmid, dest=dest, proto=proto, port=text)


def test_bytes_are_summed_over_the_guests_of_a_cluster(plan: EventPlan) -> None:
    found = account(plan.guests, rows(plan), {})
    assert len(found) == 27
    c01 = next(each for each in found if each.cluster == "c01")
    assert (c01.running, c01.received, c01.sent, c01.dropped) == (5, 5 * 1024, 50, 0)


def test_drops_are_told_by_what_was_tried_and_how_often(plan: EventPlan) -> None:
    head = plan.clusters[0].guests[0]
    lines = [note(head.vmid, "192.0.2.1")] * 3
    lines += [note(head.vmid, "192.0.2.9", "ICMP", None), "no content"]
    found = account(chosen(plan, "c01"), rows(plan), {head.vmid: lines})
    assert [(each.what, each.times) for each in found[0].drops] == [("tcp/22", 3), ("icmp", 1)]
    assert as_text(found) == [
        "cluster      running   received       sent  drops noted",
        "c01                5    5.0 KiB       50 B            4",
        "  c01-head: 198.51.100.11 → 192.0.2.1 tcp/22 (3 times)",
        "  c01-head: 198.51.100.11 → 192.0.2.9 icmp",
    ]


def test_a_labs_counters_tell_packets_that_passed_and_packets_that_did_not(
    plan: EventPlan,
) -> None:
    head, node = plan.clusters[0].guests[:2]
    cards = [
        card(head.vmid, received=(10, 1000), sent=(8, 800), droppedSent=(3, 300)),
        card(head.vmid, received=(1, 100), sent=(2, 200), spoofed=(1, 100)),
        card(node.vmid, received=(1, 2048), droppedReceived=(5, 500)),
        card(999, received=(1000, 1000)),
    ]
    found = account(chosen(plan, "c01"), rows(plan), {}, cards)
    assert found[0].counted is not None
    assert asdict(found[0].counted) == {
        "accepted": {"packets": 10 + 5 + 1 + 1 + 1, "bytes": 1000 + 500 + 100 + 100 + 2048},
        "dropped": {"packets": 3 + 1 + 5, "bytes": 900},
    }
    shown = (
        "cluster      running   received       sent  drops noted             accepted"
        "              dropped",
        "c01                5    5.0 KiB       50 B            0         18 (3.7 KiB)"
        "            9 (900 B)",
    )
    assert as_text(found) == list(shown)


def card(vmid: int, **figures: tuple[int, int]) -> dict[str, Any]:
    """A card as a lab counts it."""
    names = ("received", "sent", "spoofed", "droppedSent", "droppedReceived")
    zero = {name: {"packets": 0, "bytes": 0} for name in names}
    return {"vmid": vmid, **zero} | {
        name: {"packets": packets, "bytes": size} for name, (packets, size) in figures.items()
    }


def test_guests_that_are_not_there_count_nothing(plan: EventPlan) -> None:
    found = account(chosen(plan, "c02"), [], {})
    assert (found[0].running, found[0].received) == (0, 0)


def test_a_cluster_that_is_not_there_is_named_with_the_nearest(plan: EventPlan) -> None:
    with pytest.raises(RunError, match="sc09 has no cluster c1"):
        chosen(plan, "c1")


def test_logs_are_read_where_a_guest_is_and_refusals_are_no_lines(
    plan: EventPlan, site_api: StandIn, port: int
) -> None:
    head, other = plan.clusters[0].guests[0], plan.clusters[1].guests[0]
    moved = {"vmid": head.vmid, "node": "pve06"}
    site_api.answers[f"/nodes/pve06/qemu/{head.vmid}/firewall/log"] = [{"n": 1, "t": "a line"}]
    site_api.answers[f"/nodes/{other.host}/qemu/{other.vmid}/firewall/log"] = (403, "Forbidden")
    api = Api(f"https://127.0.0.1:{port}", TOKEN, insecure=True)
    guests = [*plan.clusters[0].guests, other]
    assert logs(guests, [moved], api) == {head.vmid: ["a line"], other.vmid: []}
    assert len(site_api.calls) == 2, "a guest without a firewall has no log"


def test_sizes_have_few_digits() -> None:
    assert [size(each) for each in (0, 1023, 1024, 5 << 20, 3 << 40)] == [
        "0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 TiB",
    ]  # fmt: skip
