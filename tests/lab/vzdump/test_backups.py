"""Backups: what is saved, what comes back, and what is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.archives import file_name, parse_file_name
from lab.vzdump import prune
from tests.lab.direct import Api, RefusedError, refusal

VZDUMP = "nodes/pve1/vzdump"
LOCAL = "nodes/pve1/storage/local"


def save(api: Api, vmid: int, **params: str) -> str:
    """Save a guest; the volume id of the backup."""
    before = set(backups(api))
    api.done("POST", VZDUMP, vmid=str(vmid), **params)
    (new,) = set(backups(api, params.get("storage", "local"))) - before
    return new


def backups(api: Api, storage: str = "local") -> list[str]:
    rows = api.ask("GET", f"nodes/pve1/storage/{storage}/content", content="backup")
    return [row["volid"] for row in rows]


def config(api: Api, kind: str, vmid: int) -> dict[str, Any]:
    found: dict[str, Any] = api.ask("GET", f"nodes/pve1/{kind}/{vmid}/config")
    return found


def test_a_backup_is_listed_with_what_is_in_it(api: Api) -> None:
    volid = save(api, 100, compress="zstd")
    assert volid.startswith("local:backup/vzdump-qemu-100-")
    assert volid.endswith(".vma.zst")
    (row,) = api.ask("GET", f"{LOCAL}/content", content="backup")
    assert (row["vmid"], row["subtype"], row["format"]) == (100, "qemu", "vma.zst")
    disk = api.ask("GET", "nodes/pve1/storage/pool/content/pool:100/vm-100-disk-0.qcow2")
    assert row["size"] >= disk["used"]
    assert "lock" not in config(api, "qemu", 100)


def test_the_configuration_in_a_backup_can_be_read(api: Api) -> None:
    text = api.ask("GET", f"{VZDUMP}/extractconfig", volume=save(api, 100))
    assert text.startswith("#kept\n")
    assert "\nname: web\n" in text
    assert "#qmdump#map:scsi0:drive-scsi0:pool:qcow2:\n" in text
    assert "map:scsi1" not in text


def test_a_guest_comes_back_under_another_number(api: Api) -> None:
    volid = save(api, 100)
    api.done("POST", "nodes/pve1/qemu", vmid="101", archive=volid, unique="1", memory="128")
    old, new = config(api, "qemu", 100), config(api, "qemu", 101)
    assert (new["name"], new["memory"]) == ("web", "128")
    assert new["scsi0"].startswith("pool:101/vm-101-disk-0.qcow2")
    assert "vm-101-cloudinit" in new["ide2"]
    assert new["net0"] != old["net0"]
    assert new["smbios1"] != old["smbios1"]
    assert "scsi1" not in new
    assert new["description"].startswith("kept\nscsi1: pool:100/")
    origin = api.ask("GET", "nodes/pve1/storage/pool/content/pool:100/vm-100-disk-0.qcow2")
    copy = api.ask("GET", "nodes/pve1/storage/pool/content/pool:101/vm-101-disk-0.qcow2")
    assert (copy["size"], copy["used"]) == (origin["size"], origin["used"])


def test_a_restore_over_a_guest_needs_force_and_keeps_its_other_disks(api: Api) -> None:
    volid = save(api, 100)
    text = "unable to restore VM 100 - VM 100 already exists on node 'pve1'"
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", "nodes/pve1/qemu", vmid="100", archive=volid)
    before = api.volumes("pool")
    api.done("POST", "nodes/pve1/qemu", vmid="100", archive=volid, force="1")
    found = config(api, "qemu", 100)
    assert found["unused0"] == "pool:100/vm-100-disk-1.raw"
    assert "lock" not in found
    assert len(api.volumes("pool")) == len(before)


def test_a_running_or_protected_guest_is_not_overwritten(api: Api) -> None:
    volid = save(api, 100)
    api.put(100, protection="1")
    again = {"vmid": "100", "archive": volid, "force": "1"}
    task = api.ask("POST", "nodes/pve1/qemu", **again)
    assert task["status"] == "unable to restore VM 100 - - protection mode enabled"
    api.put(100, protection="0")
    api.start(100)
    assert api.ask("POST", "nodes/pve1/qemu", **again)["status"].endswith("vm is running")
    assert "lock" not in config(api, "qemu", 100)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"archive": "local:backup/none.vma"}, "does not exist"),
        ({"archive": "junk"}, "can't find file 'junk'"),
        ({"archive": "pool:import/debian.qcow2"}, "content type needs to be 'backup'"),
        ({"archive": "junk", "scsi0": "pool:1"}, "option conflicts with option 'archive'"),
        ({"unique": "1"}, "missing property required by 'unique'"),
    ],
)
def test_restores_that_are_refused(api: Api, params: dict[str, str], text: str) -> None:
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", "nodes/pve1/qemu", vmid="101", **params)
    assert api.lab.store.get("qemu", "101") is None


def test_a_container_comes_back_with_its_mount_points(api: Api) -> None:
    volid = save(api, 200)
    assert volid.endswith(".tar")
    api.done(
        "POST", "nodes/pve1/lxc", vmid="201", ostemplate=volid, restore="1", storage="thin",
        hostname="other",
    )  # fmt: skip
    found = config(api, "lxc", 201)
    assert (found["hostname"], found["unprivileged"]) == ("other", 1)
    assert found["rootfs"] == "thin:vm-201-disk-0,size=2G"
    assert found["mp0"] == "thin:vm-201-disk-1,mp=/data,size=1G"
    assert found["net0"] == config(api, "lxc", 200)["net0"]
    assert "lock" not in found


def test_a_container_is_replaced_only_when_that_works(api: Api) -> None:
    volid = save(api, 200)
    before = config(api, "lxc", 200)
    again = {"vmid": "200", "ostemplate": volid, "restore": "1"}
    with pytest.raises(RefusedError, match="CT 200 already exists on node 'pve1'"):
        api.ask("POST", "nodes/pve1/lxc", **again)
    missing = {**again, "ostemplate": "local:backup/vzdump-lxc-200-none.tar", "force": "1"}
    task = api.ask("POST", "nodes/pve1/lxc", **missing)
    assert task["status"].startswith("unable to restore CT 200 - volume")
    assert config(api, "lxc", 200) == before
    api.done("POST", "nodes/pve1/lxc", **again, storage="tank", force="1")
    assert config(api, "lxc", 200)["rootfs"] == "tank:subvol-200-disk-0,size=2G"
    assert api.ask("GET", "nodes/pve1/storage/thin/content") == []


def test_one_guest_that_fails_does_not_keep_the_others_from_being_saved(api: Api) -> None:
    api.put(100, lock="snapshot")
    task = api.ask("POST", VZDUMP, vmid="100,200,999")
    assert task["status"] == "job errors"
    assert "ERROR: Backup of VM 100 failed - VM is locked (snapshot)" in task["log"]
    assert "ERROR: Backup of VM 999 failed - unable to find VM '999'" in task["log"]
    assert len(backups(api)) == 1
    assert config(api, "qemu", 100)["lock"] == "snapshot"


def test_a_run_without_guests_here_does_nothing(api: Api) -> None:
    assert api.ask("POST", "nodes/pve2/vzdump", vmid="100") == "OK"
    assert backups(api) == []


def test_all_guests_but_some_are_saved(api: Api) -> None:
    api.done("POST", VZDUMP, exclude="100", storage="local")
    assert ["lxc" in volid for volid in backups(api)] == [True]


@pytest.mark.parametrize(
    ("params", "name", "text"),
    [
        ({}, "vmid", "property is missing"),
        ({"vmid": "100", "all": "1"}, "all", "option conflicts with option 'vmid'"),
        ({"vmid": "100", "pool": "x"}, "pool", "option conflicts with option 'vmid'"),
        ({"all": "1", "stdout": "1"}, "stdout", "option is only allowed on the command line"),
        ({"vmid": "100", "mode": "x"}, "mode", "value 'x' does not have a value"),
        (
            {"vmid": "100", "storage": "local", "notes-template": "{{x}}"},
            "notes-template",
            "found unknown: variable 'x' at char 4",
        ),
    ],
)
def test_runs_that_are_refused(api: Api, params: dict[str, str], name: str, text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", VZDUMP, **params)
    assert refused.value.errors[name].startswith(text)


def test_a_storage_without_backups_fails_the_task(api: Api) -> None:
    task = api.ask("POST", VZDUMP, vmid="100", storage="thin")
    assert task["status"].endswith("can't use storage 'thin' for backups - wrong content type")


@pytest.mark.parametrize("mode", ["snapshot", "suspend", "stop"])
def test_a_running_guest_runs_again_afterwards(api: Api, mode: str) -> None:
    api.start(100)
    api.done("POST", "nodes/pve1/lxc/200/status/start")
    save(api, 100, mode=mode)
    save(api, 200, mode=mode)
    for kind, vmid in (("qemu", 100), ("lxc", 200)):
        status = api.ask("GET", f"nodes/pve1/{kind}/{vmid}/status/current")
        assert status["status"] == "running"


def test_notes_and_protection_belong_to_a_backup(api: Api) -> None:
    volid = save(
        api, 100, storage="local", protected="1", **{"notes-template": "{{guestname}} {{vmid}}"}
    )
    path = f"{LOCAL}/content/{volid}"
    found = api.ask("GET", path)
    assert (found["notes"], found["protected"]) == ("web 100", 1)
    task = api.ask("DELETE", path)
    assert task["status"].startswith("cannot remove protected volume 'backup/vzdump-qemu-100-")
    api.ask("PUT", path, protected="0", notes="other")
    assert api.ask("GET", path)["notes"] == "other"
    api.done("DELETE", path)
    assert backups(api) == []


def aged(api: Api, *ages_h: int) -> list[str]:
    """Backups made some hours ago, the storage's own way of naming them."""
    rows, made = [], []
    now = time.mktime(time.strptime("2026-03-10 12:30:00", "%Y-%m-%d %H:%M:%S"))
    volid = save(api, 100)
    row = api.lab.store.get("volume", f"pve1/{volid}") or {}
    for age in ages_h:
        name = file_name("qemu", 100, now - age * 3600, "0")
        rows.append({**row, "volid": f"local:backup/{name}"})
        made.append(f"local:backup/{name}")
    api.done("DELETE", f"{LOCAL}/content/{volid}")
    for row in rows:
        api.lab.store.put("volume", f"pve1/{row['volid']}", row)
    return made


