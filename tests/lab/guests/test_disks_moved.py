"""Growing disks, moving them between storages and guests, and migrating guests."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, RefusedError


def resized(api: Api, size: str, disk: str = "scsi0") -> str:
    return str(api.ask("PUT", "q/100/resize", disk=disk, size=size)["status"])


@pytest.mark.parametrize(
    ("size", "kept"),
    [("2G", "2G"), ("+512M", "1536M"), ("3221225472", "3G"), ("1048576K", "1G"), ("+0", "1G")],
)
def test_a_disk_grows_to_or_by_a_size(api: Api, size: str, kept: str) -> None:
    api.create(100, scsi0="pool:1")
    assert resized(api, size) == "OK"
    assert api.config(100)["scsi0"].endswith(f",size={kept}")


def test_a_disk_does_not_shrink(api: Api) -> None:
    api.create(100, scsi0="pool:2", ide2="none,media=cdrom")
    assert resized(api, "1G") == "shrinking disks is not supported"
    assert resized(api, "4G", "scsi5") == "disk 'scsi5' does not exist"
    assert resized(api, "4G", "ide2") == "unable to parse volume ID 'none'"


def test_the_disk_of_a_template_is_read_only(api: Api) -> None:
    api.create(100, scsi0="pool:1,format=qcow2")
    api.done("POST", "q/100/template")
    assert resized(api, "2G").endswith("/100/base-100-disk-0.qcow2 2147483648' failed: exit code 1")


def test_a_moved_disk_leaves_its_source_unused_unless_deleted(api: Api) -> None:
    api.create(100, scsi0="pool:1,format=qcow2,discard=on")
    api.done("POST", "q/100/move_disk", disk="scsi0", storage="local")
    config = api.config(100)
    assert config["scsi0"] == "local:100/vm-100-disk-0.qcow2,discard=on,size=1G"
    assert config["unused0"] == "pool:100/vm-100-disk-0.qcow2"
    api.done("POST", "q/100/move_disk", disk="scsi0", storage="thin", delete="1")
    assert api.config(100)["scsi0"] == "thin:vm-100-disk-0,discard=on,size=1G"
    assert api.volumes("local") == []


def test_a_cloud_init_drive_keeps_its_name_and_leaves_nothing_behind(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit")
    api.done("POST", "q/100/move_disk", disk="ide2", storage="local")
    config = api.config(100)
    assert config["ide2"] == "local:100/vm-100-cloudinit.qcow2,media=cdrom,size=4M"
    assert "unused0" not in config
    assert api.volumes("pool") == []


def test_a_base_volume_in_use_stays_when_its_template_moves_away(api: Api) -> None:
    api.create(100, scsi0="pool:1,format=qcow2")
    api.done("POST", "q/100/template")
    api.done("POST", "q/100/clone", newid="101")
    api.done("POST", "q/100/move_disk", disk="scsi0", storage="local", delete="1")
    assert api.config(100)["scsi0"] == "local:100/base-100-disk-0.qcow2,size=1G"
    assert "pool:100/base-100-disk-0.qcow2" in api.volumes("pool")


def test_a_disk_is_not_moved_to_where_it_is(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    text = "you can't move to the same storage with same format"
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", "q/100/move_disk", disk="scsi0", storage="pool")


def test_a_disk_is_handed_to_another_guest(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.create(101)
    params = {"disk": "scsi0", "target-vmid": "101", "target-disk": "scsi1"}
    task = api.ask("POST", "q/100/move_disk", **params)
    assert (task["status"], task["id"]) == ("OK", "100-scsi0>101-scsi1")
    assert task["log"][:-1] == [
        "reassign disk 'scsi0' from VM '100' as 'scsi1' to VM '101'",
        "removing disk 'scsi0' from boot order config",
        "removing disk 'scsi0' from VM '100' config",
    ]
    assert api.config(100)["boot"] == " "
    assert api.config(101)["scsi1"] == "pool:101/vm-101-disk-0.raw,size=1G"


def test_a_move_needs_a_storage_or_a_guest(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", "q/100/move_disk", disk="scsi0")
    assert set(refused.value.errors) == {"storage", "target-vmid"}


def test_a_guest_is_found_on_the_host_it_migrated_to(api: Api) -> None:
    api.create(100, scsi0="pool:1", ide2="local:cloudinit")
    api.done("POST", "q/100/migrate", target="pve2")
    with pytest.raises(RefusedError):
        api.config(100)
    assert api.config(100, node="pve2")["scsi0"] == "pool:100/vm-100-disk-0.raw,size=1G"
    assert api.volumes("local") == []
    assert api.volumes("local", node="pve2") == ["local:100/vm-100-cloudinit.qcow2"]


def test_local_disks_can_change_storage_on_the_way(api: Api) -> None:
    api.create(100, scsi0="thin:1,discard=on")
    api.done("POST", "q/100/migrate", target="pve2", targetstorage="thin:pool")
    assert api.config(100, node="pve2")["scsi0"] == "pool:100/vm-100-disk-0.raw,discard=on,size=1G"
    assert api.volumes("thin") == []


def test_a_linked_clone_on_local_storage_cannot_leave_its_base(api: Api) -> None:
    api.create(900, scsi0="local:1")
    api.done("POST", "q/900/template")
    api.done("POST", "q/900/clone", newid="100", full="0")
    assert api.ask("POST", "q/100/migrate", target="pve2")["status"] == "migration aborted"


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("pve1", 400, "target is local node."),
        ("nosuch", 500, "no such cluster node 'nosuch'"),
    ],
)
def test_a_migration_goes_to_another_host_of_the_cluster(
    api: Api, target: str, status: int, text: str
) -> None:
    api.create(100)
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", "q/100/migrate", target=target)
    assert refused.value.status == status
    assert text in f"{refused.value.message}{refused.value.errors}"


def test_a_running_guest_migrates_only_online_and_keeps_running(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.start(100)
    with pytest.raises(RefusedError, match="can't migrate running VM without --online"):
        api.ask("POST", "q/100/migrate", target="pve3")
    api.done("POST", "q/100/migrate", target="pve3", online="1")
    assert api.ask("GET", "nodes/pve3/qemu/100/status/current")["status"] == "running"


def test_the_conditions_of_a_migration_name_hosts_and_local_disks(api: Api) -> None:
    api.lab.store.put("storage", "near", {"type": "dir", "path": "/near", "nodes": "pve1,pve2"})
    api.create(100, scsi0="near:1")
    conditions = api.ask("GET", "q/100/migrate")
    assert conditions["allowed_nodes"] == ["pve2"]
    assert conditions["not_allowed_nodes"] == {
        "pve2": {},
        "pve3": {"unavailable_storages": ["near"]},
    }
    assert [disk["volid"] for disk in conditions["local_disks"]] == ["near:100/vm-100-disk-0.raw"]
