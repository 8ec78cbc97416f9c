"""Volumes through the API, and what hosts see of storages."""

from __future__ import annotations

import pytest

from tests.lab.direct import SEED, Api, RefusedError, as_anna, grant
from tests.lab.served import ServedLab

CONTENT = "nodes/pve1/storage/pool/content"


def allocate(api: Api, file: str, size: str = "1M", **params: str) -> str:
    return str(api.ask("POST", CONTENT, vmid="100", filename=file, size=size, **params))


def test_a_volume_is_allocated_listed_described_and_deleted(api: Api) -> None:
    volid = allocate(api, "vm-100-disk-0.qcow2", "2G")
    assert volid == "pool:100/vm-100-disk-0.qcow2"
    (row,) = api.ask("GET", CONTENT, vmid="100", content="images")
    assert (row["volid"], row["size"], row["format"], row["parent"]) == (
        volid,
        2 << 30,
        "qcow2",
        None,
    )
    shown = api.ask("GET", f"{CONTENT}/{volid}")
    assert shown["path"] == "/mnt/pve/pool/images/100/vm-100-disk-0.qcow2"
    task = api.ask("DELETE", f"{CONTENT}/{volid}")
    assert (task["id"], task["status"]) == ("100@pool", "OK")
    assert api.volumes("pool") == []


def test_deleting_an_absent_volume_is_no_error_and_may_be_waited_for(api: Api) -> None:
    assert api.ask("DELETE", f"{CONTENT}/pool:100/vm-100-disk-0.raw", delay="5") is None


def test_the_same_name_is_not_allocated_twice(api: Api) -> None:
    allocate(api, "vm-100-disk-0.raw")
    text = "disk image '/mnt/pve/pool/images/100/vm-100-disk-0.raw' already exists"
    with pytest.raises(RefusedError, match=text):
        allocate(api, "vm-100-disk-0.raw")


def test_a_format_that_differs_from_the_name_is_refused(api: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        allocate(api, "vm-100-disk-0.qcow2", format="raw")
    assert refused.value.errors == {"format": "different storage formats (raw != qcow2)"}


def test_a_volume_of_another_storage_is_refused(api: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        api.ask("GET", f"{CONTENT}/local:iso/x.iso")
    assert refused.value.errors == {"volume": "storage ID mismatch (local != pool)\n"}


def test_only_backups_have_notes(api: Api) -> None:
    volid = allocate(api, "vm-100-disk-0.raw")
    with pytest.raises(RefusedError, match="only backups can have notes"):
        api.ask("PUT", f"{CONTENT}/{volid}", notes="x")


def test_hosts_share_only_what_is_shared(api: Api) -> None:
    api.create(100, scsi0="pool:1", scsi1="local:1")
    assert api.volumes("pool", node="pve2") == ["pool:100/vm-100-disk-0.raw"]
    assert api.volumes("local", node="pve2") == []


def test_an_image_of_the_seed_is_there_on_every_host_with_its_size(api: Api) -> None:
    for node in ("pve1", "pve3"):
        (row,) = api.ask("GET", f"nodes/{node}/storage/pool/content", content="import")
        assert (row["volid"], row["size"]) == ("pool:import/debian.qcow2", 2048 << 20)


def test_a_linked_clone_shows_its_parent(api: Api) -> None:
    api.create(900, scsi0="pool:1,format=qcow2")
    api.done("POST", "q/900/template")
    api.done("POST", "q/900/clone", newid="100", full="0")
    (row,) = api.ask("GET", CONTENT, vmid="100", content="images")
    assert row["parent"] == "../900/base-900-disk-0.qcow2"


def test_a_disabled_storage_is_seen_and_not_used(api: Api) -> None:
    config = api.lab.store.get("storage", "pool") or {}
    api.lab.store.put("storage", "pool", {**config, "disable": 1})
    status = api.ask("GET", "nodes/pve1/storage/pool/status")
    assert (status["enabled"], status["active"], status["total"]) == (0, 0, 0)
    with pytest.raises(RefusedError, match="storage 'pool' is disabled"):
        api.ask("GET", CONTENT)


def test_a_missing_storage_is_a_bad_parameter_of_its_status_only(api: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        api.ask("GET", "nodes/pve1/storage/nosuch/status")
    assert (refused.value.status, refused.value.errors) == (400, {"storage": "No such storage."})
    with pytest.raises(RefusedError) as refused:
        api.ask("GET", "nodes/pve1/storage/nosuch/content")
    assert refused.value.status == 500


def test_a_storage_is_as_large_as_the_seed_says_and_as_full_as_its_files(api: Api) -> None:
    status = api.ask("GET", "nodes/pve1/storage/pool/status")
    assert status["total"] == SEED["storages"][1]["sizeGib"] << 30
    assert status["used"] == 2048 << 20


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, {"local", "pool", "thin"}),
        ({"content": "iso"}, {"local"}),
        ({"storage": "thin"}, {"thin"}),
        ({"target": "pve2"}, {"pool"}),
    ],
)
def test_the_storages_of_a_host_are_listed_by_what_is_asked(
    api: Api, params: dict[str, str], wanted: set[str]
) -> None:
    rows = api.ask("GET", "nodes/pve1/storage", **params)
    assert {row["storage"] for row in rows} == wanted


