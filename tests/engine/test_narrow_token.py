"""The shipped event, driven with exactly the API token that its site makes for it.

It suffices for everything that a run does; each privilege is needed; and a neighbour's pool on the
same cluster is neither seen nor touched. The tests of this module are one story and run in order.
"""

from __future__ import annotations

import json
import re

import pytest

from event.read import read_stack
from event.stack import SiteStack
from operate.api import Api, ApiError
from operate.refusals import missing
from plan.plan import plan_site
from plan.records import Right
from plan.rights import GRANTS
from tests.engine.narrow import (
    CALLS,
    NEIGHBOUR,
    POOL,
    TOKEN,
    Needed,
    Without,
    ask,
    done,
    export,
    logged,
    needed,
    writes_since,
)
from tests.engine.practice import Practice, Run

pytestmark = pytest.mark.engine

LISTED = True
"""As shipped: the site gives its events narrow API tokens."""

PRIVILEGES = [(grant.scope, name) for grant in GRANTS for name in grant.privileges]


@pytest.fixture(scope="module")
def neighbour(practice: Practice) -> str:
    """Somebody else's pool with two guests, one with rules and one that is on; what the lab says
    about them before the event."""
    assert practice.call("lab", "start", str(practice.file("lab"))).returncode == 0
    done(practice, "POST", "pools", poolid="neighbour", comment="not ours")
    for path, name in zip(NEIGHBOUR, ("mail", "web"), strict=True):
        node, _, vmid = path.removeprefix("nodes/").partition("/qemu/")
        done(
            practice, "POST", f"nodes/{node}/qemu", vmid=vmid, name=name, pool="neighbour",
            memory="64", scsi0="shared:1", net0="virtio,bridge=vmbr0",
        )  # fmt: skip
    done(practice, "POST", f"{NEIGHBOUR[0]}/firewall/rules", type="in", action="ACCEPT")
    done(practice, "POST", f"{NEIGHBOUR[1]}/status/start")
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    return export(practice, "before.json")


def by_token_alone(practice: Practice, verb: str, *options: str) -> Run:
    """Run a verb on the event; every call of it has to be the token's."""
    before = logged(practice)
    run = practice.good(verb, "laptop", *options)
    users = {each["user"] for each in practice.requests()[before : logged(practice) - 1]}
    assert users == {TOKEN}, f"{verb} laptop"
    return run


def rights(practice: Practice) -> tuple[Right, ...]:
    stack = read_stack("lab", practice.stacks)
    assert isinstance(stack, SiteStack)
    return next(each.rights for each in plan_site(stack).events if each.event == "laptop")


@pytest.fixture(scope="module")
def token(practice: Practice, neighbour: str) -> Api:
    """The API, asked with the event's token alone; asked for once the site has made it."""
    shown = practice.call("env", str(practice.file("laptop")), "--token")
    assert shown.returncode == 0, shown.stderr
    return Api(
        f"https://127.0.0.1:{practice.ports['lab']}",
        shown.stdout.strip(),
        ca_file=practice.state / "lab" / "lab" / "ca.pem",
    )


# ---------------------------------------------------------------- it suffices


def test_up_builds_the_site_as_root_and_the_event_with_the_token(
    practice: Practice, neighbour: str
) -> None:
    practice.good("up", "laptop")
    mine = re.compile(r"/qemu/(2001|9000/clone)|laptop-heads")
    calls = [each for each in practice.requests() if mine.search(each["path"])]
    assert {each["user"] for each in calls} == {TOKEN}
    assert len([each for each in calls if each["path"].endswith("/clone")]) == 2


def test_the_same_again_and_a_refresh_need_no_other_token(practice: Practice) -> None:
    before = logged(practice)
    assert by_token_alone(practice, "up").changes == {}
    by_token_alone(practice, "refresh")
    assert writes_since(practice, before) == []


def test_looking_at_an_event_needs_no_other_token(practice: Practice) -> None:
    before = logged(practice)
    for verb in ("traffic", "status"):
        practice.call(verb, str(practice.file("laptop")))  # no guest boots: not all is well
    rows = practice.requests()[before : logged(practice) - 1]
    assert {each["user"] for each in rows} == {TOKEN}
    assert 403 not in {each["status"] for each in rows}


