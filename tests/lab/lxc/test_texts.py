"""Mounts and network cards of containers: what is written reads back as the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.formats import parse_property_string, print_property_string
from lab.lxc.mounts import parse_mount, print_mount
from lab.storage.sizes import format_size, parse_size

flags = st.sampled_from([0, 1])
mounts = st.fixed_dictionaries(
    {"volume": st.sampled_from(["local:200/vm-200-disk-0.raw", "/srv/data", "thin:8"])},
    optional={
        "size": st.integers(0, 1 << 45),
        "acl": flags,
        "ro": flags,
        "quota": flags,
        "replicate": flags,
        "mountoptions": st.sampled_from(["noatime", "discard;nodev"]),
    },
)
cards = st.fixed_dictionaries(
    {"name": st.from_regex(r"[a-z][a-z0-9]{1,6}", fullmatch=True)},
    optional={
        "bridge": st.sampled_from(["vmbr0", "v1"]),
        "hwaddr": st.just("BC:24:11:00:00:01"),
        "ip": st.sampled_from(["dhcp", "manual", "10.0.0.5/24"]),
        "gw": st.just("10.0.0.1"),
        "ip6": st.sampled_from(["auto", "fd00::5/64"]),
        "tag": st.integers(1, 4094),
        "mtu": st.integers(64, 65535),
        "firewall": flags,
        "rate": st.integers(1, 1000),
        "type": st.just("veth"),
    },
)


@given(mounts)
def test_a_root_file_system_reads_back(mount: dict[str, Any]) -> None:
    assert parse_mount("rootfs", print_mount("rootfs", mount)) == mount


@given(mounts, st.sampled_from(["/data", "/srv/www"]), flags)
def test_a_mount_point_reads_back_with_its_path_second(
    mount: dict[str, Any], path: str, backup: int
) -> None:
    whole = {**mount, "mp": path, "backup": backup}
    text = print_mount("mp0", whole)
    assert text.split(",")[1] == f"mp={path}"
    assert parse_mount("mp0", text) == whole


@given(cards)
def test_a_card_reads_back_with_its_name_first(card: dict[str, Any]) -> None:
    text = print_property_string("pve-lxc-network", card)
    assert text.startswith(f"name={card['name']}")
    assert parse_property_string("pve-lxc-network", text) == card


@given(st.integers(0, 1 << 60))
def test_a_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
