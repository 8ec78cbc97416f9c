"""Somebody else's object in a place of ours is found before the first write, of every kind."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack, SiteStack
from operate.api import Api
from operate.deployed import Deployed, read_export
from operate.kinds import FOLLOWING, KINDS, SETTINGS, described_guest
from operate.occupied import find_occupied, stop_if_hidden
from operate.places import ROOT
from operate.preflight import Known, check_event, look
from operate.survey import SeenGuest, survey
from plan.plan import plan_event, plan_site
from plan.records import BackupJob, Download, SitePlan, User
from tests.operate.stand_in import StandIn
from tests.operate.states import export

OPEN = {"enable": 1, "policy_in": "ACCEPT"}
NOTHING: dict[str, Any] = {"version": 3, "deployment": {"resources": []}}
BEGUN = read_export({"deployment": {"resources": [{"urn": "urn", "type": "pulumi:pulumi:Stack"}]}})


@pytest.fixture
def site_api(site_api: StandIn) -> StandIn:
    site_api.answers |= {
        "/pools": [{"poolid": "staff", "comment": "everybody"}],
        "/access/groups": [{"groupid": "staff"}],
        "/access/roles": [{"roleid": "PVEAuditor", "privs": "VM.Audit", "special": 1}],
        "/access/users": [{"userid": "root@pam"}],
        "/cluster/firewall/groups": [],
        "/cluster/backup": [{"id": "backup-1"}],
        "/cluster/firewall/options": {},
        "/access/permissions": {"/vms": {"VM.Audit": 1}},
        "/nodes/pve01/network": [{"iface": "vmbr0"}],
        "/nodes/pve02/network": [{"iface": "vmbr0"}],
        "/nodes/pve01/firewall/options": {},
        "/nodes/pve02/firewall/options": {"enable": 1},
        "/nodes/pve01/storage/local/content": [],
    }
    return site_api


@pytest.fixture
def event(stack: EventStack) -> EventStack:
    """Here, where there is a site as well, by its name."""
    return stack


def whole_site(site: SiteStack) -> SitePlan:
    """The site's plan with a user, a backup job and a download as well."""
    plan = plan_site(site)
    file = Download(
        image="debian-12", host="pve01", storage="local", url="https://example.org/d.qcow2",
        file_name="debian-12-0123456789ab.qcow2", sha256="0" * 64,
    )  # fmt: skip
    return replace(
        plan,
        images=(replace(plan.images[0], downloads=(file,)),),
        users=(
            User(user_id="ada@pve", full_name="", email="", role="PVEAuditor",
                 comment="practicum:site:ada", password_label="x"),
        ),
        backups=(
            BackupJob(job_id="practicum-site-nightly", schedule="sun 01:00", storage="local",
                      keep=2, mode="snapshot", comment="practicum:site:nightly"),
        ),
    )  # fmt: skip


def told(stack: EventStack | SiteStack, api: Api, state: Deployed | None = None) -> str:
    plan = plan_event(stack) if isinstance(stack, EventStack) else whole_site(stack)
    return "\n".join(map(str, find_occupied(stack, plan, state, survey(api, ()), api)))


def test_a_site_where_nobody_is_in_the_way_is_only_read(
    event: EventStack, site: SiteStack, api: Api, site_api: StandIn
) -> None:
    assert told(event, api) == ""
    assert told(site, api) == ""
    assert {call.partition(" ")[0] for call in site_api.calls} == {"GET"}


EVENT_KINDS = [
    ("/pools", "poolid", "comment", "practicum-event", "pool practicum-event"),
    ("/access/groups", "groupid", "comment", "practicum-event-instructors",
     "group practicum-event-instructors"),
    ("/access/roles", "roleid", "", "practicum-event-instructor",
     "role practicum-event-instructor"),
    ("/cluster/firewall/groups", "group", "comment", "event-heads", "security group event-heads"),
]  # fmt: skip
SITE_KINDS = [
    ("/access/users", "userid", "comment", "ada@pve", "user ada@pve"),
    ("/cluster/backup", "id", "notes-template", "practicum-site-nightly",
     "backup job practicum-site-nightly"),
    ("/nodes/pve02/network", "iface", "comments", "vmbr1", "network interface vmbr1 on pve02"),
    ("/nodes/pve01/storage/local/content", "volid", "",
     "local:import/debian-12-0123456789ab.qcow2",
     "file local:import/debian-12-0123456789ab.qcow2 on pve01"),
]  # fmt: skip


