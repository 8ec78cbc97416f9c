"""Guests of a site with services: routes by their own network, packages from the mirror."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import IPv4Address

from plan.contextualize.bundles import orders_for
from plan.contextualize.levels.services import UNIT
from plan.contextualize.orders import Orders
from plan.records import Service
from tests.plan.making import planned

SECRET = "5e" * 32
MIRROR = Service(
    name="mirror", address=IPv4Address("10.255.255.10"), port=3142, protocol="tcp",
    to=IPv4Address("127.0.0.1"), to_port=3142, mode="proxy",
)  # fmt: skip
FILES = replace(MIRROR, name="files", address=IPv4Address("10.255.255.11"), port=2049)


def orders(*services: Service, cluster: str = "c07") -> tuple[Orders, ...]:
    plan = replace(planned(contextualize={"level": "base"}), services=services)
    return orders_for(plan, cluster, SECRET).guests


def test_a_guest_reaches_each_service_by_its_clusters_network() -> None:
    head, node, *_ = orders(MIRROR, FILES)
    for guest, card in ((head, "eth1"), (node, "eth0")):
        unit = next(each.text for each in guest.files if each.path == UNIT)
        for address in ("10.255.255.10", "10.255.255.11"):
            assert f"ip route replace {address} dev {card}\n" in unit


def test_packages_come_from_the_mirror_before_anything_may_want_one() -> None:
    for guest in orders(MIRROR, FILES):
        first = guest.scripts[0]
        assert first.name == "services"
        assert "MIRROR=http://10.255.255.10:3142\n" in first.text
        subprocess.run(["sh", "-n"], input=first.text, text=True, check=True)


def test_without_a_mirror_packages_come_from_where_they_came() -> None:
    for guest in orders(FILES):
        assert "MIRROR=''\n" in guest.scripts[0].text


def test_without_services_and_outside_of_clusters_there_is_nothing() -> None:
    for guest in (*orders(), *orders(MIRROR, cluster="instructor")):
        assert "services" not in [each.name for each in guest.scripts]
        assert UNIT not in [each.path for each in guest.files]
