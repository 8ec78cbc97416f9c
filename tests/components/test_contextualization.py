"""The command that prepares a cluster: one for each, secret inputs, replaced with its guests."""

from __future__ import annotations

import json
from typing import Any

from components.event import build_event
from components.provider import site_provider
from components.secrets import stack_passwords
from tests.components.graph import graph
from tests.plan.making import planned

SECRET = "0123456789abcdef" * 2
CONFIG = {"practicum:apiToken": "root@pam!t=0", "practicum:secret": SECRET}
COMMAND = "command:local:Command"


def commands(config: dict[str, str] = CONFIG, **contextualize: Any) -> dict[str, dict[str, Any]]:
    """Registered commands by name, of an event with this contextualization."""
    plan = planned(clusters={"count": 3}, contextualize=contextualize)

    def build() -> None:
        provider = site_provider(plan.site, plan.api)
        build_event(plan, provider=provider, passwords=stack_passwords())

    found = graph(build, stack="sc09", config=config)
    return {each["name"]: each for each in found if each["type"] == COMMAND}


def test_each_cluster_has_one_command_that_waits_for_its_guests_and_their_rules() -> None:
    found = commands(level="base")
    assert sorted(found) == [
        "c01-contextualization", "c02-contextualization", "c03-contextualization",
        "instructor-contextualization",
    ]  # fmt: skip
    one = found["c02-contextualization"]
    assert one["parent"].endswith("c02")
    assert {each.rpartition("::")[2] for each in one["after"]} >= {
        "c02-head", "c02-n1", "c02-n2", "c02-n3", "c02-n4", "c02-head-rules",
    }  # fmt: skip
    assert one["inputs"]["create"] == "exec ./practicum contextualize-cluster sc09 c02"
    assert one["inputs"]["triggers"][1:] == [
        f"c02-{name}-id" for name in ("head", "n1", "n2", "n3", "n4")
    ]


def test_nothing_is_registered_where_nothing_is_to_be_prepared() -> None:
    assert commands() == {}
    assert sorted(commands(clusters={"c03": "ssh"})) == [
        "c03-contextualization", "instructor-contextualization",
    ]  # fmt: skip


def test_secret_and_token_are_seen_by_nobody() -> None:
    found = commands(level="monitoring")
    assert {each["inputs"]["stdin"] for each in found.values()} == {"[secret]"}
    assert SECRET not in json.dumps(found)


def test_one_changed_cluster_has_another_trigger_and_no_other_has() -> None:
    def digests(**contextualize: Any) -> dict[str, str]:
        found = commands(**contextualize)
        return {name: each["inputs"]["triggers"][0] for name, each in found.items()}

    before, after = digests(level="base"), digests(level="base", clusters={"c02": "ssh"})
    assert {name for name in before if before[name] != after[name]} == {"c02-contextualization"}


def test_a_preview_without_the_secret_shows_the_commands() -> None:
    without = {"practicum:apiToken": "root@pam!t=0"}
    plan = planned(clusters={"count": 1}, contextualize={"level": "base"})

    def build() -> None:
        provider = site_provider(plan.site, plan.api)
        build_event(plan, provider=provider, passwords=lambda _: None)

    found = graph(build, stack="sc09", config=without)
    assert [each["name"] for each in found if each["type"] == COMMAND]
