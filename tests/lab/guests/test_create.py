"""Creating guests: what is filled in, what fails the call, and what fails the task."""

from __future__ import annotations

import re

import pytest

from tests.lab.direct import Api, RefusedError

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_a_guest_gets_identity_and_origin_without_asking(api: Api) -> None:
    api.create(100)
    config = api.config(100)
    assert set(config) == {"boot", "digest", "meta", "smbios1", "vmgenid"}
    assert UUID.fullmatch(config["vmgenid"])
    assert UUID.fullmatch(config["smbios1"].removeprefix("uuid="))
    assert re.fullmatch(r"creation-qemu=[\d.]+,ctime=\d{10}", config["meta"])


def test_numbers_read_back_as_numbers_and_memory_as_text(api: Api) -> None:
    api.create(100, memory="1024", cores="2", sockets="1", cpulimit="0.5", onboot="0", balloon="0")
    config = api.config(100)
    assert (config["memory"], config["cpulimit"]) == ("1024", "0.5")
    assert (config["cores"], config["sockets"], config["onboot"], config["balloon"]) == (2, 1, 0, 0)


def test_a_disk_is_imported_with_the_size_of_its_image(api: Api) -> None:
    api.create(100, scsi0="pool:0,import-from=pool:import/debian.qcow2,format=raw")
    assert api.config(100)["scsi0"] == "pool:100/vm-100-disk-0.raw,size=2G"


def test_an_import_without_a_format_keeps_that_of_the_image(api: Api) -> None:
    api.create(100, virtio0="pool:0,import-from=pool:import/debian.qcow2")
    assert api.config(100)["virtio0"] == "pool:100/vm-100-disk-0.qcow2,size=2G"


def test_an_import_onto_a_block_storage_is_raw(api: Api) -> None:
    api.create(100, scsi0="thin:0,import-from=pool:import/debian.qcow2")
    assert api.config(100)["scsi0"] == "thin:vm-100-disk-0,size=2G"


def test_an_occupied_number_fails_the_call(api: Api) -> None:
    api.create(100)
    text = "unable to create VM 100 - VM 100 already exists on node 'pve1'"
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", "nodes/pve2/qemu", vmid="100")


@pytest.mark.parametrize(
    ("drive", "text"),
    [
        (
            "pool:0,import-from=pool:import/none.raw",
            "failed to stat '/mnt/pve/pool/import/none.raw'",
        ),
        ("pool:100/vm-100-disk-9.raw", "volume 'pool:100/vm-100-disk-9.raw' does not exist"),
    ],
)
def test_a_missing_source_fails_the_task_and_leaves_nothing(
    api: Api, drive: str, text: str
) -> None:
    task = api.ask("POST", "nodes/pve1/qemu", vmid="100", ide0="pool:1", scsi0=drive)
    assert task["status"] == f"unable to create VM 100 - {text}"
    assert task["log"][-1] == f"TASK ERROR: {task['status']}"
    assert api.volumes("pool") == []
    api.create(100)


def test_a_storage_that_the_host_does_not_have_fails_the_task(api: Api) -> None:
    api.lab.store.put("storage", "far", {"type": "dir", "path": "/far", "nodes": "pve2"})
    task = api.ask("POST", "nodes/pve1/qemu", vmid="100", scsi0="far:1")
    text = "unable to create VM 100 - storage 'far' is not available on node 'pve1'"
    assert task["status"] == text


def test_a_pool_must_exist_and_takes_the_guest_in(api: Api) -> None:
    with pytest.raises(
        RefusedError, match=r"Permission check failed \(pool 'evt' does not exist\)"
    ):
        api.ask("POST", "nodes/pve1/qemu", vmid="100", pool="evt")
    api.lab.store.put("pool", "evt", {"vms": [], "storage": [], "comment": ""})
    api.create(100, pool="evt")
    assert api.lab.pools_of(100) == ["evt"]


def test_a_guest_can_be_started_with_its_creation(api: Api) -> None:
    api.create(100, start="1")
    assert api.ask("GET", "q/100/status/current")["status"] == "running"


def test_a_windows_guest_gets_its_machine_version_pinned(api: Api) -> None:
    api.create(100, ostype="win11", machine="q35")
    api.create(101, ostype="l26", machine="q35")
    assert api.config(100)["machine"] == "pc-q35-10.0+pve1"
    assert api.config(101)["machine"] == "q35"


@pytest.mark.parametrize(
    ("disk", "text"),
    [
        ("pool:0,import-from=/tmp/none.qcow2", "can't find file '/tmp/none.qcow2'"),
        ("pool:0,import-from=pool:import/x.raw", "failed to stat '/mnt/pve/pool/import/x.raw'"),
        (
            "pool:0,import-from=pool:7/vm-7-disk-0.raw",
            "cannot import from 'pool:7/vm-7-disk-0.raw' - failed to stat"
            " '/mnt/pve/pool/images/7/vm-7-disk-0.raw'",
        ),
        (
            "pool:0,import-from=pool:101/vm-101-cloudinit.qcow2",
            "cannot import from 'pool:101/vm-101-cloudinit.qcow2' - cannot import from cloudinit"
            " disk",
        ),
        (
            "pool:0,import-from=pool:102/vm-102-disk-0.raw",
            "cannot import from 'pool:102/vm-102-disk-0.raw' - owner VM 102 not on local node",
        ),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_source(api: Api, disk: str, text: str) -> None:
    api.create(101, ide2="pool:cloudinit")
    api.done("POST", "nodes/pve2/qemu", vmid="102", scsi0="pool:1")
    task = api.ask("POST", "nodes/pve1/qemu", vmid="100", scsi0=disk)
    assert task["status"] == f"unable to create VM 100 - {text}"


def test_without_an_image_there_is_nothing_to_read_while_the_guest_runs(api: Api) -> None:
    live = {"live-restore": "1"}
    api.done("POST", "nodes/pve1/qemu", vmid="100", scsi0="pool:1", start="1", **live)
    assert api.ask("GET", "q/100/status/current")["status"] == "stopped"
