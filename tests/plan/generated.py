"""Generated events: any that the models allow, small enough to plan many of them."""

from __future__ import annotations

from hypothesis import strategies as st

from event.stack import EventStack
from tests.plan.making import Json, event_stack, host, site_stack

IMAGES = st.sampled_from(["debian-12", "windows"])


@st.composite
def hosts(draw: st.DrawFn, *, roomy: bool) -> list[Json]:
    """One to nine hosts, at least one of which takes guests; small ones unless `roomy`."""
    rows = []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        size = {"cores": 8192, "memoryGib": 8192, "diskGib": 200_000}
        if not roomy:
            size = {"cores": draw(st.integers(2, 24)), "memoryGib": 16, "diskGib": 400}
        share = draw(st.sampled_from([1, 1, 1, 2, 3, 0]))
        drain = draw(st.sampled_from([False, False, False, True]))
        rows.append(host(f"pve{number:02d}", share=share, drain=drain, **size))
    if not any(row["share"] and not row["drain"] for row in rows):
        rows[0] |= {"share": 1, "drain": False}
    return rows


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Json]:
    """A head and up to three other groups."""
    chosen: dict[str, Json] = {
        "head": {"image": draw(IMAGES), "cores": draw(st.integers(1, 3)), "exposed": True}
    }
    if draw(st.booleans()):
        chosen["compute"] = {"image": draw(IMAGES), "count": draw(st.integers(0, 6))}
    if draw(st.booleans()):
        chosen["storage"] = {"image": "debian-12", "exposed": draw(st.booleans())}
    if draw(st.booleans()):
        chosen["desktop"] = {
            "image": "windows", "count": draw(st.integers(1, 3)), "firstNumber": 31,
        }  # fmt: skip
    return chosen


@st.composite
def overrides(draw: st.DrawFn, numbers: list[int], pinnable: list[str]) -> dict[str, Json]:
    """Some clusters that differ: more nodes, an added group, a pinned node."""
    chosen: dict[str, Json] = {}
    for number in draw(st.lists(st.sampled_from(numbers), unique=True, max_size=3)):
        override: Json = {"nodeGroups": {}}
        if draw(st.booleans()):
            override["nodeGroups"]["compute"] = {
                "image": "debian-12", "count": draw(st.integers(0, 9)),
            }  # fmt: skip
        if draw(st.booleans()):
            override["nodeGroups"]["gpu"] = {"image": "debian-12", "firstNumber": 81}
        if draw(st.booleans()) and pinnable:
            override["hosts"] = {"head": draw(st.sampled_from(pinnable))}
        if draw(st.booleans()):
            override["egress"] = [{"to": "192.0.2.7", "port": 443}]
        chosen[f"c{number:02d}"] = override
    return chosen


@st.composite
def event_stacks(draw: st.DrawFn, *, roomy: bool = True) -> EventStack:
    """An event on a site; with `roomy` it fits, else it may not."""
    rows = draw(hosts(roomy=roomy))
    count = draw(st.integers(0, 40 if roomy else 12))
    retire = draw(st.lists(st.integers(1, count), unique=True, max_size=4)) if count else []
    left = [number for number in range(1, count + 1) if number not in retire]
    pinnable = [row["name"] for row in rows if not row["drain"]]
    return event_stack(
        site_stack(rows),
        clusters={"count": count, "retire": retire},
        nodeGroups=draw(groups()),
        overrides=draw(overrides(left, pinnable)) if left else {},
        instructor=draw(st.sampled_from([None, {"image": "debian-12"}, {"image": "windows"}])),
        network=draw(
            st.sampled_from(
                [
                    {},
                    {"exposedAddresses": "198.51.7.0-198.51.8.255"},
                    {"private": "192.168.0.0/16", "subnetPrefix": 25, "vlans": "500-599"},
                ]
            )
        ),
    )
