"""The two files of 2009: out, in, and out again they are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from event.problems import PlanError
from event.read import read_stack
from event.stack import EventStack
from plan.import_two_files import Imported, import_two_files
from plan.plan import plan_event
from plan.records import EventPlan
from plan.two_files import TwoFiles, export_two_files, folded
from tests.plan.generated import event_stacks
from tests.plan.making import STACKS, check_golden, planned, site_stack

SHIPPED = Path(__file__).resolve().parents[2] / "stacks"
CASES = [
    pytest.param(folder, path.stem.removeprefix("Pulumi."), id=path.stem)
    for folder in (STACKS, SHIPPED)
    for path in sorted(folder.glob("Pulumi.*.yaml"))
    if "practicum:event:" in path.read_text(encoding="utf-8")
]


def event(folder: Path, name: str) -> EventStack:
    stack = read_stack(name, folder)
    assert isinstance(stack, EventStack)
    return stack


@pytest.mark.parametrize(("folder", "name"), CASES)
def test_an_imported_event_plans_the_same_two_files(
    folder: Path, name: str, tmp_path: Path
) -> None:
    stack = event(folder, name)
    files = export_two_files(plan_event(stack))
    text = import_two_files(files, stack.site, stack=name).text
    for site in folder.glob("Pulumi.*.yaml"):
        (tmp_path / site.name).write_text(site.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")
    assert export_two_files(plan_event(event(tmp_path, name))) == files


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(event_stacks())
def test_any_event_with_a_cluster_survives_the_round_trip(stack: EventStack) -> None:
    plan = plan_event(stack)
    if not plan.clusters:
        return
    files = export_two_files(plan)
    imported = import_two_files(files, stack.site, stack=stack.name)
    assert sizeless(imported.plan) == sizeless(plan)


def sizeless(plan: EventPlan) -> dict[str, object]:
    """All that the two files say of each guest; in which order is the event's."""
    return {
        guest.name: (guest.host, guest.template.image, guest.vmid, guest.interfaces)
        for guest in plan.guests
    }


def test_the_two_files_read_as_their_goldens_say() -> None:
    files = export_two_files(plan_event(event(STACKS, "storage-node")))
    check_golden("two-files-clusters.txt", files.clusters)
    check_golden("two-files-deployment.txt", files.deployment)


def test_an_imported_stack_file_reads_as_its_golden_says() -> None:
    stack = event(STACKS, "unlike")
    files = export_two_files(plan_event(stack))
    imported = import_two_files(files, stack.site, stack="unlike", title='A "quoted" title: yes')
    check_golden("two-files-imported.yaml", imported.text)


def test_runs_of_vlans_are_folded() -> None:
    assert folded([101, 102, 103, 105]) == "101-103+105"
    assert folded([]) == ""


def test_guests_that_stand_elsewhere_are_pinned_by_whole_clusters() -> None:
    files = export_two_files(planned(clusters={"count": 3}))
    deployment = files.deployment.replace(" c02-n1", "").replace("pve05", "pve05 c02-n1")
    imported = brought_in(files.clusters, deployment)
    assert "c02: {hosts: {head: pve06, n1: pve05," in imported.text
    assert "c01" not in imported.text


def test_passwords_are_not_taken_over_and_never_shown() -> None:
    files = export_two_files(planned(clusters={"count": 1}))
    imported = brought_in(files.clusters.replace(" -- ", " swordfish "), files.deployment)
    assert "root passwords of 6 guests are not taken over" in imported.warnings
    assert "swordfish" not in repr(imported)


def test_foreign_mac_addresses_are_told() -> None:
    files = export_two_files(planned(clusters={"count": 1}))
    imported = brought_in(files.clusters.replace("02:00:01", "00:16:3E"), files.deployment)
    assert "MAC addresses of 6 guests are made anew from their VMIDs" in imported.warnings


def test_comments_and_blank_lines_are_skipped() -> None:
    files = export_two_files(planned(clusters={"count": 1}))
    clusters = f"# made by hand\n\n{files.clusters}\n"
    assert export_two_files(brought_in(clusters, files.deployment).plan) == files


CLUSTERS = """\
c01-head debian-12 -- 00:16:3e:00:00:01/-/dhcp,00:16:3e:00:00:02/101/10.0.1.1
c01-n1 debian-12 -- 00:16:3e:00:00:03/101/10.0.1.11
c02-head debian-12 -- 00:16:3e:00:00:04/-/dhcp,00:16:3e:00:00:05/102/10.0.2.1
c02-n1 debian-12 -- 00:16:3e:00:00:06/102/10.0.2.11
"""
DEPLOYMENT = "pve01 c01-head c02-n1\npve02 c01-n1 c02-head\n"

EXTRA = "00:16:3e:00:00:08/-/dhcp"

