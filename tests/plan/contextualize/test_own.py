"""Own steps in the plan: who gets which script and playbook, with which facts, and when anew."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from event.own_steps import read_steps
from plan.contextualize.bundles import all_orders, orders_for
from plan.contextualize.orders import Script
from plan.contextualize.own import FACTS_PATH
from plan.export import event_json
from plan.own_steps import step_lines
from plan.plan import plan_event
from plan.records import EventPlan
from tests.plan.making import event_stack

SECRET = "5e" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folders of scripts and a playbook, beside a stack file."""
    for name, text in {
        "steps/20-share.head.sh": "#!/bin/sh\necho share\n",
        "steps/10-motd.sh": "#!/bin/sh\necho motd\n",
        "steps/README.md": "what it is for\n",
        "more/10-extra.py": "#!/usr/bin/python3\n",
        "site/main.yml": "- hosts: all\n",
        "site/roles/x/tasks/main.yml": "[]\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def planned(
    folder: Path, *steps: dict[str, Any], clusters: int = 3, **contextualize: Any
) -> EventPlan:
    wanted = {**contextualize, "steps": list(steps)}
    stack = event_stack(clusters={"count": clusters}, contextualize=wanted)
    read, findings = read_steps(stack.event, folder)
    assert findings == []
    return plan_event(replace(stack, steps=read))


def digests(plan: EventPlan) -> dict[str, str]:
    return {each.cluster: each.digest for each in all_orders(plan, SECRET)}


def changed(before: EventPlan, after: EventPlan) -> set[str]:
    one, other = digests(before), digests(after)
    return {name for name in one.keys() | other if one.get(name) != other.get(name)}


def names(plan: EventPlan, guest: str) -> list[str]:
    found = next(each for each in plan.guests if each.name == guest)
    return [each.name for each in found.own_scripts]


def test_scripts_run_in_the_order_of_their_names_where_their_names_say(folder: Path) -> None:
    plan = planned(folder, {"scripts": "./steps"})
    assert names(plan, "c01-head") == ["steps/10-motd.sh", "steps/20-share.head.sh"]
    assert names(plan, "c01-n1") == ["steps/10-motd.sh"]
    assert names(plan, "instructor") == []


def test_the_instructors_node_gets_what_names_it(folder: Path) -> None:
    (folder / "steps/30-watch.instructor.sh").write_text("#!/bin/sh\n")
    motd, watch = "steps/10-motd.sh", "steps/30-watch.instructor.sh"
    for step, wanted in (
        ({"scripts": "steps"}, [watch]),
        ({"scripts": "steps", "nodeGroups": ["head", "instructor"]}, [motd, watch]),
        ({"scripts": "steps", "nodeGroups": ["head"]}, []),
        ({"scripts": "steps", "clusters": ["c01"]}, []),
        ({"scripts": "more"}, []),
    ):
        plan = planned(folder, step)
        assert names(plan, "instructor") == wanted
        assert watch not in names(plan, "c01-head")


def test_a_playbook_for_the_instructors_node_is_played_there_apart(folder: Path) -> None:
    step = {"playbook": "site/main.yml", "nodeGroups": ["instructor", "head"]}
    orders = all_orders(planned(folder, step), SECRET)
    assert [[list(each.facts) for each in one.playbooks] for one in orders] == [
        [["instructor"]], [["c01-head"]], [["c02-head"]], [["c03-head"]]
    ]  # fmt: skip


