"""The rights that a site gives its events: by path, each with a reason, and nothing beside them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from event.problems import PlanError
from plan.plan import plan_event, plan_site
from plan.records import EventAccess, SitePlan
from plan.rights import GRANTS, INSTRUCTOR_PRIVILEGES
from plan.rights_page import page
from tests.plan.making import event_stack, site_stack

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rights.md"
WIDE = {"Permissions.Modify", "Realm.AllocateUser", "User.Modify", "Group.Allocate", "Sys.Console"}


def listed(*events: str) -> SitePlan:
    return plan_site(site_stack(events=list(events)))


def only(plan: SitePlan) -> EventAccess:
    (found,) = plan.events
    return found


def test_the_rights_page_is_what_the_data_say() -> None:
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_a_site_without_listed_events_makes_nothing_for_them() -> None:
    plan = plan_site(site_stack())
    assert (plan.events, plan.roles, plan.templates_pool) == ((), (), None)
    assert {copy.pool for image in plan.images for copy in image.templates} == {None}


def test_an_event_gets_its_pool_the_templates_their_storages_and_the_bridges() -> None:
    rights = only(listed("course")).rights
    assert [(each.path, each.role, each.propagate) for each in rights] == [
        ("/pool/practicum-course", "practicum-hall-guests", False),
        ("/pool/practicum-hall-templates", "practicum-hall-templates", False),
        ("/storage/local", "practicum-hall-storage", False),
        ("/storage/shared", "practicum-hall-storage", False),
        ("/sdn/zones/localnetwork/vmbr0", "practicum-hall-network", True),
        ("/sdn/zones/localnetwork/vmbr1", "practicum-hall-network", True),
        ("/", "practicum-hall-firewall", False),
    ]


def test_all_templates_are_in_the_pool_that_events_may_clone_from() -> None:
    plan = listed("course")
    assert plan.templates_pool is not None
    pools = {copy.pool for image in plan.images for copy in image.templates}
    assert pools == {plan.templates_pool.name} == {"practicum-hall-templates"}


def test_each_role_has_exactly_the_privileges_of_its_rights() -> None:
    plan = listed("course")
    roles = {role.name: role.privileges for role in plan.roles}
    assert len(roles) == len(GRANTS) + 1
    for right in only(plan).rights:
        assert roles[right.role] == right.privileges
    assert roles["practicum-hall-instructor"] == INSTRUCTOR_PRIVILEGES


def test_no_right_lets_an_event_give_rights_or_reach_other_guests() -> None:
    rights = only(listed("a")).rights
    held = {(right.path, name) for right in rights for name in right.privileges}
    assert not {name for _, name in held} & WIDE
    assert {path for path, name in held if name.startswith("VM.")} == {
        "/pool/practicum-a",
        "/pool/practicum-hall-templates",
    }
    assert not [
        right for right in only(listed("a")).rights if right.path == "/" and right.propagate
    ]


def test_every_privilege_has_a_reason_and_a_name_of_proxmox_ve() -> None:
    for grant in GRANTS:
        for name, reason in grant.privileges.items():
            assert re.fullmatch(r"[A-Z][A-Za-z]+(\.[A-Z][A-Za-z]+)+", name)
            assert len(reason) > 5


def test_events_of_a_site_share_its_roles_and_nothing_else() -> None:
    plan = listed("b", "a")
    assert [each.event for each in plan.events] == ["a", "b"]
    first, second = plan.events
    assert {first.user_id, second.user_id} == {"practicum-a@pve", "practicum-b@pve"}
    assert first.access.pool != second.access.pool
    assert [each.role for each in first.rights] == [each.role for each in second.rights]


def test_what_a_site_makes_carries_the_sites_mark() -> None:
    access = only(listed("course"))
    assert access.comment == access.access.pool_comment == "practicum:hall:event:course"


@pytest.mark.parametrize("events", [[], ["another"], ["another", "sc09"]])
def test_an_event_knows_whether_its_site_makes_its_access(events: list[str]) -> None:
    stack = event_stack(site_stack(events=events))
    plan = plan_event(stack)
    assert plan.access.by_site == (stack.name in events)
    assert plan.access.pool == f"practicum-{stack.name}"


def test_a_site_is_no_event_of_its_own() -> None:
    with pytest.raises(PlanError, match=r"site\.events\[1\]: hall is this site"):
        listed("course", "hall")
