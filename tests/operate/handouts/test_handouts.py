"""Handouts: sheets for every group in three forms, and settings that the programs accept."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from event.problems import RunError
from operate.handouts.entry import find
from operate.handouts.page import page
from operate.handouts.pdf import pdf
from operate.handouts.sheet import instructor_sheet, sheets
from operate.handouts.tables import COLUMNS, as_csv, inventory, known_hosts, ssh_config
from operate.handouts.topology import topology
from plan.records import EventPlan
from tests.plan.making import check_golden, planned

SECRET = "5e" * 32
NASTY = "<b>&\"'{{ 7*7 }}</script> ünï=1"


class Words(HTMLParser):
    """The texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def plan() -> EventPlan:
    return planned(
        contextualize={"level": "base", "clusters": {"c02": "nfs"}},
        network={"exposedAddresses": "198.51.0.10-198.51.0.60"},
        overrides={"c03": {"title": NASTY}, "c04": {"title": "=1+1"}},
    )


def test_every_group_has_a_sheet_with_all_that_it_needs(plan: EventPlan) -> None:
    found = sheets(plan, SECRET)
    assert [each.cluster for each in found] == [each.name for each in plan.clusters]
    one = found[1]
    assert (one.address, one.user, one.level) == ("198.51.0.12", "student", "nfs")
    assert [node.guest for node in one.nodes] == [
        "c02-head",
        "c02-n1",
        "c02-n2",
        "c02-n3",
        "c02-n4",
    ]
    assert all(node.fingerprint.startswith("SHA256:") for node in one.nodes)
    assert one.first_step.startswith("Install Open MPI")


def test_no_two_groups_share_a_password(plan: EventPlan) -> None:
    found = sheets(plan, SECRET)
    words = [word for each in found for word in (each.password, each.root_password)]
    assert len(set(words)) == 2 * len(found)


def test_where_nothing_is_prepared_no_key_and_no_root_password_is_promised() -> None:
    one = sheets(planned(), SECRET)[0]
    assert (one.root_password, one.nodes[0].fingerprint) == ("", "")


def test_a_sheet_shows_no_password_by_itself(plan: EventPlan) -> None:
    one = sheets(plan, SECRET)[0]
    assert one.password not in repr(one)
    assert one.root_password not in repr(one)


def test_the_page_shows_every_text_as_it_was_written(plan: EventPlan) -> None:
    text = page(sheets(plan, SECRET), plan.title)
    assert NASTY in Words(text).texts
    assert "<b>" not in text
    assert text.count("<article") == 26
    assert text.count("<svg") == 26
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_file_for_printing_has_a_page_for_each_group(plan: EventPlan) -> None:
    content = pdf(sheets(plan, SECRET), plan.title)
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") == 26


def test_the_list_of_groups_is_no_spreadsheet_formula(plan: EventPlan) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(sheets(plan, SECRET)))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 26
    assert rows[3]["title"] == "'=1+1"


def test_the_instructors_have_a_sheet_of_their_own(plan: EventPlan) -> None:
    own = instructor_sheet(plan, SECRET)
    assert own is not None
    assert (own.cluster, own.address) == ("instructor", "198.51.0.10")
    assert instructor_sheet(planned(instructor=None), SECRET) is None


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh on PATH")
def test_openssh_reads_the_settings_as_they_are_meant(plan: EventPlan, tmp_path: Path) -> None:
    config = tmp_path / "ssh config"
    config.write_text(ssh_config(plan, str(tmp_path / "known hosts")))

    def setting(host: str) -> dict[str, str]:
        done = subprocess.run(
            ["ssh", "-G", "-F", str(config), host], capture_output=True, text=True, check=True
        )
        return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())

    head, node = setting("c02"), setting("c02-n1")
    assert (head["hostname"], head["user"]) == ("198.51.0.12", "student")
    assert head["stricthostkeychecking"] == "true"
    assert (node["hostname"], node["proxyjump"]) == ("10.0.2.11", "c02-head")
    assert node["hostkeyalias"] == "c02-n1"


def test_known_hosts_name_every_guest_with_the_key_on_its_sheet(plan: EventPlan) -> None:
    names = [line.split(" ")[0] for line in known_hosts(plan, SECRET).splitlines()]
    assert names == [each.name for each in plan.guests]
    assert known_hosts(planned(), SECRET) == ""


def test_the_inventory_has_groups_of_clusters_and_of_nodes_and_no_password(plan: EventPlan) -> None:
    text = inventory(plan, "ssh_config")
    found = json.loads(text)["all"]
    assert list(found["children"]["cluster_c02"]["hosts"]) == [
        "c02-head", "c02-n1", "c02-n2", "c02-n3", "c02-n4",
    ]  # fmt: skip
    assert len(found["children"]["nodes_compute"]["hosts"]) == 104
    assert not [each for each in sheets(plan, SECRET) if each.password in text]


def test_the_picture_shows_every_guest_once_where_it_is(plan: EventPlan) -> None:
    drawn = topology(plan)
    titles = [
        each.text
        for each in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles[1:] == [f"{g.name} on {g.host}, VMID {g.vmid}" for g in plan.guests]


def test_a_small_picture_is_exactly_what_its_golden_says() -> None:
    check_golden("topology.svg", topology(planned(clusters={"count": 2})))


@pytest.mark.parametrize(
    ("written", "name"),
    [("c07", "c07-head"), ("c07/n2", "c07-n2"), ("c07-n2", "c07-n2"), ("instructor", "instructor")],
)
def test_a_node_is_found_by_any_of_its_names(plan: EventPlan, written: str, name: str) -> None:
    assert find(plan, written).name == name


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("c7", "sc09 has no cluster c7"),
        ("c07/n9", "c07 has no node n9"),
    ],
)
def test_a_node_that_is_not_there_is_told_with_those_that_are(
    plan: EventPlan, written: str, told: str
) -> None:
    with pytest.raises(RunError) as raised:
        find(plan, written)
    assert told in str(raised.value)
    assert "nown: " in str(raised.value)
