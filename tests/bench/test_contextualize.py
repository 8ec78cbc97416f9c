"""The bench of contextualization: others do the same work, and what its results say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench.contextualize import SPOIL, Figures, results
from bench.same_work import PLAYBOOK, inventory, script, write_jobs
from plan.contextualize.bundles import orders_for
from plan.contextualize.orders import File, Orders, Script
from tests.plan.making import planned

SECRET = "5e" * 32


def orders(folder: Path) -> Orders:
    """A file and a script, below a folder and for this login."""
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    return Orders(
        guest="c01-head", vmid=101, level="base",
        files=(File(path=f"{folder}/etc/x", text="it's\n$HOME\n", mode="0600", owner=me),),
        scripts=(Script(name="one", text=f"cat >{folder}/given", given="root:pw\n"),),
    )  # fmt: skip


def test_a_bare_session_writes_the_same_files_and_runs_the_same_scripts(tmp_path: Path) -> None:
    one = orders(tmp_path)
    subprocess.run(["sh"], input=script(one), text=True, check=True)
    assert (tmp_path / "etc/x").read_text() == one.files[0].text
    assert (tmp_path / "etc/x").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "given").read_text() == "root:pw\n"


def test_ansible_gets_all_files_and_scripts_of_every_guest(tmp_path: Path) -> None:
    plan = planned(clusters={"count": 1}, contextualize={"level": "base"})
    guests = orders_for(plan, "c01", SECRET).guests
    ports = {each.vmid: 2200 + number for number, each in enumerate(guests)}
    hosts = inventory(guests, ports, tmp_path / "key")["all"]["hosts"]
    assert list(hosts) == [each.guest for each in guests]
    for each in guests:
        assert len(hosts[each.guest]["files"]) == len(each.files)
        assert [one["name"] for one in hosts[each.guest]["scripts"]] == [
            one.name for one in each.scripts
        ]
    write_jobs(tmp_path, guests, ports, tmp_path / "key")
    assert json.loads((tmp_path / "main.json").read_text()) == PLAYBOOK
    assert [each["port"] for each in json.loads((tmp_path / "jobs.json").read_text())["guests"]]


def test_what_spoils_files_is_a_program() -> None:
    compile(SPOIL, "spoil", "exec")


def test_results_are_held_against_the_sessions_and_against_ansible() -> None:
    figures = Figures(practicum=[10.0], sessions=[5.0], ansible={8: [200.0], 50: [150.0]})
    bound, *peers, changed, touched = results(130, figures, [(9.0, 5, 1.0, 120.0)])
    assert (bound.measured, bound.as_data()["target"]["met"]) == (2.0, True)
    assert [each.measured for each in peers] == pytest.approx([10 / 200, 10 / 150])
    assert all(each.as_data()["target"]["met"] for each in peers)
    assert changed.target is None
    assert (touched.measured, touched.as_data()["target"]["met"]) == (5, True)