MISTAKES: dict[str, tuple[str, str, str, str]] = {
    "few-words": ("clusters", "c01-n1 debian-12 --", "c01-n1 --", "clusters.txt:2: has 3 words"),
    "name": ("clusters", "c01-n1", "C01_n1", 'clusters.txt:2: "C01_n1" is no host name'),
    "twice": ("clusters", "c02-n1", "c01-n1", "clusters.txt:4: c01-n1 is on line 2 as well"),
    "mac": (
        "clusters",
        "00:16:3e:00:00:03",
        "00:16",
        'clusters.txt:2: "00:16/101/10.0.1.11" has no MAC',
    ),
    "vlan": ("clusters", "/101/10.0.1.11", "/x/10.0.1.11", "has no VLAN"),
    "address": ("clusters", "10.0.1.11", "10.0.1.256", "has no IPv4 address"),
    "nic": ("clusters", "/101/10.0.1.11", "", "is no mac/vlan/ip"),
    "image": (
        "clusters",
        "c01-n1 debian-12",
        "c01-n1 debian-11",
        "debian-11 is not an image of the site hall",
    ),
    "no-node": ("clusters", "c01-n1", "mirror", "clusters.txt:2: mirror is no <cluster>-<node>"),
    "other-vlan": (
        "clusters",
        "/102/10.0.2.11",
        "/109/10.0.2.11",
        "clusters.txt:4: c02-n1 has the VLAN of another",
    ),
    "other-net": (
        "clusters",
        "10.0.2.11",
        "10.9.2.11",
        "clusters.txt:4: c02-n1 is not in the subnet",
    ),
    "other-prefix": ("clusters", "c02-n1", "d02-n1", "clusters.txt:4: d02-n1 begins another name"),
    "gap": ("clusters", "c01-n1", "c01-n2", "clusters.txt:2: c01-n2 is not the first"),
    "three-nics": (
        "clusters",
        "00:16:3e:00:00:06",
        f"{EXTRA},{EXTRA},00:16:3e:00:00:06",
        "has other NICs than a node has",
    ),
    "nowhere": (
        "deployment",
        " c02-n1",
        "",
        "clusters.txt:4: c02-n1 is on no line of deployment.txt",
    ),
    "unknown-guest": (
        "deployment",
        "c01-head",
        "c01-haed",
        'deployment.txt:1: "c01-haed" is no guest of clusters.txt; did you mean',
    ),
    "two-hosts": (
        "deployment",
        "pve02",
        "pve02 c02-n1",
        "deployment.txt:2: c02-n1 is on pve01 already",
    ),
    "host": (
        "deployment",
        "pve02",
        "pve22",
        "deployment.txt:2: pve22 is not a host of the site hall; did you mean pve02?",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_line_that_breaks_the_pattern_is_told_with_its_place(name: str) -> None:
    which, old, new, message = MISTAKES[name]
    clusters, deployment = CLUSTERS, DEPLOYMENT
    if which == "clusters":
        clusters = clusters.replace(old, new)
        deployment = deployment.replace(old, new) if " " not in old and "-" in old else deployment
    else:
        deployment = deployment.replace(old, new)
    with pytest.raises(PlanError) as caught:
        brought_in(clusters, deployment)
    assert message in str(caught.value)
    assert all(problem.where and problem.hint for problem in caught.value.problems)


def test_two_files_as_people_wrote_them_become_an_event() -> None:
    imported = brought_in(CLUSTERS, DEPLOYMENT)
    assert [guest.name for guest in imported.plan.guests] == [
        "c01-head", "c01-n1", "c02-head", "c02-n1",
    ]  # fmt: skip
    assert imported.plan.clusters[1].guests[0].host == "pve02"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/101/", "/1/", 'event.network.vlans: "0-2" has 0, but VLANs are 2 to 4094'),
        ("c0", "c999", "event.clusters.count: 9992 is not allowed; write a whole number from 0"),
    ],
)
def test_what_no_stack_file_may_say_is_refused_like_in_one(
    old: str, new: str, message: str
) -> None:
    clusters = CLUSTERS.replace(old, new).replace("/102/", "/2/" if new == "/1/" else "/102/")
    deployment = DEPLOYMENT.replace(old, new)
    if new == "c999":
        addresses = (("10.0.1.", "10.39.7."), ("10.0.2.", "10.39.8."))
        for text, other in addresses:
            clusters = clusters.replace(text, other)
        clusters = clusters.replace("/101/", "/3101/").replace("/102/", "/3102/")
    with pytest.raises(PlanError) as caught:
        brought_in(clusters, deployment)
    assert message in str(caught.value)


def test_two_files_without_a_guest_are_refused() -> None:
    with pytest.raises(PlanError, match="there is no guest of a cluster"):
        brought_in("# nothing\n", "pve01\n")


def brought_in(clusters: str, deployment: str, **site: Any) -> Imported:
    files = TwoFiles(clusters=clusters, deployment=deployment)
    return import_two_files(files, site_stack(**site), stack="sc09", folder="two")
