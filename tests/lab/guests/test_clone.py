"""Templates and clones: names of volumes, what is copied, what is refused."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.fixture
def template(api: Api) -> Api:
    api.create(
        900, name="tpl", memory="512", ide2="pool:cloudinit", net0="virtio,bridge=vmbr0",
        scsi0="pool:0,import-from=pool:import/debian.qcow2", description="image of today",
    )  # fmt: skip
    api.done("POST", "q/900/template")
    return api


def test_a_template_has_base_volumes_and_cannot_be_started(template: Api) -> None:
    config = template.config(900)
    assert config["template"] == 1
    assert config["scsi0"] == "pool:900/base-900-disk-0.qcow2,size=2G"
    assert config["ide2"] == "pool:900/vm-900-cloudinit.qcow2,media=cdrom"
    task = template.ask("POST", "q/900/status/start")
    assert task["status"] == "you can't start a vm if it's a template"


def test_a_linked_clone_names_its_base_and_has_a_cloud_init_drive_of_its_own(
    template: Api,
) -> None:
    template.done("POST", "q/900/clone", newid="101", name="c1", full="0")
    config = template.config(101)
    assert config["name"] == "c1"
    assert config["scsi0"] == "pool:900/base-900-disk-0.qcow2/101/vm-101-disk-0.qcow2,size=2G"
    assert config["ide2"] == "pool:101/vm-101-cloudinit.qcow2,media=cdrom,size=4M"
    assert config["description"] == "image of today"
    assert "template" not in config


def test_a_clone_has_an_identity_of_its_own(template: Api) -> None:
    template.done("POST", "q/900/clone", newid="101")
    source, clone = template.config(900), template.config(101)
    assert clone["name"] == "Copy-of-VM-tpl"
    for key in ("smbios1", "vmgenid", "net0"):
        assert clone[key] != source[key]
    assert clone["meta"] == source["meta"]


def test_a_full_clone_copies_in_the_wanted_format(template: Api) -> None:
    template.done("POST", "q/900/clone", newid="101", full="1", storage="local", format="raw")
    config = template.config(101)
    assert config["scsi0"] == "local:101/vm-101-disk-0.raw,size=2G"
    assert config["ide2"] == "local:101/vm-101-cloudinit.raw,media=cdrom,size=4M"


def test_a_clone_on_shared_storage_may_go_to_another_host(template: Api) -> None:
    template.done("POST", "q/900/clone", newid="101", target="pve2")
    assert template.config(101, node="pve2")["name"] == "Copy-of-VM-tpl"


def test_a_clone_of_local_disks_stays_where_it_is(api: Api) -> None:
    api.create(100, scsi0="thin:1")
    text = r"can't clone VM to node 'pve2' \(VM uses local storage\)"
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", "q/100/clone", newid="101", target="pve2")


def test_a_thin_volume_is_linked_without_naming_its_base(api: Api) -> None:
    api.create(900, scsi0="thin:1")
    api.done("POST", "q/900/template")
    api.done("POST", "q/900/clone", newid="101", full="0")
    assert api.config(900)["scsi0"] == "thin:base-900-disk-0,size=1G"
    assert api.config(101)["scsi0"] == "thin:vm-101-disk-0,size=1G"


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        (
            {"full": "0", "storage": "pool"},
            500,
            "parameter 'storage' not allowed for linked clones",
        ),
        ({"full": "1", "storage": "nosuch"}, 500, "storage 'nosuch' does not exist"),
        ({"target": "nosuch"}, 500, "no such cluster node 'nosuch'"),
        ({"pool": "nosuch"}, 403, "Permission check failed (pool 'nosuch' does not exist)"),
        ({"snapname": "s1"}, 500, "snapshot 's1' does not exist"),
    ],
)
def test_what_cannot_be_cloned_fails_the_call(
    template: Api, params: dict[str, str], status: int, text: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        template.ask("POST", "q/900/clone", newid="101", **params)
    assert (refused.value.status, refused.value.message) == (status, text)


def test_a_guest_that_is_no_template_has_no_linked_clones(api: Api) -> None:
    api.create(100, scsi0="pool:1,format=qcow2")
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", "q/100/clone", newid="101", full="0")
    assert refused.value.message == (
        "Linked clone feature is not supported for 'pool:100/vm-100-disk-0.qcow2' (scsi0)"
    )


def test_an_occupied_number_is_refused(template: Api) -> None:
    template.create(101)
    text = "unable to create VM 101: config file already exists"
    with pytest.raises(RefusedError, match=text):
        template.ask("POST", "q/900/clone", newid="101")


def test_a_template_with_clones_cannot_be_destroyed(template: Api) -> None:
    template.done("POST", "q/900/clone", newid="101", full="0")
    task = template.ask("DELETE", "q/900", purge="1")
    text = "base volume 'pool:900/base-900-disk-0.qcow2' is still in use by linked cloned"
    assert task["status"] == text
    template.done("DELETE", "q/101")
    template.done("DELETE", "q/900")
    assert template.volumes("pool") == []


def test_a_clone_takes_the_firewall_of_its_source_and_joins_its_pool(template: Api) -> None:
    template.lab.store.put("firewall", "vm/900", {"options": {"enable": 1}})
    template.lab.store.put("pool", "evt", {"vms": [], "storage": [], "comment": ""})
    template.done("POST", "q/900/clone", newid="101", pool="evt")
    assert template.lab.store.get("firewall", "vm/101") == {"options": {"enable": 1}}
    assert template.lab.pools_of(101) == ["evt"]


def test_what_waits_in_the_source_is_not_cloned(api: Api) -> None:
    api.create(100, memory="512")
    api.start(100)
    api.put(100, memory="1024")
    task = api.ask("POST", "q/100/clone", newid="101")
    assert task["status"] == "WARNINGS: 1"
    assert api.config(101)["memory"] == "512"


def test_a_failed_clone_leaves_nothing(template: Api) -> None:
    template.lab.store.delete("volume", "pool:900/vm-900-cloudinit.qcow2")
    task = template.ask("POST", "q/900/clone", newid="101")
    assert task["status"].startswith("clone failed: volume 'pool:900/vm-900-cloudinit.qcow2'")
    assert template.volumes("pool") == ["pool:900/base-900-disk-0.qcow2"]
    with pytest.raises(RefusedError):
        template.config(101)


def test_a_guest_without_a_generation_is_copied_without_one(api: Api) -> None:
    api.create(100, vmgenid="0")
    api.done("POST", "q/100/clone", newid="101")
    assert api.config(101)["vmgenid"] == "0"


def test_that_a_number_is_taken_on_another_host_is_found_when_the_copy_is_written(
    api: Api,
) -> None:
    api.create(100)
    api.done("POST", "nodes/pve2/qemu", vmid="101")
    task = api.ask("POST", "q/100/clone", newid="101")
    file = "/etc/pve/nodes/pve1/qemu-server/101.conf"
    assert task["status"] == f"close (rename) atomic file '{file}' failed: File exists"
    assert api.config(101, "pve2")["boot"] == " "
