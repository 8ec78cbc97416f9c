"""What single guests get: NICs, documents, logins, and the instructors' view of all clusters."""

from __future__ import annotations

import pytest

from plan.documents import HOSTS_PATH, HOSTS_TEMPLATE_PATH, TRUNK_PREFIX
from plan.records import EventPlan, Guest
from tests.plan.making import planned, site_stack


def guest(plan: EventPlan, name: str) -> Guest:
    return next(guest for guest in plan.guests if guest.name == name)


def document(guest: Guest, path: str) -> str:
    return next(document.text for document in guest.documents if document.path == path)


def test_a_head_is_guarded_outside_and_plain_inside() -> None:
    head = guest(planned(network={"exposedAddresses": "198.51.7.0-198.51.7.99"}), "c07-head")
    outside, inside = head.interfaces
    assert (str(outside.address), str(outside.gateway)) == ("198.51.7.7/16", "198.51.0.1")
    assert (outside.firewall, outside.dhcp, outside.bridge) == (True, False, "vmbr0")
    assert (inside.firewall, inside.gateway, inside.vlan) == (False, None, 107)
    assert head.security_group == "sc09-heads"


def test_a_head_without_addresses_uses_dhcp_and_is_told_no_gateway() -> None:
    outside = guest(planned(), "c07-head").interfaces[0]
    assert outside.dhcp
    assert outside.address is None
    assert outside.gateway is None


def test_a_compute_node_has_no_way_out() -> None:
    node = guest(planned(), "c07-n1")
    assert [nic.network for nic in node.interfaces] == ["c07"]
    assert node.interfaces[0].gateway is None
    assert node.security_group is None


def test_an_exposed_storage_node_gets_its_outer_address_by_dhcp() -> None:
    override = {"c07": {"nodeGroups": {"storage": {"image": "debian-12", "exposed": True}}}}
    network = {"exposedAddresses": "198.51.7.0-198.51.7.99"}
    node = guest(planned(overrides=override, network=network), "c07-storage1")
    assert [nic.network for nic in node.interfaces] == ["exposed", "c07"]
    assert node.interfaces[0].dhcp
    assert node.security_group == "sc09-heads"


def test_a_hosts_file_names_the_nodes_of_its_own_cluster_only() -> None:
    plan = planned()
    text = document(guest(plan, "c07-n1"), HOSTS_PATH)
    assert text == (
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        "10.0.7.1 head c07-head\n"
        "10.0.7.11 n1 c07-n1\n10.0.7.12 n2 c07-n2\n10.0.7.13 n3 c07-n3\n10.0.7.14 n4 c07-n4\n"
    )
    template = document(guest(plan, "c07-n1"), HOSTS_TEMPLATE_PATH)
    assert template == f"## template:basic\n{text}"
    assert "$" not in text


def test_the_instructors_hosts_file_names_every_node_once() -> None:
    lines = document(guest(planned(), "instructor"), HOSTS_PATH).splitlines()[2:]
    assert len(lines) == 130
    assert "10.0.7.11 c07-n1" in lines


def test_the_instructors_node_has_a_leg_on_every_cluster_network() -> None:
    plan = planned(clusters={"count": 31})
    assert plan.instructor is not None
    legs = plan.instructor.interfaces
    assert len(legs) == 32
    assert [nic.vlan for nic in legs[1:]] == [c.network.vlan for c in plan.clusters]
    assert all(nic.address and nic.address.ip in c.network.subnet
               for nic, c in zip(legs[1:], plan.clusters, strict=True))  # fmt: skip
    assert [nic.gateway for nic in legs[1:]] == [None] * 31


def test_above_thirty_one_clusters_one_trunk_carries_all_networks() -> None:
    plan = planned(clusters={"count": 40, "retire": [5]})
    assert plan.instructor is not None
    outside, trunk = plan.instructor.interfaces
    assert outside.firewall
    assert not trunk.firewall
    assert trunk.vlan == 100
    assert trunk.trunks == tuple(c.network.vlan for c in plan.clusters)
    assert 105 not in trunk.trunks


def test_the_trunks_networks_are_described_for_networkd() -> None:
    plan = planned(clusters={"count": 32, "retire": [5]})
    assert plan.instructor is not None
    texts = {
        each.path.removeprefix(TRUNK_PREFIX): each.text
        for each in plan.instructor.documents
        if each.path.startswith(TRUNK_PREFIX)
    }
    assert len(texts) == 1 + 2 * 31
    assert "MACAddress=02:00:01:86:a1:01\n" in texts["trunk.network"]
    assert texts["trunk.network"].count("VLAN=") == 31
    assert "VLAN=vlan132\n" in texts["trunk.network"]
    assert "VLAN=vlan105\n" not in texts["trunk.network"]
    assert texts["vlan132.netdev"] == (
        "[Match]\nVirtualization=!container\n\n"
        "[NetDev]\nName=vlan132\nKind=vlan\nDescription=c32\n\n[VLAN]\nId=132\n"
    )
    assert "Address=10.0.32.254/24\n" in texts["vlan132.network"]


def test_a_cluster_has_one_password_and_the_instructor_another() -> None:
    plan = planned()
    labels = {guest.login.password_label for guest in plan.guests}
    assert len(labels) == 27
    assert guest(plan, "c07-head").login == guest(plan, "c07-n4").login


def test_logins_carry_the_keys_of_the_event() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    plan = planned(participants={"user": "guest", "sshKeys": [key]})
    assert {guest.login.user for guest in plan.guests} == {"guest"}
    assert {guest.login.ssh_keys for guest in plan.guests} == {(key,)}


def test_guests_carry_the_mark_in_tags_and_description() -> None:
    plan = planned(overrides={"c07": {"title": "Group <seven>"}})
    assert guest(plan, "c07-n1").tags == ("c07", "practicum", "sc09")
    assert guest(plan, "c07-n1").description == "practicum:sc09:c07-n1 Group <seven>"
    assert guest(plan, "c08-n1").description == "practicum:sc09:c08-n1 Linux Cluster Construction"


def test_instructors_may_watch_and_reset_but_not_rebuild() -> None:
    access = planned().access
    assert access.pool == "practicum-sc09"
    assert list(access.privileges) == sorted(access.privileges)
    assert not [p for p in access.privileges if p.startswith(("VM.Config", "VM.Allocate", "Sys"))]


@pytest.mark.parametrize("start", [True, False])
def test_guests_start_as_the_event_says(start: bool) -> None:
    assert {guest.start for guest in planned(start=start).guests} == {start}


def test_a_guest_is_cloned_from_the_template_of_its_host_if_storages_are_local() -> None:
    groups = {"head": {"image": "windows", "exposed": True}}
    plan = planned(site_stack(), nodeGroups=groups, instructor=None)
    assert {(g.host, g.template.vmid) for g in plan.guests} == {
        (f"pve{n:02d}", 9099 + n) for n in range(1, 7)
    }
