"""The plan of a site: bridges, templates, downloads, logins, backups, and what the site has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from event.problems import PlanError
from event.read import read_stack
from event.stack import SiteStack
from plan.images import local_file
from plan.plan import plan_site
from plan.records import SitePlan
from tests.plan.making import host, image, site_stack

SHIPPED = Path(__file__).resolve().parents[2] / "stacks"
SHARED = {"type": "nfs", "sizeGib": 1000}
SHA256 = "0123456789abcdef" * 4


def shipped(name: str) -> SitePlan:
    stack = read_stack(name, SHIPPED)
    assert isinstance(stack, SiteStack)
    return plan_site(stack)


def test_every_host_gets_the_bridge_with_the_sites_vlans() -> None:
    plan = plan_site(site_stack([host("pve[01-02]", ports=["eno2"]), host("pve03", drain=True)]))
    assert [(h.name, h.bridge, h.vids, h.ports) for h in plan.hosts] == [
        ("pve01", "vmbr1", "100-999", ("eno2",)),
        ("pve02", "vmbr1", "100-999", ("eno2",)),
        ("pve03", "vmbr1", "100-999", ()),
    ]


def test_ports_of_a_bridge_are_planned_in_the_order_in_which_they_are_read() -> None:
    (planned,) = plan_site(site_stack([host("pve01", ports=["eno2", "eno1"])])).hosts
    assert planned.ports == ("eno1", "eno2")


def test_a_shared_storage_has_one_template_and_local_ones_one_each() -> None:
    images = {each.name: each for each in plan_site(site_stack()).images}
    assert [(t.vmid, t.host) for t in images["debian-12"].templates] == [(9000, "pve01")]
    assert [(t.vmid, t.host) for t in images["windows"].templates] == [
        (9099 + n, f"pve{n:02d}") for n in range(1, 7)
    ]
    assert images["windows"].templates[2].tags == ("hall", "practicum", "template")
    assert images["windows"].templates[2].volume == "local:import/9100.qcow2"


def test_a_drained_host_keeps_its_templates() -> None:
    rows = [host("pve01", drain=True), host("pve02")]
    assert plan_site(site_stack(rows)).images == plan_site(site_stack([host("pve[01-02]")])).images


def downloaded(storage: str, import_storage: str, url: str) -> SitePlan:
    picture = {
        "vmid": 9000, "url": url, "sha256": SHA256, "importStorage": import_storage,
        "storage": storage, "diskGib": 8,
    }  # fmt: skip
    return plan_site(site_stack([host("pve[01-03]")], images={"debian-12": picture}))


def test_a_file_is_fetched_once_for_a_shared_storage_else_on_each_host() -> None:
    url = "https://images.example.org/debian-12.raw?x=1"
    once, each = downloaded("shared", "shared", url), downloaded("local", "local", url)
    assert [d.host for d in once.images[0].downloads] == ["pve01"]
    assert [d.host for d in each.images[0].downloads] == ["pve01", "pve02", "pve03"]
    assert each.images[0].downloads[0].file_name == "debian-12-0123456789ab.raw"
    assert each.images[0].templates[0].volume == "local:import/debian-12-0123456789ab.raw"


def test_a_cloud_image_that_ends_in_img_is_named_as_proxmox_ve_wants_it() -> None:
    plan = downloaded("local", "shared", "https://images.example.org/noble.img")
    assert [d.file_name for d in plan.images[0].downloads] == ["debian-12-0123456789ab.qcow2"]


def uploaded(storage: str, **source: str) -> SitePlan:
    picture = {
        "vmid": 9000, "sha256": SHA256, "importStorage": storage, "storage": storage, "diskGib": 8,
        **source,
    }  # fmt: skip
    return plan_site(site_stack([host("pve[01-03]")], images={"debian-12": picture}))


def test_a_file_of_this_machine_is_sent_once_to_a_shared_storage_else_to_each_host() -> None:
    once = uploaded("shared", file="~/images/own.raw").images[0]
    assert [(u.host, u.file, u.build) for u in once.uploads] == [
        ("pve01", "~/images/own.raw", None)
    ]
    assert once.templates[0].volume == "shared:import/debian-12-0123456789ab.raw"
    each = uploaded("local", build="debian-12-plain").images[0]
    assert [u.host for u in each.uploads] == ["pve01", "pve02", "pve03"]
    assert {t.volume for t in each.templates} == {"local:import/debian-12-0123456789ab.qcow2"}


def test_an_image_that_was_built_here_is_found_where_it_was_built() -> None:
    (built,) = uploaded("shared", build="debian-12-plain").images[0].uploads
    assert local_file(built, {}) == "~/.cache/practicum/images/debian-12-plain.qcow2"
    there = local_file(built, {"XDG_CACHE_HOME": "/c"})
    assert there == "/c/practicum/images/debian-12-plain.qcow2"
    (own,) = uploaded("shared", file="own.qcow2").images[0].uploads
    assert local_file(own, {}) == "own.qcow2"


def test_the_college_of_six_servers_has_what_was_documented() -> None:
    capacity = shipped("adams-state").capacity
    assert capacity is not None
    assert capacity.cores.have == 72
    assert round(capacity.memory_mib.have / 1024, 2) == 404.49
    assert round(capacity.disk_gib.have / 1024, 2) == 11.82


def test_people_and_backups_are_planned() -> None:
    plan = shipped("adams-state")
    assert [user.user_id for user in plan.users] == [
        "student-lead@pve", "advisor@pve", "second-reader@pve",
    ]  # fmt: skip
    assert len({user.password_label for user in plan.users}) == 3
    assert [(job.job_id, job.schedule) for job in plan.backups] == [
        ("practicum-adams-state-sunday", "sun 01:00")
    ]


def test_a_site_without_a_shared_storage_is_warned() -> None:
    local = site_stack(images={"debian-12": image(9000, "local")})
    assert "no image is on a shared storage" in plan_site(local).warnings[0]
    assert plan_site(site_stack()).warnings == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {"a": image(100_000, "shared")}}, "100000 is within the VMIDs 100000-999999"),
        (
            {"images": {"a": image(9000, "local"), "b": image(9005, "shared")}},
            "site.images.b.vmid: 9005 is in use by the templates of a; write 9100",
        ),
        ({"storages": {"shared": {"type": "nfs"}, "local": {"type": "dir"}}}, "has no size"),
        (
            {"storages": {"shared": SHARED, "local": {"type": "zfspool", "shared": True}}},
            "no two hosts see the same zfspool",
        ),
        ({"network": {"bridge": "vmbr0"}}, "vmbr0 is the bridge of the exposed network"),
        (
            {"network": {"exposed": {"bridge": "vmbr1", "vlan": 150}}},
            "site.network.exposed.vlan: 150 is one of the clusters' VLANs 100-999",
        ),
        ({"network": {"exposed": {"gateway": "198.51.0.1"}}}, "needs the subnet"),
        (
            {"network": {"exposed": {"subnet": "198.51.0.0/24", "gateway": "198.51.1.1"}}},
            "198.51.1.1 is no address of 198.51.0.0/24; write e.g. 198.51.0.1",
        ),
        ({"network": {"exposed": {"subnet": "198.51.0.0/31"}}}, "has no room"),
    ],
)  # fmt: skip
def test_a_site_that_cannot_work_is_refused(changes: Any, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_site(site_stack(**changes))
    assert message in str(caught.value)
    assert all(problem.hint for problem in caught.value.problems)