def test_retention_keeps_the_newest_of_each_period(api: Api) -> None:
    made = aged(api, 0, 1, 2, 30, 60)
    keep = "keep-last=1,keep-daily=2"
    rows = api.ask("GET", f"{LOCAL}/prunebackups", **{"prune-backups": keep})
    marks = {row["volid"]: row["mark"] for row in rows}
    assert [marks[volid] for volid in made] == ["keep", "remove", "remove", "keep", "keep"]
    api.done("DELETE", f"{LOCAL}/prunebackups", **{"prune-backups": keep})
    assert sorted(backups(api)) == sorted(made[:1] + made[3:])


def test_a_run_prunes_what_is_too_much(api: Api) -> None:
    old = aged(api, 0, 1)
    new = save(api, 100, **{"prune-backups": "keep-last=1"})
    assert backups(api) == [new]
    assert new not in old


def test_without_removing_a_limit_refuses_the_next_backup(api: Api) -> None:
    aged(api, 0)
    task = api.ask("POST", VZDUMP, vmid="100", remove="0", **{"prune-backups": "keep-last=1"})
    assert task["status"] == "job errors"
    assert any("There is a max backup limit of 1 enforced" in line for line in task["log"])


def test_without_a_rule_everything_is_kept(api: Api) -> None:
    aged(api, 0, 1, 2)
    entries = prune.marked(api.lab, "local", "pve1", {})
    assert {entry["mark"] for entry in entries} == {"keep"}


