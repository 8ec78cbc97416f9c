"""Services of hosts as resources: one pinned command for each host, before any guest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.event import build_event
from components.provider import site_provider
from components.secrets import stack_passwords
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event
from plan.records import EventPlan
from tests.components.graph import graph

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"practicum:apiToken": "root@pam!t=0", "practicum:secret": "0123456789abcdef" * 2}
COMMAND = "command:remote:Command"


def planned(folder: Path, key_file: str) -> EventPlan:
    """The shipped laptop event on a site with services and an SSH key."""
    site = (ROOT / "tests/event/accepted/Pulumi.served.yaml").read_text()
    (folder / "Pulumi.served.yaml").write_text(site.replace("~/.ssh/id_ed25519", key_file))
    event = (ROOT / "stacks" / "Pulumi.laptop.yaml").read_text().replace("on: lab", "on: served")
    (folder / "Pulumi.laptop.yaml").write_text(event)
    stack = read_stack("laptop", folder)
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def recorded(plan: EventPlan) -> list[dict[str, Any]]:
    def build() -> None:
        provider = site_provider(plan.site, plan.api)
        build_event(plan, provider=provider, passwords=stack_passwords())

    return graph(build, stack="laptop", config=CONFIG)


def test_each_host_gets_a_command_whose_host_key_is_pinned(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a private key")
    plan = planned(tmp_path, str(key))
    found = [each for each in recorded(plan) if each["type"] == COMMAND]
    assert [each["name"] for each in found] == ["laptop-pve01-services", "laptop-pve02-services"]
    for each, host in zip(found, plan.host_services, strict=True):
        connection = each["inputs"]["connection"]
        assert connection == "[secret]" or connection["hostKey"] == host.host_key
        assert each["inputs"]["create"] == host.install
        assert each["inputs"]["delete"] == host.remove
    assert "a private key" not in str(found)


def test_guests_come_after_the_services_of_the_hosts(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a private key")
    guests = [each for each in recorded(planned(tmp_path, str(key))) if "VmLegacy" in each["type"]]
    assert guests
    for guest in guests:
        assert {f"{COMMAND}::laptop-{host}-services" for host in ("pve01", "pve02")} <= set(
            guest["after"]
        )


def test_a_key_file_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    plan = planned(tmp_path, "/nowhere/key")
    with pytest.raises(pulumi.RunError, match=r"site\.ssh\.keyFile: /nowhere/key cannot be read"):
        recorded(plan)
