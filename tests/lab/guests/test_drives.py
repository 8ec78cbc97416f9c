"""Drives: what a request asks for, what is allocated, and what becomes of the old volume."""

from __future__ import annotations

import pytest

from lab.guests import drives
from tests.lab.direct import Api, RefusedError, refusal


def test_disks_get_the_next_free_number_whatever_their_format(api: Api) -> None:
    api.create(100, scsi0="pool:1", scsi1="pool:1,format=qcow2", virtio0="pool:1")
    config = api.config(100)
    assert config["scsi0"] == "pool:100/vm-100-disk-0.raw,size=1G"
    assert config["scsi1"] == "pool:100/vm-100-disk-1.qcow2,size=1G"
    assert config["virtio0"] == "pool:100/vm-100-disk-2.raw,size=1G"


def test_block_storages_name_disks_without_folder_and_extension(api: Api) -> None:
    api.create(100, scsi0="thin:4")
    assert api.config(100)["scsi0"] == "thin:vm-100-disk-0,size=4G"


def test_the_keys_of_a_disk_are_sorted_after_its_volume(api: Api) -> None:
    api.create(100, scsi0="pool:1,ssd=1,discard=on,cache=writeback,iothread=1")
    assert api.config(100)["scsi0"] == (
        "pool:100/vm-100-disk-0.raw,cache=writeback,discard=on,iothread=1,size=1G,ssd=1"
    )


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("pool:0.004", "size=4195K"),
        ("pool:32", "size=32G"),
        ("pool:1.5", "size=1536M"),
    ],
)
def test_a_size_in_gibibytes_is_kept_in_whole_kibibytes(api: Api, asked: str, kept: str) -> None:
    api.create(100, sata0=asked)
    assert api.config(100)["sata0"].endswith(kept)


def test_firmware_and_tpm_volumes_have_sizes_of_their_own(api: Api) -> None:
    api.create(100, efidisk0="pool:1,efitype=4m", tpmstate0="pool:1,version=v2.0")
    config = api.config(100)
    assert config["efidisk0"] == "pool:100/vm-100-disk-0.raw,efitype=4m,size=528K"
    assert config["tpmstate0"] == "pool:100/vm-100-disk-1.raw,size=4M,version=v2.0"


