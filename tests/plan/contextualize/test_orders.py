"""Contextualization in the plan: who gets what, at which level, and when it changes."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from event.model import Level
from plan.contextualize.bundles import all_orders, orders_for
from plan.contextualize.orders import ClusterOrders, Orders
from plan.contextualize.scene import SCRIPTS
from plan.records import LEVELS
from tests.plan.making import check_golden, planned

SECRET = "5e" * 32
OTHER = "0f" * 32


def orders(level: Level, secret: str = SECRET, **more: object) -> ClusterOrders:
    plan = planned(contextualize={"level": level, **more})
    return orders_for(plan, "c07", secret)


def everything(one: ClusterOrders) -> str:
    return json.dumps([[each.as_json(), each.checks_as_json()] for each in one.guests])


def listing(one: Orders) -> str:
    """Files and scripts of a guest, with the texts that follow from no secret."""
    lines = [f"== {one.guest} {one.vmid} {one.level}"]
    again = {file for each in orders("monitoring", OTHER).guests for file in each.files}
    for file in one.files:
        lines.append(f"-- {file.path} {file.mode} {file.owner}")
        lines.append(file.text.rstrip() if file in again else "[follows from the secret]")
    lines += [f"-- script {each.name}" for each in one.scripts]
    lines += [f"-- check {each.name}" for each in one.checks]
    return "\n".join(lines) + "\n"


def test_the_highest_level_is_exactly_what_its_golden_says() -> None:
    head, node, *_ = orders("monitoring").guests
    check_golden("contextualize-monitoring.txt", listing(head) + listing(node))


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_level_holds_all_that_the_one_before_it_holds(level: Level) -> None:
    before = LEVELS[LEVELS.index(level) - 1]
    if before == "none":
        assert orders(before).guests == ()
        return
    for less, more in zip(orders(before).guests, orders(level).guests, strict=True):
        assert {each.path for each in less.files} <= {each.path for each in more.files}
        assert [each.name for each in less.scripts] == [
            each.name for each in more.scripts[: len(less.scripts)]
        ]
        assert more.scripts[len(less.scripts) :]


def test_nobody_is_prepared_who_is_not_asked_for() -> None:
    assert all_orders(planned(), SECRET) == ()
    some = all_orders(planned(contextualize={"clusters": {"c03": "ssh"}}), SECRET)
    assert [each.cluster for each in some] == ["instructor", "c03"]


def test_a_cluster_and_a_node_group_may_have_levels_of_their_own() -> None:
    plan = planned(
        contextualize={
            "level": "nfs", "clusters": {"c02": "mpi"}, "nodeGroups": {"compute": "base"},
        },
    )  # fmt: skip
    levels = {each.name: each.level for each in plan.guests}
    assert (levels["c01-head"], levels["c01-n1"]) == ("nfs", "base")
    assert (levels["c02-head"], levels["c02-n1"]) == ("mpi", "base")
    assert levels["instructor"] == "base"


def test_the_same_plan_gives_the_same_orders_and_digest() -> None:
    assert orders("monitoring") == orders("monitoring")
    assert orders("monitoring").digest == orders("monitoring").digest


def test_a_change_for_one_cluster_changes_the_digest_of_no_other() -> None:
    before = {
        each.cluster: each.digest
        for each in all_orders(planned(contextualize={"level": "base"}), SECRET)
    }
    changed = planned(contextualize={"level": "base", "clusters": {"c05": "ssh"}})
    after = {each.cluster: each.digest for each in all_orders(changed, SECRET)}
    assert {name for name in before if before[name] != after[name]} == {"c05"}


def test_another_secret_gives_other_digests() -> None:
    assert orders("base").digest != orders("base", OTHER).digest


def test_no_guest_gets_a_key_of_another_cluster() -> None:
    plan = planned(contextualize={"level": "monitoring"})
    one, other = orders_for(plan, "c01", SECRET), orders_for(plan, "c02", SECRET)
    mine = {
        file.text for each in one.guests for file in each.files if file.mode in ("0600", "0400")
    }
    theirs = {file.text for each in other.guests for file in each.files}
    assert mine
    assert not mine & theirs


def test_no_order_shows_its_texts() -> None:
    shown = repr(orders("monitoring"))
    assert "PRIVATE KEY" not in shown
    assert "root:" not in shown


def test_only_a_card_with_many_networks_gets_an_interface_for_each() -> None:
    def script(count: int) -> list[str]:
        plan = planned(clusters={"count": count}, contextualize={"level": "base"})
        (one,) = orders_for(plan, "instructor", SECRET).guests
        return [each.text for each in one.scripts if each.name == "trunk"]

    assert script(31) == []
    (text,) = script(33)
    assert f"VLANS='{' '.join(f'vlan{100 + number}' for number in range(1, 34))}'" in text


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.stem)
def test_every_script_is_one_that_sh_understands(path) -> None:  # type: ignore[no-untyped-def]
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_script_of_the_folder_is_used() -> None:
    used = {script.name for each in orders("monitoring").guests for script in each.scripts}
    used |= {script.name for each in orders("monitoring").guests for script in each.checks}
    used |= {"services", "own-step"}  # of a site or an event that has some
    used |= {"trunk"}  # of instructors with many clusters
    assert {path.stem for path in SCRIPTS.glob("*.sh")} == used | {"prelude"}