def test_a_name_says_what_is_in_a_backup_and_from_when() -> None:
    moment = time.mktime(time.strptime("2026-03-10 12:30:05", "%Y-%m-%d %H:%M:%S"))
    name = file_name("lxc", 200, moment, "gzip")
    assert name == "vzdump-lxc-200-2026_03_10-12_30_05.tar.gz"
    assert parse_file_name(name) == ("lxc", 200, int(moment))
    assert parse_file_name("vzdump-lxc-200-mine.tar") is None


def test_defaults_say_what_a_run_does(api: Api) -> None:
    found = api.ask("GET", f"{VZDUMP}/defaults")
    assert (found["mode"], found["storage"]) == ("snapshot", "local")
    assert found["dumpdir"] == "/var/lib/vz/dump"


def test_the_guests_of_a_pool_that_is_not_there_are_not_saved(api: Api) -> None:
    assert (
        refusal(api, "POST", "nodes/pve1/vzdump", pool="nosuch") == "pool 'nosuch' does not exist"
    )


def test_as_many_backups_of_a_guest_are_protected_as_the_storage_takes(api: Api) -> None:
    api.ask("PUT", "storage/local", **{"max-protected-backups": "1"})
    other = save(api, 200)
    first = save(api, 100)
    time.sleep(1.1)  # names of backups tell seconds
    second = save(api, 100)
    api.ask("PUT", f"{LOCAL}/content/{other}", protected="1")
    for _ in range(2):
        api.ask("PUT", f"{LOCAL}/content/{first}", protected="1")
    limit = "number of protected backups per guest is limited to 1 on storage 'local'"
    with pytest.raises(RefusedError, match=limit):
        api.ask("PUT", f"{LOCAL}/content/{second}", protected="1")
    api.ask("PUT", f"{LOCAL}/content/{first}", protected="0")
    api.ask("PUT", f"{LOCAL}/content/{second}", protected="1", notes="kept")