@pytest.mark.parametrize(("clusters", "interface"), [(3, "eth2"), (40, "vlan102")])
def test_a_script_on_the_instructors_node_gets_the_facts_of_all_clusters(
    folder: Path, tmp_path: Path, clusters: int, interface: str
) -> None:
    (folder / "more/10-extra.py").write_text("#!/bin/sh\nenv | grep ^PRACTICUM_ | sort\n")
    step = {"scripts": "more", "nodeGroups": ["instructor"]}
    plan = planned(folder, step, clusters=clusters)
    (orders,) = all_orders(plan, SECRET)
    (guest,) = orders.guests
    facts = json.loads(guest.files[-1].text)
    assert (facts["cluster"], len(facts["clusters"])) == (None, clusters)
    second = facts["clusters"][1]
    assert {key: second[key] for key in second if key != "nodes"} == {
        "cluster": "c02", "address": "10.0.2.254", "interface": interface,
        "subnet": "10.0.2.0/24", "head": "c02-head", "headAddress": "10.0.2.1",
    }  # fmt: skip
    assert second["nodes"][1]["guest"] == "c02-n1"
    every = " ".join(f"c{number:02}" for number in range(1, clusters + 1))
    assert run(guest.scripts[-1], tmp_path).splitlines() == [
        f"PRACTICUM_CLUSTERS={every}", "PRACTICUM_EVENT=sc09", f"PRACTICUM_FACTS={FACTS_PATH}",
        "PRACTICUM_GUEST=instructor", "PRACTICUM_LEVEL=none", "PRACTICUM_LOGIN=student",
        "PRACTICUM_NODE=instructor", "PRACTICUM_NODE_GROUP=instructor",
    ]  # fmt: skip


def test_a_step_for_the_instructors_node_changes_no_cluster(folder: Path) -> None:
    step = {"scripts": "steps", "nodeGroups": ["instructor"]}
    one = {"scripts": "more", "clusters": ["c01"]}
    assert changed(planned(folder, one), planned(folder, one, step)) == {"instructor"}


def test_a_step_may_be_for_some_clusters_and_groups(folder: Path) -> None:
    plan = planned(
        folder,
        {"scripts": "more", "clusters": ["c02"], "nodeGroups": ["compute"]},
        {"scripts": "steps", "nodeGroups": ["compute"]},
    )
    assert names(plan, "c02-n1") == ["more/10-extra.py", "steps/10-motd.sh"]
    assert names(plan, "c02-head") == []
    assert names(plan, "c01-n4") == ["steps/10-motd.sh"]


def test_a_script_that_two_steps_give_runs_once(folder: Path) -> None:
    plan = planned(folder, {"scripts": "steps"}, {"scripts": "./steps/", "clusters": ["c01"]})
    assert names(plan, "c01-n1") == ["steps/10-motd.sh"]


def test_own_scripts_come_after_the_level_and_without_one_as_well(folder: Path) -> None:
    plan = planned(folder, {"scripts": "steps"}, level="ssh")
    head = orders_for(plan, "c01", SECRET).guests[0]
    own = ["steps/10-motd.sh", "steps/20-share.head.sh"]
    assert [each.name for each in head.scripts] == ["base", "root-password", "ssh", *own]
    bare = all_orders(planned(folder, {"scripts": "steps", "clusters": ["c03"]}), SECRET)
    assert [each.cluster for each in bare] == ["c03"]
    assert [each.path for each in bare[0].guests[0].files] == [FACTS_PATH]
    assert [each.name for each in bare[0].guests[0].scripts] == own


def test_a_changed_script_changes_the_clusters_that_it_concerns_alone(folder: Path) -> None:
    steps = ({"scripts": "steps"}, {"scripts": "more", "clusters": ["c02"]})
    before = planned(folder, *steps)
    (folder / "more/10-extra.py").write_text("#!/usr/bin/python3\nprint()\n")
    after = planned(folder, *steps)
    assert changed(before, after) == {"c02"}
    (folder / "more/README").write_text("nothing that runs\n")
    assert changed(after, planned(folder, *steps)) == set()


