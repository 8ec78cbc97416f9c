"""Snapshots: the tree, what comes back, and what a snapshot forbids."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(100, name="g", memory="64", scsi0="pool:1,format=qcow2", net0="virtio,bridge=vmbr0")
    return api


def take(api: Api, name: str, **params: str) -> None:
    api.done("POST", "q/100/snapshot", snapname=name, **params)


def tree(api: Api) -> dict[str, str | None]:
    return {row["name"]: row.get("parent") for row in api.ask("GET", "q/100/snapshot")}


def entry(api: Api, name: str) -> dict[str, Any]:
    rows = {row["name"]: row for row in api.ask("GET", "q/100/snapshot")}
    found: dict[str, Any] = rows[name]
    return found


def test_snapshots_form_a_tree_that_heals_when_one_goes(guest: Api) -> None:
    take(guest, "aa")
    take(guest, "bb")
    guest.done("POST", "q/100/snapshot/aa/rollback")
    take(guest, "cc")
    assert tree(guest) == {"aa": None, "bb": "aa", "cc": "aa", "current": "cc"}
    guest.done("DELETE", "q/100/snapshot/aa")
    assert tree(guest) == {"bb": None, "cc": None, "current": "cc"}
    guest.done("DELETE", "q/100/snapshot/cc")
    assert tree(guest) == {"bb": None, "current": None}


def test_a_rollback_brings_back_options_and_sizes_but_no_description(guest: Api) -> None:
    take(guest, "aa", description="first")
    guest.put(100, cores="3", description="now")
    guest.done("PUT", "q/100/resize", disk="scsi0", size="2G")
    guest.done("POST", "q/100/snapshot/aa/rollback")
    config = guest.config(100)
    assert "cores" not in config
    assert config["description"] == "now"
    assert config["scsi0"].endswith("size=1G")
    row = guest.ask("GET", f"nodes/pve1/storage/pool/content/{config['scsi0'].split(',')[0]}")
    assert row["size"] == 1 << 30
    assert entry(guest, "aa")["description"] == "first"


def test_a_disk_that_the_snapshot_does_not_have_becomes_unused(guest: Api) -> None:
    take(guest, "aa")
    guest.put(100, scsi1="pool:1,format=qcow2")
    added = guest.config(100)["scsi1"].split(",")[0]
    guest.done("POST", "q/100/snapshot/aa/rollback")
    assert guest.config(100)["unused0"] == added


def test_a_disk_that_only_a_snapshot_has_outlives_it_as_unused(guest: Api) -> None:
    volid = guest.config(100)["scsi0"].split(",")[0]
    take(guest, "aa")
    guest.put(100, delete="scsi0")
    with pytest.raises(RefusedError, match=r"volume is still in use \(snapshot\?\)"):
        guest.put(100, delete="unused0")
    guest.done("DELETE", "q/100/snapshot/aa")
    assert guest.config(100)["unused0"] == volid
    guest.put(100, delete="unused0")
    assert guest.volumes("pool") == []


def test_a_snapshot_with_memory_starts_the_guest_again(guest: Api) -> None:
    guest.start(100)
    take(guest, "live", vmstate="1")
    assert entry(guest, "live")["vmstate"] == 1
    held = guest.ask("GET", "q/100/snapshot/live/config")
    assert held["vmstate"] == "pool:100/vm-100-state-live.raw"
    assert held["running-nets-host-mtu"] == "net0=1500"
    assert held["runningmachine"].startswith("pc-i440fx-")
    guest.done("POST", "q/100/status/stop")
    guest.done("POST", "q/100/snapshot/live/rollback")
    assert guest.ask("GET", "q/100/status/current")["status"] == "running"
    assert "runningmachine" not in guest.config(100)
    guest.done("DELETE", "q/100/snapshot/live")
    assert guest.volumes("pool") == ["pool:100/vm-100-disk-0.qcow2"]


def test_a_snapshot_without_memory_leaves_the_guest_off_unless_asked(guest: Api) -> None:
    take(guest, "aa", vmstate="1")
    guest.start(100)
    guest.done("POST", "q/100/snapshot/aa/rollback")
    assert guest.ask("GET", "q/100/status/current")["status"] == "stopped"
    guest.done("POST", "q/100/snapshot/aa/rollback", start="1")
    assert guest.ask("GET", "q/100/status/current")["status"] == "running"


def test_destroying_a_guest_frees_the_memory_of_its_snapshots(guest: Api) -> None:
    guest.start(100)
    take(guest, "live", vmstate="1")
    guest.done("POST", "q/100/status/stop")
    guest.done("DELETE", "q/100")
    assert guest.volumes("pool") == []


@pytest.mark.parametrize("name", ["current", "pending", "Pending"])
def test_reserved_names_are_refused_before_the_task(guest: Api, name: str) -> None:
    with pytest.raises(RefusedError, match="reserved name"):
        guest.ask("POST", "q/100/snapshot", snapname=name)


@pytest.mark.parametrize(
    ("disk", "can"), [("local:1,format=raw", 0), ("local:1,format=qcow2", 1), ("thin:1", 1)]
)
def test_the_storage_and_format_decide_whether_there_are_snapshots(
    api: Api, disk: str, can: int
) -> None:
    api.create(100, scsi0=disk)
    answer = api.ask("GET", "q/100/feature", feature="snapshot")
    assert answer == {"hasFeature": can, "nodes": ["pve1"]}
    task = api.ask("POST", "q/100/snapshot", snapname="aa")
    assert task["status"] == ("OK" if can else "snapshot feature is not available")
    assert "lock" not in api.config(100)


def test_disks_on_shared_storage_are_on_all_hosts(guest: Api) -> None:
    assert guest.ask("GET", "q/100/feature", feature="clone") == {
        "hasFeature": 0,
        "nodes": ["pve1", "pve2", "pve3"],
    }


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("POST", "q/100/snapshot/xx/rollback"), "snapshot 'xx' does not exist"),
        (("DELETE", "q/100/snapshot/xx"), "snapshot 'xx' does not exist"),
        (
            ("DELETE", "q/999/snapshot/xx"),
            "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist",
        ),
    ],
)
def test_a_missing_snapshot_fails_the_task(guest: Api, call: tuple[str, str], text: str) -> None:
    assert guest.ask(*call)["status"] == text


def test_a_locked_guest_takes_no_snapshot(guest: Api) -> None:
    take(guest, "aa")
    guest.put(100, lock="backup")
    for call in (("DELETE", "q/100/snapshot/aa"), ("POST", "q/100/snapshot/aa/rollback")):
        assert guest.ask(*call)["status"] == "VM is locked (backup)"
    assert guest.ask("POST", "q/100/snapshot", snapname="bb")["status"] == "VM is locked (backup)"


def test_a_clone_of_a_snapshot_has_its_options_and_no_snapshots(guest: Api) -> None:
    take(guest, "aa")
    guest.put(100, cores="3")
    guest.done("PUT", "q/100/resize", disk="scsi0", size="2G")
    guest.done("POST", "q/100/clone", newid="101", snapname="aa")
    config = guest.config(101)
    assert "cores" not in config
    assert "parent" not in config
    assert config["scsi0"].endswith("size=1G")
    with pytest.raises(RefusedError, match="Linked clone feature is not supported for a snapshot"):
        guest.ask("POST", "q/100/clone", newid="102", snapname="aa", full="0")


def test_a_guest_with_snapshots_becomes_no_template_and_keeps_its_disks(guest: Api) -> None:
    take(guest, "aa")
    with pytest.raises(RefusedError, match="because VM contains snapshots"):
        guest.ask("POST", "q/100/template")
    with pytest.raises(RefusedError, match="with snapshots and delete the source"):
        guest.ask("POST", "q/100/move_disk", disk="scsi0", storage="local", delete="1")


def test_a_description_that_is_emptied_is_no_longer_in_the_snapshot(guest: Api) -> None:
    take(guest, "aa", description="first\n")
    path = "q/100/snapshot/aa/config"
    assert guest.ask("GET", path)["description"] == "first"
    guest.ask("PUT", path, description="")
    assert "description" not in guest.ask("GET", path)
    assert entry(guest, "aa")["description"] == ""


def test_the_configuration_in_a_snapshot_is_read_in_two_ways(guest: Api) -> None:
    guest.put(100, cipassword="$5$salt$hash")
    take(guest, "aa")
    guest.put(100, cores="3")
    held = guest.ask("GET", "q/100/snapshot/aa/config")
    assert held["cipassword"] == "$5$salt$hash"
    hidden = {"cipassword": "**********", "digest": guest.config(100)["digest"]}
    assert guest.config(100, snapshot="aa") == held | hidden
    with pytest.raises(RefusedError) as refused:
        guest.config(100, snapshot="aa", current="1")
    assert set(refused.value.errors) == {"snapshot", "current"}
