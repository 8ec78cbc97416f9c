"""The firewall's settings as text for nftables: goldens, and what names and sets become.

Goldens are written anew with PRACTICUM_GOLDEN=write in the environment.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from lab.firewall.macros import MEANING, undefined
from lab.firewall.matches import matches
from lab.firewall.nft import ruleset
from lab.firewall.resolve import EMPTY, Scopes
from lab.network.names import Port

GOLDEN = Path(__file__).parent / "golden"
ON = {"options": {"enable": 1}}


def port(vmid: int, nic: int = 0, *, firewall: bool = True) -> Port:
    return Port(
        vmid=vmid, nic=nic, host="pve01", bridge="vmbr0", vlan=90,
        mac=f"02:00:00:00:00:{vmid % 256:02X}", firewall=firewall,
    )  # fmt: skip


HEADS = {
    "cluster": {**ON, "aliases": {"mirror": {"name": "mirror", "cidr": "198.51.100.5"}}},
    "group/heads": {
        "rules": [
            {"type": "in", "action": "ACCEPT", "proto": "tcp", "dport": "22", "enable": 1},
            {"type": "out", "action": "ACCEPT", "proto": "tcp", "dport": "80", "dest": "mirror",
             "enable": 1, "log": "info"},
        ]
    },
    "vm/100711": {
        "options": {"enable": 1, "policy_in": "DROP", "policy_out": "DROP",
                    "log_level_out": "info"},
        "rules": [{"type": "group", "action": "heads", "enable": 1, "iface": "net0"}],
        "ipset": {"ipfilter-net0": {"entries": [{"cidr": "198.51.100.17"}]}},
    },
    "vm/100712": {
        "options": {"enable": 1, "policy_in": "ACCEPT", "macfilter": 0, "dhcp": 0, "ndp": 0,
                    "radv": 1},
        "rules": [{"type": "in", "action": "REJECT", "macro": "Ping", "enable": 1}],
    },
}  # fmt: skip
CASES: dict[str, tuple[list[Port], dict[str, Any], list[str]]] = {
    "nothing": ([], {}, []),
    "heads": ([port(100711), port(100712), port(100713, firewall=False)], HEADS, []),
    "gone": ([port(100712)], HEADS, ["tap100711i0"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rules_of_a_host_are_exactly_what_their_golden_says(name: str) -> None:
    ports, rows, gone = CASES[name]
    text = ruleset(ports, {key: {**EMPTY, **row} for key, row in rows.items()}, gone)
    path = GOLDEN / f"{name}.nft"
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_rules_do_not_depend_on_the_order_of_cards() -> None:
    ports, rows, _ = CASES["heads"]
    complete = {key: {**EMPTY, **row} for key, row in rows.items()}
    assert ruleset(ports, complete) == ruleset(ports[::-1], complete)


def test_every_macro_has_a_meaning() -> None:
    assert not undefined()
    scopes = Scopes(EMPTY, EMPTY)
    for macro in MEANING:
        assert all(matches({"type": "in", "action": "ACCEPT", "macro": macro}, scopes))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [""]),
        ({"proto": "tcp", "dport": "ssh"}, ["meta l4proto tcp th dport 22"]),
        ({"proto": "tcp", "dport": "80,443,81:90"}, ["meta l4proto tcp th dport { 80-90, 443 }"]),
        ({"proto": "icmp", "icmp-type": "host-unreachable"}, ["icmp type 3 icmp code 1"]),
        ({"proto": "icmp", "dport": "echo-request"}, ["icmp type 8"]),
        ({"proto": "icmpv6"}, ["meta l4proto ipv6-icmp"]),
        ({"source": "10.0.0.0/8"}, ["ip saddr 10.0.0.0/8"]),
        ({"source": "10.0.0.1-10.0.0.2"}, ["ip saddr { 10.0.0.1/32, 10.0.0.2/32 }"]),
        ({"dest": "+both"}, ["ip daddr 192.0.2.0/24", "ip6 daddr 2001:db8::/32"]),
        ({"dest": "+both", "proto": "icmp"}, ["ip daddr 192.0.2.0/24 meta l4proto icmp"]),
        ({"dest": "+empty"}, []),
        ({"dest": "+dc/both", "source": "10.0.0.1"},
         ["ip saddr 10.0.0.1/32 ip daddr 192.0.2.0/24"]),
        ({"dest": "+guest/both"}, []),
        ({"source": "gate"}, ["ip saddr 192.0.2.1/32"]),
        ({"source": "nosuch"}, []),
    ],
)  # fmt: skip
def test_a_rule_becomes_what_packets_must_fulfil(
    fields: dict[str, str], expected: list[str]
) -> None:
    cluster = {
        **EMPTY,
        "aliases": {"gate": {"name": "gate", "cidr": "192.0.2.1"}},
        "ipset": {
            "both": {"entries": [{"cidr": "192.0.2.0/24"}, {"cidr": "2001:db8::/32"}]},
            "empty": {"entries": []},
        },
    }
    rule = {"type": "in", "action": "ACCEPT", **fields}
    assert matches(rule, Scopes(cluster, EMPTY)) == expected


def test_the_longer_prefix_decides_in_an_ip_set() -> None:
    entries: list[dict[str, Any]] = [
        {"cidr": "10.0.0.0/30", "nomatch": 1},
        {"cidr": "10.0.0.0/29"},
        {"cidr": "10.0.0.2"},
    ]
    found = Scopes(EMPTY, EMPTY).entries(entries)
    assert found == [ip_network("10.0.0.2/32"), ip_network("10.0.0.4/30")]
