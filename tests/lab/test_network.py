"""Interfaces of hosts: wanted, applied, and the way between."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab

NET = "nodes/pve1/network"


def test_a_new_bridge_is_active_after_a_reload(lab: ServedLab) -> None:
    lab.call("POST", NET, iface="vmbr7", type="bridge", autostart="1", bridge_vlan_aware="1").ok()
    assert "active" not in lab.get(f"{NET}/vmbr7")
    task = lab.finish(lab.call("PUT", NET).ok())
    assert (task["type"], task["id"], task["status"]) == ("srvreload", "networking", "OK")
    assert lab.get(f"{NET}/vmbr7")["active"] == 1


def test_pending_changes_are_shown_as_a_difference_and_can_be_taken_back(lab: ServedLab) -> None:
    assert lab.call("GET", NET).extra == {}
    lab.call("POST", NET, iface="vmbr7", type="bridge").ok()
    assert "+iface vmbr7 inet manual" in lab.call("GET", NET).extra["changes"]
    lab.call("DELETE", NET).ok()
    assert lab.call("GET", NET).extra == {}
    assert lab.call("GET", f"{NET}/vmbr7").errors == {"iface": "interface does not exist"}


def test_numbers_of_the_file_are_texts_and_flags_numbers(lab: ServedLab) -> None:
    lab.call("POST", NET, iface="vmbr7", type="bridge", mtu="1400", cidr="10.0.7.1/24").ok()
    lab.call("PUT", f"{NET}/vmbr7", type="bridge", bridge_vlan_aware="1", comments="c").ok()
    found = lab.get(f"{NET}/vmbr7")
    assert found["mtu"] == "1400"
    assert found["netmask"] == "24"
    assert found["bridge_fd"] == "0"
    assert found["bridge_vlan_aware"] == 1
    assert found["comments"] == "c\n"


def test_flags_that_are_off_and_empty_texts_are_not_in_the_file(lab: ServedLab) -> None:
    params = {"autostart": "1", "bridge_vlan_aware": "1", "comments": "c"}
    lab.call("POST", NET, iface="vmbr7", type="bridge", **params).ok()
    assert lab.get(f"{NET}/vmbr7")["bridge_vids"] == "2-4094"
    off = {"autostart": "0", "comments": ""}
    lab.call("PUT", f"{NET}/vmbr7", type="bridge", **off).ok()
    assert not {"autostart", "comments"} & lab.get(f"{NET}/vmbr7").keys()


def test_a_bridge_knows_vlans_until_that_is_deleted(lab: ServedLab) -> None:
    lab.call("POST", NET, iface="vmbr7", type="bridge", bridge_vlan_aware="0").ok()
    lab.call("PUT", f"{NET}/vmbr7", type="bridge", bridge_vlan_aware="0").ok()
    assert lab.get(f"{NET}/vmbr7")["bridge_vids"] == "2-4094"
    lab.call("PUT", f"{NET}/vmbr7", type="bridge", delete="bridge_vlan_aware").ok()
    assert not {"bridge_vlan_aware", "bridge_vids"} & lab.get(f"{NET}/vmbr7").keys()


def test_the_file_keeps_kinds_of_interfaces_together(lab: ServedLab) -> None:
    for params in (
        {"iface": "vmbr7", "type": "bridge"},
        {"iface": "vlan9", "type": "vlan", "vlan__raw__device": "vmbr7"},
        {"iface": "eth0.5", "type": "vlan"},
    ):
        lab.call("POST", NET, **params).ok()
    order = [row["iface"] for row in sorted(lab.get(NET), key=lambda row: row["priority"])]
    assert order == ["eth0", "eth0.5", "vmbr0", "vmbr7", "vlan9"]
    assert lab.get(f"{NET}/eth0.5")["vlan-id"] == "5"


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        ({"iface": "vmbr0", "type": "bridge"}, 400, "interface already exists"),
        (
            {"iface": "vmbr8", "type": "bridge", "cidr": "10.0.8.1/24", "gateway": "10.0.8.9"},
            400,
            "Default gateway already exists on interface 'vmbr0'.",
        ),
        (
            {"iface": "vmbr8", "type": "bridge", "address": "10.0.8.1"},
            400,
            "missing property required by 'address'",
        ),
        ({"iface": "x9", "type": "vlan"}, 500, "missing vlan-raw-device option at "),
        (
            {"iface": "bond0", "type": "bond", "slaves": "no0"},
            500,
            "bond 'bond0' - wrong interface type on slave 'no0' ('' != 'eth or bond')",
        ),
        (
            {"iface": "vmbr8", "type": "bridge", "bridge_ports": "no0"},
            500,
            "bridge 'vmbr8' - unable to find bridge port 'no0'",
        ),
    ],
)
def test_an_interface_that_cannot_be_is_refused_and_not_kept(
    lab: ServedLab, params: dict[str, Any], status: int, text: str
) -> None:
    before = lab.get(NET)
    answer = lab.call("POST", NET, **params)
    assert answer.status == status
    assert text in "".join([answer.message, *answer.errors.values()])
    assert lab.get(NET) == before


def test_a_type_filter_shows_only_its_kind(lab: ServedLab) -> None:
    assert [row["iface"] for row in lab.get(NET, type="any_bridge")] == ["vmbr0"]
    assert [row["iface"] for row in lab.get(NET, type="eth")] == ["eth0"]


def test_each_host_has_its_own_interfaces(lab: ServedLab) -> None:
    lab.call("POST", NET, iface="vmbr7", type="bridge").ok()
    assert lab.call("GET", "nodes/pve2/network/vmbr7").status == 400


def test_an_applied_interface_stays_active_until_its_removal_is_applied(lab: ServedLab) -> None:
    lab.call("POST", NET, iface="vmbr7", type="bridge").ok()
    lab.finish(lab.call("PUT", NET).ok())
    lab.call("DELETE", f"{NET}/vmbr7").ok()
    assert "-iface vmbr7 inet manual" in lab.call("GET", NET).extra["changes"]
    lab.finish(lab.call("PUT", NET).ok())
    assert lab.call("GET", NET).extra == {}