def test_whatever_changes_in_a_playbooks_folder_runs_it_again(folder: Path) -> None:
    step = {"playbook": "site/main.yml", "clusters": ["c01"], "nodeGroups": ["compute"]}
    before = planned(folder, step)
    (folder / "site/roles/x/tasks/main.yml").write_text("[1]\n")
    after = planned(folder, step)
    assert changed(before, after) == {"c01"}
    (playbook,) = orders_for(after, "c01", SECRET).playbooks
    assert (playbook.name, playbook.path) == ("site/main.yml", folder / "site/main.yml")
    assert list(playbook.facts) == ["c01-n1", "c01-n2", "c01-n3", "c01-n4"]
    assert [each.cluster for each in all_orders(after, SECRET)] == ["c01"]


def test_a_script_gets_the_facts_of_its_cluster(folder: Path, tmp_path: Path) -> None:
    (folder / "steps/10-motd.sh").write_text("#!/bin/sh\nenv | grep ^PRACTICUM_ | sort\n")
    guest = orders_for(planned(folder, {"scripts": "steps"}), "c02", SECRET).guests[1]
    facts = json.loads(guest.files[-1].text)
    assert (facts["cluster"], facts["guest"], facts["head"]) == ("c02", "c02-n1", "c02-head")
    assert facts["nodes"][0]["guest"] == "c02-head"
    assert run(guest.scripts[-1], tmp_path).splitlines() == [
        "PRACTICUM_ADDRESS=10.0.2.11", "PRACTICUM_CLUSTER=c02", "PRACTICUM_EVENT=sc09",
        f"PRACTICUM_FACTS={FACTS_PATH}", "PRACTICUM_GUEST=c02-n1", "PRACTICUM_HEAD=c02-head",
        "PRACTICUM_HEAD_ADDRESS=10.0.2.1", "PRACTICUM_LEVEL=none", "PRACTICUM_LOGIN=student",
        "PRACTICUM_NODE=n1", "PRACTICUM_NODES=c02-head c02-n1 c02-n2 c02-n3 c02-n4",
        "PRACTICUM_NODE_GROUP=compute", "PRACTICUM_SUBNET=10.0.2.0/24",
    ]  # fmt: skip


def run(script: Script, folder: Path) -> str:
    """What a script prints, with its folder on the guest put below another one."""
    text = script.text.replace("/var/lib/practicum/steps", f"{folder}/guest")
    done = subprocess.run(
        ["sh", "-c", text], input=script.given, capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert (folder / "guest").stat().st_mode & 0o077 == 0
    return done.stdout


def test_the_plan_tells_own_steps_to_people_and_programs(folder: Path) -> None:
    plan = planned(
        folder, {"scripts": "steps"}, {"playbook": "site/main.yml", "clusters": ["c01", "c02"]}
    )
    assert step_lines(plan) == [
        "own playbook site/main.yml: 10 guests (head, compute) of c01, c02",
        "own script steps/10-motd.sh: 15 guests (head, compute) of every cluster",
        "own script steps/20-share.head.sh: 3 guests (head) of every cluster",
    ]
    both = planned(
        folder,
        {"scripts": "steps", "nodeGroups": ["instructor", "head"]},
        {"scripts": "more", "nodeGroups": ["instructor"]},
    )
    assert step_lines(both) == [
        "own script more/10-extra.py: the instructors' node",
        "own script steps/10-motd.sh: 3 guests (head) of every cluster and the instructors' node",
        "own script steps/20-share.head.sh: 3 guests (head) of every cluster",
    ]
    head = next(each for each in event_json(plan)["guests"] if each["name"] == "c01-head")
    assert head["ownScripts"] == ["steps/10-motd.sh", "steps/20-share.head.sh"]
    assert head["ownPlaybooks"] == ["site/main.yml"]


def test_no_text_of_a_script_is_in_a_plans_representation(folder: Path) -> None:
    (folder / "steps/10-motd.sh").write_text("#!/bin/sh\n# canary-71\n")
    plan = planned(folder, {"scripts": "steps"})
    assert "canary-71" not in repr(plan)
    assert "canary-71" not in repr(orders_for(plan, "c01", SECRET))
