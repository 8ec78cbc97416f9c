"""Power: what a task answers to each verb in each state."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(100, name="g", scsi0="pool:0,import-from=pool:import/debian.qcow2")
    return api


def status(api: Api) -> tuple[str, str]:
    now = api.ask("GET", "q/100/status/current")
    return now["status"], now["qmpstatus"]


@pytest.mark.parametrize("verb", ["stop", "shutdown"])
def test_a_guest_that_is_off_stays_off_without_an_error(guest: Api, verb: str) -> None:
    guest.done("POST", f"q/100/status/{verb}")


@pytest.mark.parametrize("verb", ["reset", "reboot", "suspend", "resume"])
def test_what_needs_power_is_refused_without_it(guest: Api, verb: str) -> None:
    with pytest.raises(RefusedError, match="VM 100 not running"):
        guest.ask("POST", f"q/100/status/{verb}")


def test_a_second_start_fails_its_task(guest: Api) -> None:
    guest.start(100)
    assert guest.ask("POST", "q/100/status/start")["status"] == "VM 100 already running"


def test_a_guest_is_paused_and_goes_on(guest: Api) -> None:
    guest.start(100)
    guest.done("POST", "q/100/status/suspend")
    assert status(guest) == ("running", "paused")
    with pytest.raises(RefusedError, match="VM is paused - cannot shutdown"):
        guest.ask("POST", "q/100/status/shutdown")
    guest.done("POST", "q/100/status/resume")
    assert status(guest) == ("running", "running")


def test_a_guest_with_a_system_shuts_down_when_asked(guest: Api) -> None:
    guest.start(100)
    guest.done("POST", "q/100/status/shutdown")
    assert status(guest) == ("stopped", "stopped")


def test_a_guest_without_a_system_does_not_hear_a_shutdown(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    api.start(100)
    task = api.ask("POST", "q/100/status/shutdown", timeout="0")
    assert task["status"] == "VM quit/powerdown failed - got timeout"
    assert status(api) == ("running", "running")
    api.done("POST", "q/100/status/shutdown", timeout="0", forceStop="1")
    assert status(api) == ("stopped", "stopped")


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("start", "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist"),
        ("stop", "unable to find configuration file for VM 999 on node 'pve1'"),
    ],
)
def test_a_missing_guest_fails_the_task_not_the_call(api: Api, verb: str, text: str) -> None:
    assert api.ask("POST", f"q/999/status/{verb}")["status"] == text


def test_a_bridge_is_looked_for_when_the_guest_starts(api: Api) -> None:
    api.create(100, net0="virtio,bridge=vmbr7")
    assert api.ask("POST", "q/100/status/start")["status"] == "bridge 'vmbr7' does not exist"
    assert status(api) == ("stopped", "stopped")


def test_a_bridge_that_was_written_and_not_applied_is_not_there(api: Api) -> None:
    row = {**(api.lab.store.get("iface", "pve1/vmbr0") or {}), "applied": None}
    api.lab.store.put("iface", "pve1/vmbr0", row)
    api.create(100, net0="virtio,bridge=vmbr0")
    assert api.ask("POST", "q/100/status/start")["status"] == "bridge 'vmbr0' does not exist"


def test_a_guest_is_suspended_to_disk_and_goes_on(guest: Api) -> None:
    guest.start(100)
    guest.done("POST", "q/100/status/suspend", todisk="1")
    assert status(guest) == ("stopped", "stopped")
    asleep = guest.config(100)
    assert asleep["lock"] == "suspended"
    assert asleep["vmstate"].startswith("pool:100/vm-100-state-suspend-")
    with pytest.raises(RefusedError, match=r"VM is locked \(suspended\)"):
        guest.put(100, cores="2")
    guest.done("POST", "q/100/status/resume")
    assert status(guest) == ("running", "running")
    awake = guest.config(100)
    assert not {"lock", "vmstate", "runningmachine", "runningcpu"} & awake.keys()
    assert len(guest.volumes("pool")) == 1


def test_a_suspended_guest_is_destroyed_with_its_memory(guest: Api) -> None:
    guest.start(100)
    guest.done("POST", "q/100/status/suspend", todisk="1", statestorage="local")
    assert guest.volumes("local") != []
    guest.done("DELETE", "q/100")
    assert guest.volumes("local") == guest.volumes("pool") == []


def test_a_suspended_guest_that_loses_its_memory_is_free_again(guest: Api) -> None:
    guest.start(100)
    guest.done("POST", "q/100/status/suspend", todisk="1", statestorage="local")
    guest.put(100, delete="vmstate")
    config = guest.config(100)
    assert not {"lock", "vmstate", "runningmachine", "runningcpu"} & config.keys()
    assert guest.volumes("local") == []
    guest.put(100, cores="2")


def test_a_physical_cd_drive_that_no_host_has_stops_the_start(api: Api) -> None:
    api.create(100, ide3="cdrom,media=cdrom")
    task = api.ask("POST", "q/100/status/start")
    assert task["status"] == "start failed: QEMU exited with code 1"
    assert "The 'host_cdrom' block driver requires a file name" in task["log"][0]


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_locked_guest_is_not_switched(guest: Api, verb: str) -> None:
    if verb == "stop":
        guest.start(100)
    guest.put(100, lock="backup")
    assert guest.ask("POST", f"q/100/status/{verb}")["status"] == "VM is locked (backup)"


def test_a_running_or_protected_guest_is_not_destroyed(guest: Api) -> None:
    guest.start(100)
    with pytest.raises(RefusedError, match="VM 100 is running - destroy failed"):
        guest.ask("DELETE", "q/100")
    guest.done("POST", "q/100/status/stop")
    guest.put(100, protection="1")
    with pytest.raises(RefusedError, match="can't remove VM 100 - protection mode enabled"):
        guest.ask("DELETE", "q/100")


def test_destroying_a_guest_takes_its_disks_and_its_places_along(guest: Api) -> None:
    guest.put(100, delete="scsi0")
    guest.lab.store.put("pool", "evt", {"vms": [100], "storage": [], "comment": ""})
    guest.lab.store.put("firewall", "vm/100", {"options": {}})
    guest.lab.store.put("backupjob", "weekly", {"vmid": "100,101"})
    guest.done("DELETE", "q/100", purge="1")
    assert guest.volumes("pool") == []
    assert guest.lab.pools_of(100) == []
    assert guest.lab.store.get("firewall", "vm/100") is None
    assert (guest.lab.store.get("backupjob", "weekly") or {})["vmid"] == "101"


def test_unreferenced_disks_go_only_when_asked_for(api: Api) -> None:
    api.create(100)
    content = "nodes/pve1/storage/pool/content"
    for number in (0, 1):
        api.ask("POST", content, vmid="100", filename=f"vm-100-disk-{number}.raw", size="1M")
    api.done("DELETE", "q/100")
    assert len(api.volumes("pool")) == 2
    api.create(100)
    api.done("DELETE", "q/100", **{"destroy-unreferenced-disks": "1"})
    assert api.volumes("pool") == []


def test_agent_calls_say_why_nobody_answers(guest: Api) -> None:
    def refusal() -> str:
        with pytest.raises(RefusedError) as refused:
            guest.ask("GET", "q/100/agent/network-get-interfaces")
        return refused.value.message

    assert refusal() == "No QEMU guest agent configured"
    guest.put(100, agent="1")
    assert refusal() == "VM 100 is not running"
    guest.start(100)
    assert refusal() == "QEMU guest agent is not running"
