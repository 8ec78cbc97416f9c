"""Firewall settings of datacenter, security groups, hosts and guests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab

CLUSTER = "cluster/firewall"
HOST = "nodes/pve1/firewall"
GUEST = "nodes/pve1/qemu/100/firewall"


def accept(lab: ServedLab, path: str, **params: Any) -> None:
    lab.call("POST", path, type="in", action="ACCEPT", **params).ok()


@pytest.mark.parametrize("scope", [CLUSTER, HOST, GUEST])
def test_options_are_set_read_and_deleted_in_every_scope(lab: ServedLab, scope: str) -> None:
    lab.call("PUT", f"{scope}/options", enable="1").ok()
    assert lab.get(f"{scope}/options")["enable"] == 1
    lab.call("PUT", f"{scope}/options", delete="enable").ok()
    assert set(lab.get(f"{scope}/options")) == {"digest"}
    answer = lab.call("PUT", f"{scope}/options", delete="nosuch")
    assert answer.errors == {"delete": "no such option 'nosuch'"}


@pytest.mark.parametrize("scope", [CLUSTER, HOST, GUEST])
def test_a_position_is_a_text_alone_and_a_number_in_a_list(lab: ServedLab, scope: str) -> None:
    accept(lab, f"{scope}/rules", proto="tcp", dport="22")
    assert lab.get(f"{scope}/rules")[0]["pos"] == 0
    assert lab.get(f"{scope}/rules/0")["pos"] == "0"


def test_a_new_rule_comes_first_whatever_position_is_given(lab: ServedLab) -> None:
    for name in "abc":
        accept(lab, f"{CLUSTER}/rules", comment=name, pos="2")
    assert [rule["comment"] for rule in lab.get(f"{CLUSTER}/rules")] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("pos", "target", "order"), [(0, 2, "bac"), (0, 3, "bca"), (2, 0, "cab"), (1, 1, "abc")]
)
def test_a_moved_rule_stands_before_the_one_at_its_target(
    lab: ServedLab, pos: int, target: int, order: str
) -> None:
    for name in "cba":
        accept(lab, f"{CLUSTER}/rules", comment=name)
    lab.call("PUT", f"{CLUSTER}/rules/{pos}", moveto=target).ok()
    assert "".join(rule["comment"] for rule in lab.get(f"{CLUSTER}/rules")) == order


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ({"type": "in", "action": "NOPE"}, "action", "unknown action 'NOPE'"),
        ({"macro": "NoMacro"}, "macro", "unknown macro 'NoMacro'"),
        ({"dport": "22"}, "proto", "missing property - 'dport' requires this property"),
        ({"proto": "gre", "dport": "22"}, "dport", "protocol 'gre' does not support ports"),
        ({"proto": "tcp", "dport": "99999"}, "dport", "invalid format - invalid port '99999'\n"),
        ({"icmp-type": "any"}, "proto", "missing property - 'icmp-type' requires this property"),
        ({"source": "+nope"}, "source", "no such ipset 'nope'"),
        ({"source": "nope"}, "source", "no such alias 'nope'"),
        (
            {"source": "10.0.0.0/8", "dest": "fd00::/8"},
            "dest",
            "detected mixed ipv4/ipv6 addresses in rule",
        ),
        (
            {"source": "10.0.0.5/24"},
            "source",
            "invalid format - invalid IP address: Invalid prefix "
            "00001010000000000000000000000101/24\n",
        ),
        (
            {"dest": "somewhere!"},
            "dest",
            "invalid format - invalid IP address: Invalid chars in IP somewhere!\n",
        ),
        (
            {"source": "10.0.0.9-10.0.0.1"},
            "source",
            "invalid format - invalid IP address: Begin address is greater than End address "
            "10.0.0.9 - 10.0.0.1\n",
        ),
        (
            {"source": "10.0.0.1,fd00::1"},
            "source",
            "invalid format - detected mixed ipv4/ipv6 addresses in address list "
            "'10.0.0.1,fd00::1'\n",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(
    lab: ServedLab, rule: dict[str, str], name: str, text: str
) -> None:
    answer = lab.call("POST", f"{CLUSTER}/rules", **({"type": "in", "action": "ACCEPT"} | rule))
    assert answer.errors == {name: text}


def test_a_guests_rules_name_its_cards_only(lab: ServedLab) -> None:
    accept(lab, f"{GUEST}/rules", iface="net0")
    answer = lab.call("POST", f"{GUEST}/rules", type="in", action="ACCEPT", iface="vmbr0")
    assert answer.errors == {"iface": r"value does not match the regex pattern 'net\d+'"}


def test_empty_fields_of_a_rule_are_no_fields(lab: ServedLab) -> None:
    accept(lab, f"{CLUSTER}/rules", source="", dport="", macro="ssh", comment="")
    rule = lab.get(f"{CLUSTER}/rules/0")
    assert {k: v for k, v in rule.items() if k != "digest"} == {
        "type": "in",
        "action": "ACCEPT",
        "enable": 0,
        "macro": "SSH",
        "pos": "0",
    }


def test_a_stale_digest_refuses_the_change(lab: ServedLab) -> None:
    accept(lab, f"{CLUSTER}/rules")
    digest = lab.get(f"{CLUSTER}/rules/0")["digest"]
    lab.call("PUT", f"{CLUSTER}/rules/0", digest=digest, comment="new").ok()
    answer = lab.call("PUT", f"{CLUSTER}/rules/0", digest=digest, comment="newer")
    assert answer.reason == (
        "detected modified configuration - file changed by other user? Try again."
    )


def test_a_security_group_is_emptied_before_it_goes(lab: ServedLab) -> None:
    lab.call("POST", f"{CLUSTER}/groups", group="web", comment="c").ok()
    accept(lab, f"{CLUSTER}/groups/web", macro="HTTPS")
    answer = lab.call("DELETE", f"{CLUSTER}/groups/web")
    assert answer.reason == "Security group 'web' is not empty"
    lab.call("POST", f"{CLUSTER}/groups", group="site", rename="web").ok()
    assert [rule["macro"] for rule in lab.get(f"{CLUSTER}/groups/site")] == ["HTTPS"]
    lab.call("DELETE", f"{CLUSTER}/groups/site/0").ok()
    assert lab.get(f"{CLUSTER}/groups/site") == []
    lab.call("DELETE", f"{CLUSTER}/groups/site").ok()
    assert lab.call("GET", f"{CLUSTER}/groups/site").reason == "no such security group 'site'"


def test_entries_of_a_set_lose_their_host_bits(lab: ServedLab) -> None:
    lab.call("POST", f"{CLUSTER}/ipset", name="net").ok()
    lab.call("POST", f"{CLUSTER}/ipset/net", cidr="10.6.0.9/16", nomatch="1").ok()
    assert lab.get(f"{CLUSTER}/ipset/net/10.6.0.0/16")["nomatch"] == 1
    lab.call("DELETE", f"{CLUSTER}/ipset/net/10.6.0.0/16").ok()
    assert lab.get(f"{CLUSTER}/ipset/net") == []


def test_the_case_of_an_aliass_name_does_not_matter(lab: ServedLab) -> None:
    lab.call("POST", f"{CLUSTER}/aliases", name="Net", cidr="10.0.0.1/8").ok()
    assert lab.get(f"{CLUSTER}/aliases/net")["cidr"] == "10.0.0.1/8"
    accept(lab, f"{CLUSTER}/rules", source="nEt")
    assert lab.get(f"{CLUSTER}/rules/0")["ipversion"] == 4
    lab.call("PUT", f"{CLUSTER}/aliases/net", cidr="fd00::1", rename="other").ok()
    assert lab.call("GET", f"{CLUSTER}/aliases/net").errors == {"name": "no such alias"}


def test_a_clone_has_its_sources_rules(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100").ok())
    accept(lab, f"{GUEST}/rules", comment="mine")
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok())
    rules = lab.get("nodes/pve1/qemu/101/firewall/rules")
    assert [rule["comment"] for rule in rules] == ["mine"]


def test_settings_of_a_guest_that_does_not_exist_can_be_written(lab: ServedLab) -> None:
    accept(lab, "nodes/pve1/qemu/555/firewall/rules")
    assert len(lab.get("nodes/pve1/qemu/555/firewall/rules")) == 1


def test_what_a_call_leaves_empty_is_not_in_the_rule(lab: ServedLab) -> None:
    nothing = dict.fromkeys(("proto", "dport", "sport", "source", "dest", "icmp__type"), "")
    rules = "cluster/firewall/rules"
    lab.call("POST", rules, type="in", action="ACCEPT", macro="SSH", **nothing).ok()
    assert not lab.get(rules)[0].keys() & {"proto", "dport", "sport", "source", "dest"}
    wrong = lab.call("POST", rules, type="in", action="ACCEPT", proto="icmp", icmp__type="nosuch")
    assert wrong.errors == {"icmp-type": "invalid format - invalid icmp-type value 'nosuch'\n"}


def test_a_lab_whose_guests_send_nothing_has_an_empty_log(lab: ServedLab) -> None:
    for path in (HOST, GUEST):
        answer = lab.call("GET", f"{path}/log")
        assert answer.ok() == [{"n": 1, "t": "no content"}]
        assert answer.extra == {"total": 1}
