"""Services: what hosts get, as goldens; and what an event's plan says of them.

Goldens are written anew with PRACTICUM_GOLDEN=write in the environment.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from event.read import read_stack
from event.stack import EventStack, SiteStack
from plan.plan import plan_event, plan_site
from plan.records import EventPlan, Service
from plan.service_files import Leg, Wiring, files, host_rules, install_script, remove_script

GOLDEN = Path(__file__).parent / "golden" / "services"
ROOT = Path(__file__).resolve().parents[2]
MIRROR = Service(
    name="mirror", address=IPv4Address("10.255.255.10"), port=3142, protocol="tcp",
    to=IPv4Address("127.0.0.1"), to_port=3142, mode="proxy",
)  # fmt: skip
TIME = Service(
    name="time", address=IPv4Address("10.255.255.10"), port=123, protocol="udp",
    to=IPv4Address("192.0.2.1"), to_port=123, mode="masquerade",
)  # fmt: skip
FILES = replace(MIRROR, name="files", address=IPv4Address("10.255.255.11"), port=2049)
WIRING = Wiring(
    legs=tuple(
        Leg(bridge="vmbr1", vlan=100 + n, subnet=IPv4Network(f"10.0.{n}.0/24")) for n in (1, 2)
    ),
    uplinks=("eno2", "eno3"),
)
CASES = {
    "mirror": ([MIRROR], WIRING),
    "several": ([MIRROR, TIME, FILES], WIRING),
    "one-host": ([MIRROR], Wiring(legs=WIRING.legs[:1], uplinks=())),
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3vYh1mCw8m6UQXx1H0fCkGvV1uCk9N4sW8b6a8q0Yt"


@pytest.mark.parametrize("name", CASES)
def test_what_a_host_gets_is_exactly_what_its_golden_says(name: str) -> None:
    services, wiring = CASES[name]
    for kind, made in (("install", install_script), ("remove", remove_script)):
        path = GOLDEN / f"{name}.{kind}.sh"
        text = made("sc09", services, wiring)
        if os.environ.get("PRACTICUM_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()


@pytest.mark.parametrize("name", CASES)
def test_the_commands_of_a_host_are_sound_shell(name: str) -> None:
    for made in (install_script, remove_script):
        text = made("sc09", *CASES[name])
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_everything_that_is_put_on_a_host_is_removed_again() -> None:
    services, wiring = CASES["several"]
    removed = remove_script("sc09", services, wiring)
    assert all(f"rm -f {path}" in removed for path in files("sc09", services, wiring))


def test_two_events_on_a_host_have_nothing_in_common() -> None:
    services, wiring = CASES["several"]
    one, other = (set(files(stack, services, wiring)) for stack in ("sc09", "sc10"))
    assert not one & other
    assert "practicum_sc09" in host_rules("sc09", services, wiring)
    assert "practicum_sc09" not in host_rules("sc10", services, wiring)


def test_a_leg_with_a_long_name_is_shortened_and_stays_apart() -> None:
    legs = [
        Leg(bridge=bridge, vlan=1000, subnet=IPv4Network("10.0.0.0/24"))
        for bridge in ("clusterbridge1", "clusterbridge2", "vmbr1")
    ]
    assert len({leg.name for leg in legs}) == 3
    assert all(len(leg.name) <= 15 for leg in legs)


def planned(folder: Path, services: str) -> tuple[EventPlan, SiteStack]:
    """The shipped laptop event, on the lab's site with these services in its file and no lab."""
    lab = (ROOT / "stacks" / "Pulumi.lab.yaml").read_text()
    real = re.sub(r"    services:.*\n( {6}.*\n)+", "", lab[: lab.index("  practicum:lab:")])
    (folder / "Pulumi.lab.yaml").write_text(real + services)
    laptop = (ROOT / "stacks" / "Pulumi.laptop.yaml").read_text()
    (folder / "Pulumi.laptop.yaml").write_text(laptop)
    stack = read_stack("laptop", folder)
    assert isinstance(stack, EventStack)
    return plan_event(stack), stack.site


SERVICES = """\
    services:
      mirror: {address: 10.255.255.10, port: 3142, to: 127.0.0.1}
"""
SSH = f"""\
    ssh:
      hosts:
        pve02: {{address: 192.0.2.12, hostKey: "{KEY}"}}
        pve05: {{hostKey: "{KEY}"}}
"""


def test_hosts_that_ssh_reaches_get_the_services_of_the_site(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, SERVICES + SSH)
    assert [(each.host, each.address) for each in plan.host_services] == [
        ("pve02", "192.0.2.12"), ("pve05", "pve05"),
    ]  # fmt: skip
    assert plan.services == (MIRROR,)
    assert "10.1.1.0/24 dev vmbr1.201" in plan.host_services[0].install


def test_hosts_without_ssh_are_warned_of_unless_a_lab_stands_in(tmp_path: Path) -> None:
    _, site = planned(tmp_path, SERVICES + SSH)
    warnings = plan_site(site).warnings
    assert any("4 of 6 hosts without SSH, e.g. pve01" in each for each in warnings)
    _, lab = planned(tmp_path, SERVICES + "  practicum:lab: {}\n")
    assert not any("SSH" in each for each in plan_site(lab).warnings)


def test_without_services_nothing_is_put_anywhere(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, SSH)
    assert (plan.services, plan.host_services) == ((), ())