def test_the_storages_of_a_host_are_told_to_those_who_may_see_them(api: Api) -> None:
    as_anna(api)
    grant(api, "/storage/pool", "Datastore.Audit")
    grant(api, "/storage/thin", "Datastore.Allocate")
    assert [row["storage"] for row in api.ask("GET", "nodes/pve1/storage")] == ["pool"]


def test_the_owner_of_a_disk_is_shown_it_by_rights_on_its_storage_only(api: Api) -> None:
    allocate(api, "vm-100-disk-0.raw")
    as_anna(api)
    grant(api, "/vms/100", "VM.Config.Disk")
    assert api.ask("GET", CONTENT, vmid="100", content="images") == []
    grant(api, "/storage/pool", "Datastore.Audit")
    assert len(api.ask("GET", CONTENT, vmid="100", content="images")) == 1


def test_a_disk_is_listed_as_a_containers_while_its_guest_is_one(api: Api) -> None:
    path = "nodes/pve1/storage/thin/content"
    config = api.lab.store.get("storage", "thin") or {}
    api.lab.store.put("storage", "thin", {**config, "content": "images,rootdir"})
    api.ask("POST", path, vmid="100", filename="vm-100-disk-0", size="1M")
    assert [row["content"] for row in api.ask("GET", path)] == ["images"]
    api.lab.store.put("lxc", "100", {"node": "pve1", "config": {}})
    assert [row["content"] for row in api.ask("GET", path, content="rootdir")] == ["rootdir"]
    assert api.ask("GET", path, content="images") == []


def test_volumes_are_known_again_after_a_restart(api: Api) -> None:
    api.create(900, scsi0="pool:1")
    api.done("POST", "q/900/template")
    api.done("POST", "q/900/clone", newid="100", full="0")
    api.lab.store.close()
    again = Api(api.state)
    task = again.ask("DELETE", "q/900")
    assert "is still in use by linked cloned" in task["status"]
    again.put(100, scsi1="pool:1")
    assert again.config(100)["scsi1"].startswith("pool:100/vm-100-disk-1.raw")


def test_who_may_save_a_guest_may_remove_its_backups_and_nothing_else(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid=100, scsi0="local:1").ok())
    lab.finish(lab.call("POST", "nodes/pve1/vzdump", vmid=100, storage="local").ok())
    content = "nodes/pve1/storage/local/content"
    (backup,) = [row["volid"] for row in lab.get(content, content="backup")]
    (disk,) = [row["volid"] for row in lab.get(content, content="images")]
    lab.call("POST", "access/users", userid="u@pve").ok()
    lab.call("POST", "access/roles", roleid="saver", privs="VM.Backup").ok()
    lab.call("PUT", "access/acl", path="/vms/100", roles="saver", users="u@pve").ok()
    user = lab.token_client("u@pve", "tk", privsep="0")
    missing = user.call("DELETE", f"{content}/{backup}")
    assert missing.reason == ("Permission check failed (/storage/local, Datastore.AllocateSpace)")
    space = {"path": "/storage/local", "roles": "PVEDatastoreUser", "users": "u@pve"}
    lab.call("PUT", "access/acl", **space).ok()
    refused = user.call("DELETE", f"{content}/{disk}")
    assert refused.reason == "Permission check failed (/storage/local, Datastore.Allocate)"
    user.call("PUT", f"{content}/{backup}", notes="kept").ok()
    assert lab.finish(user.call("DELETE", f"{content}/{backup}").ok())["status"] == "OK"