@pytest.mark.parametrize("state", [None, BEGUN], ids=["no state", "begun"])
@pytest.mark.parametrize(("path", "key", "mark", "name", "words"), EVENT_KINDS + SITE_KINDS)
def test_an_object_of_others_is_named_with_its_kind_and_what_to_type(
    event: EventStack, site: SiteStack, api: Api, site_api: StandIn,
    path: str, key: str, mark: str, name: str, words: str, state: Deployed | None,
) -> None:  # fmt: skip
    stack = site if any(each[3] == name for each in SITE_KINDS) else event
    for text in ("", "staff", "practicum:sc09:event", "practicum:eventful:x", "practicum:sites:x"):
        site_api.answers[path] = [{key: "other"}, {key: name, mark: text, "privs": "VM.Audit"}]
        if "import/" in name and state is not None:
            assert told(stack, api, state) == ""  # a run of ours may have fetched it
            continue
        (line,) = told(stack, api, state).splitlines()
        assert re.search(rf"Pulumi\.{stack.name}\.yaml:\d+ (site|event)", line)
        assert f": {words} is there already, " in line
        assert line.endswith("; it was not touched")
        if mark:
            word = {"": "without our mark", "s": 'without our mark ("staff")'}.get(text[:1])
            assert (word or f"made by the stack {text.split(':')[1]}") in line


@pytest.mark.parametrize(("path", "key", "mark", "name", "words"), EVENT_KINDS + SITE_KINDS[:3])
def test_an_object_of_ours_stops_only_a_run_that_has_no_state(
    event: EventStack, site: SiteStack, api: Api, site_api: StandIn,
    path: str, key: str, mark: str, name: str, words: str,
) -> None:  # fmt: skip
    stack = site if (path, key, mark, name, words) in SITE_KINDS else event
    privileges = ",".join(plan_event(event).access.privileges)
    row = {key: name, "privs": privileges}
    site_api.answers[path] = [row | ({mark: f"practicum:{stack.name}:x"} if mark else {})]
    assert told(stack, api, BEGUN) == ""
    text = told(stack, api)
    assert f"{words} carries this stack's mark, and there is no state that knows it" in text
    assert "PULUMI_BACKEND_URL" in text


