"""What heads may reach: an allow list, told in rules; everything else is dropped by policy."""

from __future__ import annotations

from typing import Any

import pytest

from event.problems import PlanError
from plan.records import EventPlan
from tests.plan.making import Json, planned, site_stack


def rules(plan: EventPlan) -> list[str]:
    return [
        f"{r.direction} {r.protocol} {r.source or '*'} {r.dest or '*'} {r.port or '*'}"
        for r in plan.security_group.rules
    ]


def test_an_event_without_rules_lets_ssh_in_and_names_out() -> None:
    assert rules(planned()) == [
        "in tcp * * 22",
        "out udp * 198.51.0.2/32 53",
        "out tcp * 198.51.0.2/32 53",
    ]


def test_every_rule_accepts_and_comes_in_the_order_of_the_file() -> None:
    egress = [{"to": "192.0.2.5", "port": 80}, {"to": "192.0.2.0/28", "protocol": "icmp"}]
    plan = planned(network={"egress": egress, "ingress": []})
    assert rules(plan)[-2:] == ["out tcp * 192.0.2.5/32 80", "out icmp * 192.0.2.0/28 *"]
    assert {rule.action for rule in plan.security_group.rules} == {"ACCEPT"}


def test_a_rule_that_covers_the_name_server_makes_ours_needless() -> None:
    egress = [{"to": "198.51.0.0/24", "protocol": "udp"}]
    plan = planned(network={"egress": egress})
    assert rules(plan) == [
        "in tcp * * 22", "out tcp * 198.51.0.2/32 53", "out udp * 198.51.0.0/24 *",
    ]  # fmt: skip


def test_a_site_without_name_servers_opens_nothing_for_them() -> None:
    assert rules(planned(site_stack(network={}))) == ["in tcp * * 22"]


def test_a_cluster_with_an_egress_of_its_own_has_a_group_of_its_own() -> None:
    plan = planned(overrides={"c07": {"egress": [{"to": "192.0.2.7", "port": 443}]}})
    own = plan.clusters[6].security_group
    assert own is not None
    assert own.name == "sc09-c07"
    assert {g.security_group for g in plan.clusters[6].guests} == {"sc09-c07", None}
    assert [c.name for c in plan.clusters if c.security_group] == ["c07"]


@pytest.mark.parametrize(
    ("egress", "message"),
    [
        ([{"to": "192.0.2.5"}, {"to": "192.0.2.5"}], "[1]: is not needed"),
        ([{"to": "192.0.2.5", "port": 80}, {"to": "192.0.2.0/24"}], "[0]: is not needed"),
        ([{"to": "192.0.2.5", "protocol": "icmp", "port": 8}], "icmp has no ports"),
    ],
)
def test_rules_that_contradict_or_repeat_themselves_are_refused(
    egress: list[Json], message: str
) -> None:
    with pytest.raises(PlanError) as caught:
        planned(network={"egress": egress})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "egress",
    [
        [{"to": "192.0.2.5", "port": 80}, {"to": "192.0.2.5", "port": 443}],
        [{"to": "192.0.2.5"}, {"to": "192.0.2.0/24", "protocol": "udp"}],
        [{"to": "192.0.2.0/25", "port": 80}, {"to": "192.0.2.128/25", "port": 80}],
    ],
)
def test_rules_that_differ_are_all_kept(egress: list[Json]) -> None:
    assert planned(network={"egress": egress}).warnings == ()


@pytest.mark.parametrize(
    ("network", "warning"),
    [
        ({"egress": [{"to": "0.0.0.0/0"}]}, "egress[0]: 0.0.0.0/0 lets nodes reach every tcp"),
        ({"ingress": [{"protocol": "udp"}]}, "ingress[0]: lets everybody reach every udp port"),
    ],
)
def test_opening_everything_is_allowed_with_a_warning(network: Any, warning: str) -> None:
    assert any(warning in each for each in planned(network=network).warnings)