def test_edits_of_memory_place_and_egress_need_no_other_token(practice: Practice) -> None:
    practice.edit("laptop", "cores: 1, memoryMib: 512", "cores: 1, memoryMib: 768, host: pve02")
    practice.edit(
        "laptop", "    network:\n", "    network:\n      egress: [{to: 192.0.2.7, port: 80}]\n"
    )
    by_token_alone(practice, "up")
    practice.edit("laptop", "host: pve02", "host: pve05")
    by_token_alone(practice, "up")
    practice.edit("laptop", "host: pve05", "host: pve02")
    by_token_alone(practice, "up")
    assert by_token_alone(practice, "up").changes == {}


def test_the_tokens_secret_is_in_no_file_and_only_shown_where_it_is_asked_for(
    practice: Practice, token: Api
) -> None:
    shown = practice.call("env", str(practice.file("laptop")), "--token").stdout.strip()
    secret = shown.partition("=")[2]
    assert shown.startswith(f"{TOKEN}=")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", secret)
    assert secret not in practice.call("env", str(practice.file("laptop"))).stdout
    for path in practice.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


# ---------------------------------------------------------------- each is needed


def test_every_privilege_has_its_call() -> None:
    assert sorted(CALLS) == sorted(PRIVILEGES)


@pytest.mark.parametrize(("scope", "name"), PRIVILEGES)
def test_without_one_privilege_a_call_of_the_event_fails_and_the_preflight_names_it(
    practice: Practice, token: Api, scope: str, name: str
) -> None:
    call = CALLS[scope, name]
    wanted = rights(practice)
    assert missing(token, wanted) == []
    with Without(practice, scope, name):
        if call.refused:
            with pytest.raises(ApiError) as refused:
                ask(token, call)
            assert refused.value.status == 403
            assert call.refused in refused.value.text
        else:
            assert ask(token, call) == []
        assert set(missing(token, wanted)) == {
            (right.path, name) for right in wanted if right.role.endswith(f"-{scope}")
        }
    assert missing(token, wanted) == []


def test_a_lost_right_stops_up_before_any_write_and_the_site_gives_it_back(
    practice: Practice, neighbour: str
) -> None:
    practice.edit("laptop", "memoryMib: 768", "memoryMib: 640")
    role = "access/roles/practicum-lab-guests"
    practice.api("PUT", role, privs="VM.Audit")
    before = logged(practice)
    run = practice.run("up", "laptop")
    told = run.texts + run.errors
    assert run.code == 1
    assert "VM.Config.Memory" in told
    assert f"/pool/{POOL}" in told
    assert "./practicum up lab --refresh" in told
    assert writes_since(practice, before) == []
    practice.good("up", "lab", "--refresh")
    by_token_alone(practice, "up")


def test_plain_pulumi_with_the_token_is_told_the_path_and_the_privilege(
    practice: Practice, neighbour: str
) -> None:
    practice.edit("laptop", "memoryMib: 640", "memoryMib: 576")
    with Without(practice, "guests", "VM.Config.Memory"):
        lines = practice.call("env", str(practice.file("laptop"))).stdout
        script = f'{lines}\ncd "$1"/projects/* && pulumi up -s laptop --yes --skip-preview'
        ended = practice.shell(script, "sh", str(practice.state))
        assert ended.returncode != 0
        assert "/vms/200111, VM.Config.Memory" in ended.stdout + ended.stderr
    by_token_alone(practice, "up")


# ---------------------------------------------------------------- what it does not reach


def test_lists_do_not_show_a_neighbours_pool_and_its_guests(practice: Practice, token: Api) -> None:
    rows = token.get("/cluster/resources")
    assert {row["vmid"] for row in rows if "vmid" in row} == {9000, 200101, 200111}
    assert [row["poolid"] for row in token.get("/pools")] == [POOL]
    assert "mail" not in json.dumps(rows)
    assert token.get("/access/users") == [] or "neighbour" not in str(token.get("/access/users"))