def test_a_replaced_disk_stays_as_unused(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.put(100, scsi0="pool:2")
    config = api.config(100)
    assert config["scsi0"] == "pool:100/vm-100-disk-1.raw,size=2G"
    assert config["unused0"] == "pool:100/vm-100-disk-0.raw"


def test_an_unused_disk_that_is_attached_again_is_no_longer_unused(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.put(100, delete="scsi0")
    assert api.config(100)["unused0"] == "pool:100/vm-100-disk-0.raw"
    api.put(100, virtio3="pool:100/vm-100-disk-0.raw")
    config = api.config(100)
    assert "unused0" not in config
    assert config["virtio3"] == "pool:100/vm-100-disk-0.raw,size=1G"


def test_deleting_an_unused_disk_destroys_its_volume(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.put(100, delete="scsi0")
    api.put(100, delete="unused0")
    assert api.volumes("pool") == []


def test_a_disk_deleted_by_force_is_destroyed_at_once(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.put(100, delete="scsi0", force="1")
    assert "unused0" not in api.config(100)
    assert api.volumes("pool") == []


def test_a_cloud_init_drive_is_destroyed_with_its_key(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit")
    assert api.config(100)["ide2"] == "pool:100/vm-100-cloudinit.qcow2,media=cdrom"
    api.put(100, delete="ide2")
    assert api.volumes("pool") == []


def test_a_second_cloud_init_drive_is_refused(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit")
    with pytest.raises(RefusedError, match="ide0 - cloud-init drive is already attached at 'ide2'"):
        api.put(100, ide0="pool:cloudinit")


@pytest.mark.parametrize(
    ("drive", "status", "text"),
    [
        ("nosuch:1", 500, "storage 'nosuch' does not exist"),
        ("pool:abc", 500, "unable to parse directory volume name 'abc'"),
        ("pool:100/vm-100-disk-9.raw", 500, "volume 'pool:100/vm-100-disk-9.raw' does not exist"),
        ("/etc/hosts", 400, "unable to associate path '/etc/hosts' to any storage"),
        ("local:iso/x.iso", 400, "explicit 'media=cdrom' is required for iso images"),
        ("pool:1,import-from=pool:import/debian.qcow2", 400, "requires special syntax"),
        ("pool:import/debian.qcow2", 400, "content type needs to be 'images' or 'iso'"),
    ],
)
def test_a_drive_that_cannot_be_is_refused_before_anything_changes(
    api: Api, drive: str, status: int, text: str
) -> None:
    api.create(100)
    before = api.config(100)
    with pytest.raises(RefusedError) as refused:
        api.put(100, scsi0=drive)
    assert refused.value.status == status
    assert text in f"{refused.value.message}{refused.value.errors}"
    assert api.config(100) == before


def test_a_path_below_a_storage_becomes_a_volume(api: Api) -> None:
    api.create(100, scsi0="local:1")
    api.put(100, delete="scsi0")
    api.put(100, scsi1="/var/lib/vz/images/100/vm-100-disk-0.raw")
    assert api.config(100)["scsi1"] == "local:100/vm-100-disk-0.raw,size=1G"


def test_an_empty_cd_drive_says_so_in_its_media(api: Api) -> None:
    api.create(100, ide3="none")
    api.put(100, cdrom="none")
    config = api.config(100)
    assert config["ide3"] == config["ide2"] == "none,media=cdrom"


def test_the_default_boot_order_is_first_disk_first_cd_and_first_card(api: Api) -> None:
    api.create(100, scsi1="pool:1", sata0="pool:1", ide2="none,media=cdrom", net1="virtio")
    assert api.config(100)["boot"] == "order=scsi1;ide2;net1"


def test_a_guest_without_devices_boots_from_one_blank(api: Api) -> None:
    api.create(100)
    assert api.config(100)["boot"] == " "


def test_a_new_cd_drive_joins_the_boot_order_and_a_deleted_one_leaves_it(api: Api) -> None:
    api.create(100, scsi0="pool:1", ide2="pool:cloudinit", boot="order=scsi0")
    api.put(100, ide3="none,media=cdrom")
    assert api.config(100)["boot"] == "order=scsi0;ide3"
    api.put(100, delete="ide3")
    assert api.config(100)["boot"] == "order=scsi0"


def test_a_boot_order_of_the_same_request_wins(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.put(100, ide3="none,media=cdrom", boot="order=scsi0")
    assert api.config(100)["boot"] == "order=scsi0"


def test_a_boot_order_names_only_devices_that_exist(api: Api) -> None:
    api.create(100)
    with pytest.raises(RefusedError, match="invalid bootorder: device 'scsi0' does not exist'"):
        api.put(100, boot="order=scsi0")


def test_a_parsed_drive_is_the_callers_own() -> None:
    text = "pool:100/vm-100-disk-0.raw,size=1G"
    drives.parse_drive("scsi0", text)["file"] = "changed"
    assert drives.parse_drive("scsi0", text)["file"] == "pool:100/vm-100-disk-0.raw"


@pytest.mark.parametrize(
    "limits",
    ["mbps_max=5", "mbps_rd_max=5,mbps=5", "bps_max_length=2,mbps=5", "iops_max_length=2,iops=5",
     "mbps=5,mbps_rd=5", "bps=5,mbps=5"],
)  # fmt: skip
def test_a_burst_needs_the_limit_that_it_goes_beyond(api: Api, limits: str) -> None:
    with pytest.raises(RefusedError) as refused:
        api.create(100, scsi0=f"pool:1,{limits}")
    assert refused.value.errors == {"scsi0": "unable to parse drive options"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("mbps=3.50,mbps_max=05", "mbps=3.50,mbps_max=05"),
        ("iops=5,iops_max=7,iops_max_length=2", "iops=5,iops_max=7,iops_max_length=2"),
        ("bps_rd=1048576", "mbps_rd=0.000"),
    ],
)
def test_limits_are_kept_as_they_were_written_but_for_bytes(
    api: Api, given: str, kept: str
) -> None:
    api.create(100, scsi0=f"pool:1,{given}")
    assert api.config(100)["scsi0"] == f"pool:100/vm-100-disk-0.raw,{kept},size=1G"


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        ("local:iso/x.iso", "unable to use volume local:iso/x.iso - content type needs to be"
         " 'images'"),
        ("nosuch:100/vm-100-disk-0.raw", "storage 'nosuch' does not exist"),
        ("local:x", "unable to parse directory volume name 'x'"),
    ],
)  # fmt: skip
def test_only_a_disk_is_noted_as_unused(api: Api, volume: str, text: str) -> None:
    api.create(100)
    assert refusal(api, "PUT", "q/100/config", unused0=volume) == text
