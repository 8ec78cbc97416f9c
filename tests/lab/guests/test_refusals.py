"""Which of several faults is told first, and in what words, before a task starts."""

from __future__ import annotations

import pytest

from lab.ha.config import RESOURCE
from tests.lab.direct import Api, RefusedError, as_anna, grant, refusal


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(100, memory="64")
    return api


def faults(api: Api, method: str, path: str, **params: str) -> dict[str, str]:
    """The parameters that a call is refused for."""
    with pytest.raises(RefusedError) as refused:
        api.ask(method, path, **params)
    return refused.value.errors


def watch(api: Api, sid: str) -> None:
    """Have the HA manager watch a guest."""
    api.lab.store.put(RESOURCE, sid, {"state": "started"})


@pytest.mark.parametrize("verb", ["reset", "reboot", "suspend", "resume"])
def test_what_needs_power_says_that_a_guest_is_not_there(api: Api, verb: str) -> None:
    text = "unable to find configuration file for VM 999 on node 'pve1'"
    assert refusal(api, "POST", f"q/999/status/{verb}") == text


def test_resuming_without_a_check_does_not_look_for_the_file(api: Api) -> None:
    assert refusal(api, "POST", "q/999/status/resume", nocheck="1") == "VM 999 not running"


@pytest.mark.parametrize(
    ("verb", "param", "value"),
    [
        ("start", "targetstorage", "1"),
        ("start", "force-cpu", "host"),
        ("start", "with-conntrack-state", "1"),
        ("start", "nets-host-mtu", "net0=1500"),
        ("reset", "skiplock", "1"),
        ("suspend", "skiplock", "1"),
        ("resume", "nocheck", "1"),
    ],
)
def test_what_only_root_may_is_refused_before_the_guest_is_looked_at(
    guest: Api, verb: str, param: str, value: str
) -> None:
    as_anna(guest)
    refused = faults(guest, "POST", f"q/100/status/{verb}", **{param: value})
    assert refused == {param: "Only root may use this option."}


def test_a_start_maps_storages_only_for_a_guest_that_comes_from_elsewhere(guest: Api) -> None:
    text = "targetstorage can only by used with migratedfrom."
    assert faults(guest, "POST", "q/100/status/start", targetstorage="1") == {"targetstorage": text}


def test_the_shutdown_of_a_watched_guest_is_not_overruled(guest: Api) -> None:
    watch(guest, "vm:100")
    refused = faults(guest, "POST", "q/100/status/stop", **{"overrule-shutdown": "1"})
    assert refused == {"overrule-shutdown": "Not applicable for HA resources."}


def test_that_a_guest_is_watched_is_told_before_that_it_runs(guest: Api) -> None:
    guest.start(100)
    watch(guest, "vm:100")
    text = "unable to remove VM 100 - used in HA resources and purge parameter not set."
    assert refusal(guest, "DELETE", "q/100") == text
    assert refusal(guest, "DELETE", "q/100", purge="1") == "VM 100 is running - destroy failed"


def test_a_guest_is_waited_for_as_long_as_its_start_order_says(guest: Api) -> None:
    guest.put(100, startup="order=1,down=1")
    guest.start(100)
    task = guest.ask("POST", "q/100/status/shutdown")
    assert task["status"] == "VM quit/powerdown failed - got timeout"


def test_a_disk_is_handed_over_only_where_that_can_be(guest: Api) -> None:
    def give(target: str = "101", **params: str) -> str:
        wanted = {"disk": "scsi0", "target-vmid": target} | params
        return refusal(guest, "POST", "q/100/move_disk", **wanted)

    guest.put(100, scsi0="pool:1", ide2="none,media=cdrom")
    assert give() == "could not find target VM 101"
    guest.done("POST", "nodes/pve2/qemu", vmid="101")
    assert give() == "Both VMs need to be on the same node (pve1 != pve2)"
    guest.create(102, scsi1="pool:1")
    changed = "detected modified configuration - file changed by other user? Try again."
    assert give("102", digest="0" * 40) == f"VM 100: {changed}"
    assert give("102", **{"target-digest": "0" * 40}) == f"VM 102: {changed}"
    assert give("102", disk="scsi7") == "Disk 'scsi7' for VM '100' does not exist"
    used = "Target disk key 'scsi1' is already in use for VM '102'"
    assert give("102", **{"target-disk": "scsi1"}) == used
    assert give("102", disk="ide2") == "CD drive contents can't be moved to another VM"
    guest.put(102, lock="backup")
    assert give("102", digest="0" * 40) == "VM is locked (backup)"


def test_who_hands_a_disk_over_needs_space_on_its_storage(guest: Api) -> None:
    guest.put(100, scsi0="pool:1")
    guest.create(102)
    as_anna(guest)
    grant(guest, "/vms", "VM.Config.Disk")
    text = "Permission check failed (/storage/pool, Datastore.AllocateSpace)"
    params = {"disk": "scsi0", "target-vmid": "102"}
    assert refusal(guest, "POST", "q/100/move_disk", **params) == text