def test_what_the_state_knows_is_not_looked_for_even_without_its_mark(
    event: EventStack, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/pools"] = [{"poolid": "practicum-event", "comment": "renamed by staff"}]
    site_api.answers["/cluster/firewall/groups"] = [{"group": "event-heads", "comment": ""}]
    assert told(event, api, read_export(export(plan_event(event)))) == ""


def test_a_firewall_that_others_closed_is_not_opened(
    site: SiteStack, api: Api, site_api: StandIn
) -> None:
    path = "/cluster/firewall/options"
    for theirs, policies in (
        ({"enable": 1}, "policy_in: DROP"),
        (OPEN | {"policy_out": "REJECT"}, "policy_out: REJECT"),
    ):
        site_api.answers[path] = theirs
        text = told(site, api)
        assert f"the cluster firewall is on at this site with {policies}; practicum would" in text
        assert "pvesh set /cluster/firewall/options --policy_in ACCEPT" in text
        assert told(site, api, BEGUN) == ""  # it may be ours, halfway
    for harmless in (OPEN, {"enable": 0, "policy_in": "DROP"}, (403, "Permission check failed")):
        site_api.answers[path] = harmless
        assert told(site, api) == ""


def test_a_host_whose_firewall_was_switched_off_is_named(
    site: SiteStack, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/nodes/pve02/firewall/options"] = {"enable": 0}
    text = told(site, api)
    assert "the firewall of the host has been switched off on pve02; practicum would" in text
    assert "pvesh set /nodes/pve02/firewall/options --delete enable" in text


def test_guests_that_the_token_may_not_see_are_found_by_their_numbers(
    event: EventStack, api: Api, site_api: StandIn
) -> None:
    free = {"/cluster/nextid": "100101"}
    site_api.answers |= free
    assert told(event, api) == ""
    assert "GET /cluster/nextid" not in site_api.calls  # it sees all
    site_api.answers["/access/permissions"] = {"/vms": {}}
    assert told(event, api) == ""
    site_api.answers["/cluster/nextid"] = (400, "Parameter verification failed.")
    text = told(event, api)
    assert "event.vmids: holds VMIDs of guests that this API token may not see: 100101, " in text
    built = read_export(export(plan_event(event)))  # taken out of the pool that the token sees
    assert "put them back into its pool" in told(event, api, built)
    with pytest.raises(RunError, match=r"may not see what is on the VMIDs 100101, .*its pool"):
        stop_if_hidden(event, built, survey(api, ()), api)
    site_api.answers |= free  # gone, not hidden
    stop_if_hidden(event, built, survey(api, ()), api)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "a virtual machine without our mark"),
        ({"template": True}, "a template without our mark"),
        ({"kind": "lxc"}, "a container without our mark"),
        ({"kind": "lxc", "template": True}, "a template of a container without our mark"),
        ({"description": "practicum:sc09:c01-n1"}, "a virtual machine of the stack sc09"),
        ({"tags": frozenset({"practicum", "sc09"})},
         "a virtual machine with the tags practicum;sc09"),
    ],
)  # fmt: skip
def test_guests_containers_and_templates_on_our_numbers_are_told_apart(
    values: dict[str, Any], words: str, event: EventStack, api: Api, site_api: StandIn
) -> None:
    given: dict[str, Any] = {
        "kind": "qemu",
        "template": False,
        "tags": frozenset(),
        "description": "",
    }
    given |= values
    guest = SeenGuest(vmid=100101, name="mail", host="pve02", **given)
    assert described_guest(guest) == words
    row = {"type": guest.kind, "vmid": 100101, "name": "mail", "node": "pve02",
           "template": int(guest.template), "tags": ";".join(guest.tags)}  # fmt: skip
    site_api.answers["/cluster/resources"].append(row)
    config = {"description": guest.description}
    site_api.answers[f"/nodes/pve02/{guest.kind}/100101/config"] = config
    bridges = [{"iface": "vmbr0"}, {"iface": "vmbr1"}]
    site_api.answers |= {f"/nodes/{host}/network": bridges for host in ("pve01", "pve02")}
    seen = look(api, event.site, ["pve01", "pve02"])
    plan = plan_event(event)

    found = check_event(event, event.site, plan, seen, Known(), api).problems
    assert [f"100101 (mail on pve02, {words})" in str(each) for each in found] == [True]


def test_a_container_on_a_templates_number_is_no_template(
    event: EventStack, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/cluster/resources"][-1] |= {"type": "lxc", "tags": "", "name": "mail"}
    seen = look(api, event.site, ["pve01", "pve02"])

    found = check_event(event, event.site, plan_event(event), seen, Known(), api).problems
    assert "9000 is the VMID of mail on pve01, which is no template of a virtual machine" in str(
        found[0]
    )


def test_every_kind_that_components_make_is_looked_for_or_follows_one_that_is() -> None:
    made = set()
    for path in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("proxmoxve."):
                name = ast.unparse(node).rpartition(".")[2]
                made |= {name.removesuffix("Args")} if name.endswith("Args") else set()
    nested = {
        name
        for name in made
        if name.startswith(("VmLegacy", "GroupLegacyRule", "FileLegacySource"))
    }
    nested |= {"RulesLegacyRule", "IpsetLegacyCidr", "Provider"}
    known = {each.type for each in KINDS} | {*SETTINGS, *FOLLOWING}
    assert made - nested == known, "operate/kinds.py and docs/occupied.md say where to look"
    table = (ROOT / "docs" / "occupied.md").read_text()
    for kind in KINDS:
        assert kind.called in table