@pytest.mark.parametrize(
    "call",
    [
        *(needed("GET", f"{NEIGHBOUR[0]}/{part}", "") for part in (
            "config", "status/current", "firewall/rules", "firewall/options", "snapshot", "pending",
        )),
        needed("GET", "pools/neighbour", ""),
        needed("PUT", f"{NEIGHBOUR[0]}/config", "", memory="128"),
        needed("POST", f"{NEIGHBOUR[1]}/status/stop", ""),
        needed("POST", f"{NEIGHBOUR[0]}/clone", "", newid="200150", pool=POOL),
        needed("POST", f"{NEIGHBOUR[0]}/migrate", "", target="pve01"),
        needed("POST", f"{NEIGHBOUR[0]}/firewall/rules", "", type="in", action="ACCEPT"),
        needed("DELETE", NEIGHBOUR[0], ""),
        needed("PUT", f"pools/{POOL}", "", vms="300"),
        needed("POST", "nodes/pve01/qemu", "", vmid="200150", pool="neighbour"),
        needed("DELETE", "nodes/pve01/qemu/9000", ""),
        needed("PUT", "access/acl", "", path="/", roles="Administrator", tokens=TOKEN),
    ],
    ids=lambda call: f"{call.method} {call.path}",
)  # fmt: skip
def test_a_neighbour_cannot_be_read_or_changed(token: Api, call: Needed) -> None:
    with pytest.raises(ApiError) as refused:
        ask(token, call)
    assert refused.value.status == 403


def test_a_number_that_a_neighbour_has_taken_is_found_although_nobody_sees_him(
    practice: Practice, neighbour: str
) -> None:
    done(practice, "POST", "nodes/pve03/qemu", vmid="200211", name="their", pool="neighbour")
    practice.edit("laptop", "count: 1}", "count: 2}")
    before = logged(practice)
    run = practice.run("up", "laptop")
    assert run.code == 1
    assert "200211" in run.texts + run.errors
    assert writes_since(practice, before) == []
    practice.edit("laptop", "count: 2}", "count: 1}")
    done(practice, "DELETE", "nodes/pve03/qemu/200211")


def test_a_guest_that_left_the_pool_is_not_taken_for_gone(practice: Practice) -> None:
    practice.api("PUT", "pools/neighbour", vms="200111", **{"allow-move": "1"})
    before = logged(practice)
    for verb in ("up", "destroy"):
        run = practice.run(verb, "laptop")
        assert run.code == 1
        assert "200111" in run.texts + run.errors
    assert "c01-n1 (200111)" in by_token_alone(practice, "refresh").texts
    assert writes_since(practice, before) == []
    practice.api("PUT", f"pools/{POOL}", vms="200111", **{"allow-move": "1"})
    assert by_token_alone(practice, "up").changes == {}


def test_an_event_that_is_up_stays_on_its_sites_list(practice: Practice) -> None:
    practice.edit("lab", "events: [laptop, sc09]", "events: [sc09]")
    before = logged(practice)
    for stack in ("lab", "laptop"):
        run = practice.run("up", stack)
        assert run.code == 1
        assert "laptop" in run.texts + run.errors
        assert "./practicum destroy laptop" in run.texts + run.errors
    assert writes_since(practice, before) == []
    practice.edit("lab", "events: [sc09]", "events: [laptop, sc09]")


def test_destroy_needs_no_other_token_and_the_neighbour_is_as_before(
    practice: Practice, neighbour: str
) -> None:
    by_token_alone(practice, "destroy")
    assert practice.of_event("laptop") == []
    made = {
        re.sub(r"20\d{4}|pve\d\d", "#", f"{each['method']} {each['path']}")
        for each in practice.requests()
        if each["user"] == TOKEN and each["status"] == 200
    }
    # Only events with contextualize ask agents, and no agent answers where no guest boots.
    wanted = {call.pattern for call in CALLS.values() if "/agent/" not in call.path}
    assert wanted <= made
    assert export(practice, "after.json") == neighbour


def test_an_event_that_is_taken_off_the_list_loses_its_access(practice: Practice) -> None:
    practice.edit("lab", "events: [laptop, sc09]", "events: [sc09]")
    practice.good("up", "lab")
    assert "laptop" not in str(practice.marked())
    practice.good("destroy", "lab")
    assert practice.marked() == []
