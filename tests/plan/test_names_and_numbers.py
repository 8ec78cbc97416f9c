"""Names, VMIDs, MACs, VLANs and addresses follow from identity alone."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan import addressing, naming, numbers

STACKS = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_node_seven_of_cluster_three_has_its_numbers() -> None:
    vmid = numbers.vmid(100_000, 3, 7)
    assert vmid == 100_307
    assert numbers.mac(vmid, 0) == "02:00:01:87:D3:00"
    assert numbers.mac(vmid, 31) == "02:00:01:87:D3:1F"
    assert numbers.vlan(100, 3) == 103


@given(st.integers(100, 999_999_999), st.integers(0, 31))
def test_a_mac_is_unicast_and_locally_administered(vmid: int, nic: int) -> None:
    first = int(numbers.mac(vmid, nic)[:2], 16)
    assert first & 0b01 == 0
    assert first & 0b10


@given(STACKS, st.sampled_from(["heads", "c07", "a-very-long-prefix-07"]))
def test_a_security_group_has_a_name_that_proxmox_ve_takes(stack: str, scope: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,17}", naming.security_group_name(stack, scope))


def test_long_names_that_begin_alike_stay_apart() -> None:
    one = naming.security_group_name("linux-cluster-construction-2025", "heads")
    other = naming.security_group_name("linux-cluster-construction-2026", "heads")
    assert one != other
    assert one.startswith("linux-")
    assert naming.security_group_name("sc09", "heads") == "sc09-heads"


def test_tags_are_as_proxmox_ve_reads_them_back() -> None:
    assert naming.tags("sc09", "c07") == ("c07", "practicum", "sc09")
    assert naming.tags("Practicum", "practicum") == ("practicum",)


def test_a_mark_is_one_line_whatever_the_title_is() -> None:
    assert naming.mark("sc09", "c07-n1") == "practicum:sc09:c07-n1"
    assert naming.mark("sc09", "c07", "A\nB\x00 \u2028C") == "practicum:sc09:c07 A B C"
    assert naming.mark("sc09", "c07", "Übung <b>") == "practicum:sc09:c07 Übung <b>"


def test_the_seventh_cluster_has_the_seventh_subnet() -> None:
    net = addressing.subnet(IPv4Network("10.0.0.0/16"), 24, 7)
    assert net == IPv4Network("10.0.7.0/24")
    assert addressing.node_address(net, 11) == IPv4Interface("10.0.7.11/24")
    assert addressing.instructor_address(net) == IPv4Interface("10.0.7.254/24")


@pytest.mark.parametrize("prefix", [16, 20, 23, 24, 25])
def test_subnets_agree_with_the_standard_library(prefix: int) -> None:
    private = IPv4Network("10.32.0.0/13")
    expected = list(private.subnets(new_prefix=prefix))[:50]
    assert [addressing.subnet(private, prefix, n) for n in range(len(expected))] == expected
    assert addressing.subnet_count(private, prefix) == 2 ** (prefix - 13)


@pytest.mark.parametrize(
    ("subnets", "prefix"), [(1, 24), (2, 23), (3, 22), (27, 19), (256, 16), (257, 15)]
)
def test_a_range_that_fits_is_the_smallest_one(subnets: int, prefix: int) -> None:
    assert addressing.prefix_that_fits(subnets, 24) == prefix
    assert addressing.subnet_count(IPv4Network(f"10.0.0.0/{prefix}"), 24) >= subnets


@pytest.mark.parametrize(
    ("network", "private"),
    [("10.0.0.0/8", True), ("172.31.0.0/16", True), ("192.168.4.0/22", True),
     ("172.32.0.0/16", False), ("192.0.2.0/24", False), ("0.0.0.0/0", False)],
)  # fmt: skip
def test_private_ranges_are_those_of_rfc_1918(network: str, private: bool) -> None:
    assert addressing.is_private(IPv4Network(network)) == private