def test_devices_of_the_host_keep_a_guest_from_leaving_it(guest: Api) -> None:
    guest.put(100, serial0="/dev/ttyS0", usb0="host=1234:5678", usb1="spice", serial1="socket")
    assert guest.ask("GET", "q/100/migrate")["local_resources"] == ["serial0", "usb0"]
    assert guest.ask("POST", "q/100/migrate", target="pve2")["status"] == "migration aborted"
    guest.done("POST", "q/100/migrate", target="pve2", force="1")


def test_a_named_device_is_looked_for_on_each_host(guest: Api) -> None:
    guest.lab.store.put("mapping-usb", "stick", {"map": ["id=1234:5678,node=pve2"]})
    guest.put(100, usb0="mapping=stick")
    conditions = guest.ask("GET", "q/100/migrate")
    assert conditions["allowed_nodes"] == ["pve2"]
    assert conditions["not_allowed_nodes"]["pve3"] == {"unavailable-resources": ["usb0"]}
    assert conditions["mapped-resource-info"] == {"usb0": {"name": "stick"}}
    guest.put(100, usb0="mapping=other")
    assert refusal(guest, "GET", "q/100/migrate").startswith("Can't use an undefined value")


def test_the_local_volumes_of_a_guest_are_told_with_all_that_refers_to_them(api: Api) -> None:
    api.create(100, scsi0="local:1,format=qcow2", ide2="local:cloudinit", ide0="none,media=cdrom")
    api.done("POST", "q/100/snapshot", snapname="s1")
    api.put(100, delete="scsi0", scsi1="pool:1")
    disks = {d["volid"]: d for d in api.ask("GET", "q/100/migrate")["local_disks"]}
    disk, drive = "local:100/vm-100-disk-0.qcow2", "local:100/vm-100-cloudinit.qcow2"
    common = {"replicate": 1, "shared": 0, "is_vmstate": 0, "is_tpmstate": 0}
    assert disks[disk] == common | {
        "volid": disk, "cdrom": 0, "is_cloudinit": 0, "is_unused": 1, "is_attached": 0,
        "size": 1024**3, "drivename": "scsi0", "referenced_in_snapshot": {"s1": 1},
    }  # fmt: skip
    assert disks[drive] == common | {
        "volid": drive, "cdrom": 1, "is_cloudinit": 1, "is_unused": 0, "is_attached": 1,
        "drivename": "ide2", "referenced_in_snapshot": {"s1": 1},
    }  # fmt: skip
    assert len(disks) == 2


def test_a_watched_guest_tells_what_goes_along_and_what_is_in_its_way(guest: Api) -> None:
    assert "dependent-ha-resources" not in guest.ask("GET", "q/100/migrate")
    watch(guest, "vm:100")
    assert guest.ask("GET", "q/100/migrate")["dependent-ha-resources"] == []


def test_a_storage_has_to_hold_disks_for_a_guest_that_goes(api: Api) -> None:
    api.create(100, scsi0="pool:1")
    config = api.lab.store.get("storage", "pool") or {}
    api.lab.store.put("storage", "pool", config | {"content": "iso"})
    text = "content type 'images' is not available on storage 'pool'"
    refused = refusal(api, "POST", "q/100/migrate", target="pve2")
    assert refused == f"pool:100/vm-100-disk-0.raw: {text}"


def test_a_replicated_guest_has_only_volumes_that_can_be_copied(guest: Api) -> None:
    job = {"guest": 100, "target": "pve2", "type": "local"}
    guest.lab.store.put("replication", "100-0", job)
    text = "cannot add non-replicatable volume to a replicated VM"
    assert refusal(guest, "PUT", "q/100/config", scsi0="local:1") == text
    outside = "cannot add non-managed/pass-through volume to a replicated VM"
    assert refusal(guest, "PUT", "q/100/config", scsi0="/dev/sda") == outside
    guest.put(100, scsi0="local:1,replicate=0", scsi1="pool:1", ide2="local:cloudinit")
    guest.create(101, scsi2="pool:1")
    params = {"disk": "scsi2", "target-vmid": "100"}
    text = "Cannot move disk to a replicated VM. Storage does not support replication!"
    assert refusal(guest, "POST", "q/101/move_disk", **params) == text
    text = "There is a replication job '100-0' for guest '100' - Please remove that first."
    assert refusal(guest, "DELETE", "q/100") == text


def test_a_running_replicated_guest_goes_only_where_its_copies_are(guest: Api) -> None:
    job = {"guest": 100, "target": "pve2", "type": "local"}
    guest.lab.store.put("replication", "100-0", job)
    guest.start(100)
    refused = refusal(guest, "POST", "q/100/migrate", target="pve3", online="1")
    assert refused == (
        "Cannot live-migrate replicated VM to node 'pve3' - not a replication target."
        " Use 'force' to override."
    )
    guest.done("POST", "q/100/migrate", target="pve2", online="1")
    moved = guest.lab.store.get("replication", "100-0") or {}
    assert (moved["target"], moved["source"]) == ("pve1", "pve2")
