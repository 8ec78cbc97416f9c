"""The resource graph of the shipped stacks: goldens, and what holds for every one of them."""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.event import build_event
from components.provider import site_provider
from components.secrets import stack_passwords
from components.site import build_site
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event, plan_site
from tests.components.graph import graph

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
SITES = ("lab", "ncar", "adams-state")
EVENTS = ("laptop", "sc09", "ncar-sc09", "adams-class")
CONFIG = {"practicum:apiToken": "root@pam!t=0", "practicum:secret": "0123456789abcdef" * 2}
VM = "proxmoxve:index/vmLegacy:VmLegacy"

Record = dict[str, Any]


@cache
def recorded(name: str) -> list[Record]:
    """The graph of a shipped stack."""
    stack = read_stack(name, ROOT / "stacks")

    def build() -> None:
        if isinstance(stack, EventStack):
            event = plan_event(stack)
            provider = site_provider(event.site, event.api)
            build_event(event, provider=provider, passwords=stack_passwords())
        else:
            site = plan_site(stack)
            provider = site_provider(stack.name, site.api)
            build_site(site, provider=provider, passwords=stack_passwords())

    return graph(build, stack=name, config=CONFIG)


def of_type(name: str, part: str) -> list[Record]:
    return [each for each in recorded(name) if part in each["type"]]


@pytest.mark.parametrize("name", ["laptop", "adams-class", "lab", "adams-state"])
def test_the_graph_is_exactly_what_its_golden_says(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(recorded(name), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_sc09_is_131_guests_in_26_clusters_with_few_other_resources() -> None:
    types = Counter(each["type"].split(":")[-1] for each in recorded("sc09"))
    assert types == {
        "VmLegacy": 131,
        "VirtualCluster": 26,
        "Instructor": 1,
        "RulesLegacy": 27,
        "IpsetLegacy": 27,  # the address that each head and the instructors' node may send from
        "GroupLegacy": 1,  # the heads' security group; the site makes the event's access
        "proxmoxve": 1,
    }


def test_a_site_of_66_hosts_has_a_template_on_each() -> None:
    templates = [each["inputs"] for each in of_type("ncar", VM)]
    assert len({each["vmId"] for each in templates}) == 66
    assert len({each["nodeName"] for each in templates}) == 66
    assert all(each["template"] for each in templates)


def test_bridges_are_made_one_after_the_other() -> None:
    bridges = of_type("ncar", "Bridge")
    assert sum(1 for each in bridges if not each.get("after")) == 1


@pytest.mark.parametrize("name", EVENTS)
def test_every_guest_is_removed_before_it_is_made_anew(name: str) -> None:
    assert all(each["deleteBeforeReplace"] for each in of_type(name, VM))


@pytest.mark.parametrize("name", EVENTS)
def test_firewall_objects_go_with_their_guest(name: str) -> None:
    guarded = of_type(name, "proxmoxve:firewall/")
    assert guarded
    assert all(each["deletedWith"].startswith(VM) for each in guarded)


@pytest.mark.parametrize("name", EVENTS)
def test_every_guest_carries_our_mark_in_tags_and_description(name: str) -> None:
    for each in of_type(name, VM):
        tags = each["inputs"]["tags"]
        assert {"practicum", name} <= set(tags)
        assert tags == sorted(tags)
        assert each["inputs"]["description"].startswith(f"practicum:{name}:")


@pytest.mark.parametrize("name", SITES + EVENTS)
def test_objects_without_tags_carry_our_mark_in_their_comment(name: str) -> None:
    commented = [
        each["inputs"].get("comment", "")
        for each in recorded(name)
        if each["type"].split(":")[-1] in ("PoolLegacy", "GroupLegacy", "Bridge", "UserLegacy")
    ]
    assert commented
    assert all(comment.startswith(f"practicum:{name}") for comment in commented)


@pytest.mark.parametrize("name", EVENTS)
def test_passwords_are_secrets_of_the_graph(name: str) -> None:
    for each in of_type(name, VM):
        account = each["inputs"]["initialization"]["userAccount"]
        assert account["password"] == "[secret]"
