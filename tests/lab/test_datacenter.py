"""Backup jobs, storage definitions, options and lists of the whole cluster."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.lab.served import ServedLab


def test_a_job_answers_with_numbers_and_objects_inside(lab: ServedLab) -> None:
    lab.call(
        "POST",
        "cluster/backup",
        id="weekly",
        schedule="sun 01:00",
        storage="local",
        pool="",
        all="1",
        prune__backups="keep-last=3",
    )
    found = lab.get("cluster/backup/weekly")
    assert found["prune-backups"] == {"keep-last": "3"}
    assert (found["enabled"], found["all"], found["type"]) == (1, 1, "vzdump")
    assert "next-run" not in found
    assert lab.get("cluster/backup/")[0]["next-run"] > 0


def test_a_new_selection_takes_the_place_of_the_old_one(lab: ServedLab) -> None:
    lab.call("POST", "cluster/backup", id="job", schedule="daily", vmid="100").ok()
    lab.call("PUT", "cluster/backup/job", all="1").ok()
    assert "vmid" not in lab.get("cluster/backup/job")


def test_a_job_without_a_name_gets_one(lab: ServedLab) -> None:
    lab.call("POST", "cluster/backup", schedule="daily", all="1").ok()
    assert uuid.UUID(lab.get("cluster/backup")[0]["id"])


def test_the_tree_of_a_job_shows_disks_and_why(lab: ServedLab) -> None:
    params = {"scsi0": "local:1", "scsi1": "local:1,backup=0", "ide2": "none,media=cdrom"}
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100", name="g", **params).ok())
    lab.call("POST", "cluster/backup", id="job", schedule="daily", all="1").ok()
    children = lab.get("cluster/backup/job/included_volumes")["children"]
    disks = [(disk["id"], disk["included"], disk["reason"]) for disk in children[0]["children"]]
    assert disks == [("100:scsi0", 1, "backup=yes"), ("100:scsi1", 0, "backup=no")]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"type": "dir"}, "missing value for required option 'path'"),
        ({"type": "dir", "path": "/x", "pool": "p"}, "unexpected property 'pool'"),
        (
            {"type": "dir", "path": "/x", "storage": "local"},
            "create storage failed: storage ID 'local' already defined",
        ),
    ],
)
def test_options_of_a_storage_have_to_fit_its_type(
    lab: ServedLab, params: dict[str, str], text: str
) -> None:
    answer = lab.call("POST", "storage", **({"storage": "new"} | params))
    assert (answer.status, answer.reason) == (500, text)


def test_content_and_hosts_of_a_storage_are_sets_in_a_text(lab: ServedLab) -> None:
    params: dict[str, Any] = {"type": "dir", "path": "/x", "nodes": "pve2 pve1,pve2"}
    answer = lab.call("POST", "storage", storage="new", content="iso,images,iso", **params)
    assert answer.ok() == {"storage": "new", "type": "dir"}
    found = lab.get("storage/new")
    assert (found["content"], found["nodes"]) == ("images,iso", "pve1,pve2")
    lab.call("PUT", "storage/new", delete="nodes,content").ok()
    assert lab.get("storage/new")["content"] == "images,rootdir"
    assert "nodes" not in lab.get("storage/new")


def test_the_size_from_the_seed_is_no_option_of_a_storage(lab: ServedLab) -> None:
    assert "sizeGib" not in lab.get("storage/local")
    rows = lab.get("cluster/resources", type="storage")
    assert {row["maxdisk"] for row in rows if row["storage"] == "local"} == {200 * 2**30}


def test_a_secret_of_a_storage_does_not_come_back(lab: ServedLab) -> None:
    params = {"type": "cifs", "server": "10.0.0.9", "share": "s", "username": "u"}
    lab.call("POST", "storage", storage="cifs1", password="hunter22", **params).ok()
    assert "hunter22" not in json.dumps(lab.get("storage/cifs1"))


def test_a_changed_guest_is_in_the_list_at_once(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100", name="a").ok())
    assert lab.get("cluster/resources", type="vm")[0]["name"] == "a"
    lab.call("PUT", "nodes/pve1/qemu/100/config", name="b", tags="x").ok()
    row = lab.get("cluster/resources", type="vm")[0]
    assert (row["name"], row["tags"], row["status"]) == ("b", "x", "stopped")
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    assert lab.get("cluster/resources", type="vm")[0]["status"] == "running"


def test_a_pool_is_listed_with_the_load_of_its_running_guests(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    for vmid in ("100", "101", "102"):
        params = {"vmid": vmid, "memory": "64", "cores": "2", "pool": "p"}
        lab.finish(lab.call("POST", "nodes/pve1/qemu", **params).ok())
    bare = {"id": "/pool/p", "type": "pool", "pool": "p"}
    assert [row for row in lab.get("cluster/resources") if row["type"] == "pool"] == [bare]
    for vmid in ("100", "101"):
        lab.finish(lab.call("POST", f"nodes/pve1/qemu/{vmid}/status/start").ok())
    (pool,) = [row for row in lab.get("cluster/resources") if row["type"] == "pool"]
    assert (pool["maxcpu"], pool["maxmem"]) == (4, 128 * 2**20)
    assert pool.keys() == bare.keys() | {"uptime", "mem", "maxmem", "cpu", "maxcpu"}


def test_next_id_is_a_text_within_the_bounds(lab: ServedLab) -> None:
    assert lab.get("cluster/nextid") == "100"
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100").ok())
    assert lab.get("cluster/nextid") == "101"
    assert lab.call("GET", "cluster/nextid", vmid="100").errors == {"vmid": "VM 100 already exists"}
    lab.call("PUT", "cluster/options", next__id="lower=500").ok()
    assert lab.get("cluster/nextid") == "500"
    lab.call("PUT", "cluster/options", next__id="lower=-1,upper=2000000000").ok()
    answer = lab.call("PUT", "cluster/options", next__id="lower=1000001")
    assert answer.reason == "lower (1000001) <= upper (1000000) boundary rule broken"


def test_some_options_come_back_as_objects(lab: ServedLab) -> None:
    lab.call("PUT", "cluster/options", crs="ha=static", bwlimit="clone=5", description="d").ok()
    found = lab.get("cluster/options")
    assert found["crs"] == {"ha": "static"}
    assert found["bwlimit"] == "clone=5"
    assert found["description"] == "d\n"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"console": "applet"}, {"console": "html5"}),
        ({"migration_unsecure": "1"}, {"migration": {"type": "insecure"}}),
        (
            {"migration_unsecure": "1", "migration": "secure"},
            {"migration_unsecure": 1, "migration": {"type": "secure"}},
        ),
        (
            {"tag-style": "", "email_from": ""},
            {"tag-style": "", "email_from": ""},
        ),
        ({"crs": ""}, {}),
        ({"description": "a\n\nb\n\n"}, {"description": "a\n\nb\n"}),
        ({"mac_prefix": "bc:24:11"}, {}),
    ],
)
def test_options_come_back_as_their_file_keeps_them(
    lab: ServedLab, given: dict[str, str], shown: dict[str, Any]
) -> None:
    lab.call("PUT", "cluster/options", **given).ok()
    plain = {"allowed-tags": [], "description": "", "mac_prefix": "BC:24:11"}
    assert lab.get("cluster/options") == plain | shown


def test_the_cluster_has_a_quorum_and_all_hosts_are_online(lab: ServedLab) -> None:
    cluster, *nodes = lab.get("cluster/status")
    assert (cluster["name"], cluster["nodes"], cluster["quorate"]) == ("lab", 3, 1)
    assert [(node["name"], node["online"], node["local"]) for node in nodes] == [
        ("pve1", 1, 1),
        ("pve2", 1, 0),
        ("pve3", 1, 0),
    ]


def test_a_host_tells_its_load(lab: ServedLab) -> None:
    status = lab.get("nodes/pve1/status")
    assert status["memory"]["total"] == 16384 * 2**20
    assert status["cpuinfo"]["cpus"] == 8


def test_a_host_is_told_how_to_join(lab: ServedLab) -> None:
    found = lab.get("cluster/config/join")
    assert (found["preferred_node"], len(found["nodelist"])) == ("pve1", 3)
    assert found["nodelist"][0].keys() == {
        *("name", "nodeid", "quorum_votes", "ring0_addr", "pve_addr", "pve_fp")
    }
    assert found["totem"] == lab.get("cluster/config/totem")
    assert lab.get("cluster/config/join", node="pve2")["preferred_node"] == "pve2"
    assert lab.call("GET", "cluster/config/join", node="x").reason == "unknown node 'x'"
    assert lab.get("cluster/config/qdevice") == {}
