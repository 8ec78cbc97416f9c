"""Changes to a running guest: what takes effect, and what waits for its next start."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(
        100, memory="512", scsi0="pool:1", net0="virtio=02:00:00:00:00:01,bridge=vmbr0",
        ide2="none,media=cdrom",
    )  # fmt: skip
    api.start(100)
    return api


def pending(api: Api) -> dict[str, dict[str, Any]]:
    rows = api.ask("GET", "q/100/pending")
    return {row["key"]: row for row in rows if {"pending", "delete"} & row.keys()}


def test_memory_and_cores_wait_and_read_back_as_if_in_force(guest: Api) -> None:
    guest.put(100, memory="1024", cores="2")
    assert pending(guest) == {
        "memory": {"key": "memory", "value": "512", "pending": "1024"},
        "cores": {"key": "cores", "pending": 2},
    }
    assert guest.config(100)["memory"] == "1024"
    assert guest.config(100, current="1")["memory"] == "512"
    assert guest.ask("GET", "q/100/status/current")["maxmem"] == 512 * 1024**2


@pytest.mark.parametrize("turn", [["stop"], ["reboot"]])
def test_a_stop_or_a_reboot_takes_over_what_waits(guest: Api, turn: list[str]) -> None:
    guest.put(100, delete="scsi0")
    guest.put(100, scsi0="pool:0,import-from=pool:import/debian.qcow2", memory="1024", cores="2")
    for verb in turn:
        guest.done("POST", f"q/100/status/{verb}")
    assert pending(guest) == {}
    assert guest.ask("GET", "q/100/status/current")["maxmem"] == 1024 * 1024**2
    assert guest.config(100, current="1")["cores"] == 2


def test_a_new_card_is_plugged_at_once(guest: Api) -> None:
    guest.put(100, net1="virtio=02:00:00:00:00:02,bridge=vmbr0")
    assert pending(guest) == {}
    nics = guest.ask("GET", "q/100/status/current")["nics"]
    assert set(nics) == {"tap100i0", "tap100i1"}


def test_without_hotplug_of_networks_a_new_card_waits(guest: Api) -> None:
    guest.put(100, hotplug="disk")
    guest.put(100, net1="virtio=02:00:00:00:00:02,bridge=vmbr0")
    assert set(pending(guest)) == {"net1"}


def test_another_tag_needs_no_hotplug(guest: Api) -> None:
    guest.put(100, hotplug="0")
    guest.put(100, net0="virtio=02:00:00:00:00:01,bridge=vmbr0,tag=7")
    assert pending(guest) == {}


def test_a_scsi_disk_is_plugged_and_a_sata_disk_waits(guest: Api) -> None:
    guest.put(100, scsi1="pool:1", sata0="pool:1")
    assert set(pending(guest)) == {"sata0"}


def test_a_limit_of_a_disk_applies_and_its_cache_mode_waits(guest: Api) -> None:
    disk = "pool:100/vm-100-disk-0.raw"
    guest.put(100, scsi0=f"{disk},iops_rd=100")
    assert pending(guest) == {}
    guest.put(100, scsi0=f"{disk},cache=none")
    assert set(pending(guest)) == {"scsi0"}


def test_a_cd_is_changed_in_its_drive(guest: Api) -> None:
    guest.put(100, ide2="cdrom,media=cdrom")
    assert pending(guest) == {}


def test_a_disk_does_not_become_a_cd_drive_while_it_runs(guest: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        guest.put(100, scsi0="none,media=cdrom")
    assert refused.value.errors == {"scsi0": "hotplug problem - unable to change media type\n"}


@pytest.mark.parametrize("key", ["name", "description", "tags", "ciuser", "ipconfig0", "startup"])
def test_options_without_a_device_apply_at_once(guest: Api, key: str) -> None:
    values = {"ipconfig0": "ip=dhcp", "startup": "order=1"}
    guest.put(100, **{key: values.get(key, "x")})
    assert pending(guest) == {}


def test_a_reverted_option_does_not_wait_any_longer(guest: Api) -> None:
    guest.put(100, memory="1024", cores="2")
    guest.put(100, revert="memory,cores")
    assert pending(guest) == {}


def test_a_deleted_option_waits_until_the_guest_is_off(guest: Api) -> None:
    guest.put(100, delete="memory")
    assert pending(guest) == {"memory": {"key": "memory", "value": "512", "delete": 1}}
    assert "memory" not in guest.config(100)
    guest.done("POST", "q/100/status/stop")
    assert "memory" not in guest.config(100, current="1")


def test_what_is_switched_off_is_shown_until_its_removal_takes_effect(api: Api) -> None:
    api.create(100, kvm="0")
    api.start(100)
    api.put(100, delete="kvm")
    assert api.config(100)["kvm"] == 0
    assert pending(api) == {"kvm": {"key": "kvm", "value": 0, "delete": 1}}
    api.done("POST", "q/100/status/stop")
    assert "kvm" not in api.config(100)


def test_a_value_that_is_in_force_does_not_wait(guest: Api) -> None:
    guest.put(100, memory="512")
    assert pending(guest) == {}


def test_balloon_is_switched_only_with_the_power(guest: Api) -> None:
    guest.put(100, balloon="0")
    assert set(pending(guest)) == {"balloon"}


def test_changed_cloud_init_values_are_listed_until_the_drive_is_written(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit", ciuser="a", nameserver="10.0.0.1")
    api.start(100)
    api.put(100, ciuser="b", searchdomain="x.example", delete="nameserver")
    rows = {row["key"]: row for row in api.ask("GET", "q/100/cloudinit")}
    assert rows == {
        "ciuser": {"key": "ciuser", "value": "a", "pending": "b"},
        "searchdomain": {"key": "searchdomain", "pending": "x.example"},
        "nameserver": {"key": "nameserver", "delete": 1},
    }
    api.ask("PUT", "q/100/cloudinit")
    rows = {row["key"]: row for row in api.ask("GET", "q/100/cloudinit")}
    assert rows["ciuser"] == {"key": "ciuser", "value": "b"}


def test_without_a_drive_no_cloud_init_value_is_out_of_date(api: Api) -> None:
    api.create(100, ciuser="a")
    api.start(100)
    api.put(100, ciuser="b", name="other")
    assert api.ask("GET", "q/100/cloudinit") == [{"key": "ciuser", "value": "b"}]


def test_with_hotplug_of_cloud_init_the_drive_is_written_with_each_change(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit", ciuser="a", hotplug="network,cloudinit")
    api.start(100)
    api.put(100, ciuser="b")
    assert api.ask("GET", "q/100/cloudinit") == [{"key": "ciuser", "value": "b"}]
