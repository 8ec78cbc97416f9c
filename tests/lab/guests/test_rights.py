"""What callers other than root may do to guests."""

from __future__ import annotations

import pytest

from tests.lab.direct import ANNA, Api, RefusedError, as_anna, grant, refusal


@pytest.fixture
def guest(api: Api) -> Api:
    api.lab.store.put("pool", "event", {"vms": [], "storage": [], "comment": ""})
    api.create(100, memory="64", scsi0="pool:1")
    return as_anna(api)


@pytest.mark.parametrize(
    ("option", "value", "privilege"),
    [
        ("memory", "128", "VM.Config.Memory"),
        ("cores", "2", "VM.Config.CPU"),
        ("name", "x", "VM.Config.Options"),
        ("tags", "x", "VM.Config.Options"),
        ("vga", "std", "VM.Config.HWType"),
        ("serial0", "socket", "VM.Config.HWType"),
        ("net0", "virtio", "VM.Config.Network"),
        ("boot", "order=scsi0", "VM.Config.Disk"),
        ("ide2", "none", "VM.Config.CDROM"),
    ],
)
def test_every_kind_of_option_has_a_privilege_of_its_own(
    guest: Api, option: str, value: str, privilege: str
) -> None:
    grant(guest, "/vms/100", "VM.Config.Cloudinit", "VM.Audit")
    text = f"Permission check failed (/vms/100, {privilege})"
    assert refusal(guest, "PUT", "q/100/config", **{option: value}) == text
    grant(guest, "/vms/100", privilege)
    guest.put(100, **{option: value})


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("args", "-S", "only root can set 'args' config"),
        ("arch", "x86_64", "only root can set 'arch' config"),
        ("hostpci0", "0000:00:01.0", "only root can set 'hostpci0' config for non-mapped devices"),
        ("usb0", "host=1-1", "only root can set 'usb0' config for real devices"),
        ("serial0", "/dev/ttyS0", "only root can modify 'serial0' config for real devices"),
    ],
)
def test_devices_of_the_host_are_for_root_even_from_a_token_of_root(
    guest: Api, option: str, value: str, text: str
) -> None:
    guest.lab.authority.add_token("root@pam", "t", "secret", privsep=0, expire=0)
    guest.user = "root@pam!t"
    guest.put(100, cores="2", ciupgrade="0", usb1="spice")
    assert refusal(guest, "PUT", "q/100/config", **{option: value}) == text


def test_skipping_a_lock_is_for_root(guest: Api) -> None:
    grant(guest, "/vms/100", "VM.Config.Options")
    with pytest.raises(RefusedError) as refused:
        guest.put(100, delete="lock", skiplock="1")
    assert refused.value.errors == {"skiplock": "Only root may use this option."}


def test_a_disk_needs_space_on_its_storage(guest: Api) -> None:
    grant(guest, "/vms/100", "VM.Config.Disk")
    text = "Permission check failed (/storage/pool, Datastore.AllocateSpace)"
    assert refusal(guest, "PUT", "q/100/config", scsi1="pool:1") == text
    grant(guest, "/storage/pool", "Datastore.AllocateSpace")
    guest.put(100, scsi1="pool:1")


def test_a_disk_is_destroyed_by_who_may_use_the_space_of_its_storage(guest: Api) -> None:
    grant(guest, "/vms/100", "VM.Config.Disk")
    guest.put(100, delete="scsi0")
    text = "Permission check failed (/storage/pool, Datastore.AllocateSpace)"
    assert refusal(guest, "PUT", "q/100/config", delete="unused0") == text
    grant(guest, "/storage/local", "Datastore.AllocateSpace")
    guest.put(100, scsi1="local:1")
    guest.lab.store.delete("acl", f"/storage/local {ANNA} role1")
    with pytest.raises(RefusedError) as refused:
        guest.put(100, delete="scsi1", force="1")
    local = "403 Permission check failed (/storage/local, Datastore.AllocateSpace)"
    fault = f"unable to apply pending change scsi1 : {local}\n"
    assert refused.value.errors == {"scsi1": fault}


def test_the_storage_for_memory_needs_space_too(guest: Api) -> None:
    grant(guest, "/vms/100", "VM.Config.Disk")
    text = "Permission check failed (/storage/pool, Datastore.AllocateSpace)"
    assert refusal(guest, "PUT", "q/100/config", vmstatestorage="pool") == text


def test_the_pool_of_a_new_guest_gives_no_right_to_its_tags(guest: Api) -> None:
    grant(guest, "/pool/event", "VM.Allocate", "VM.Config.Options")
    path, new = "nodes/pve1/qemu", {"vmid": "101", "pool": "event"}
    assert guest.ask("POST", path, tags="a", **new)["status"] == (
        "unable to create VM 101 - 403 Permission check failed (/vms/101, VM.Config.Options)"
    )
    guest.done("POST", path, name="a", **new)


def test_a_card_needs_the_use_of_its_bridge_and_tag(guest: Api) -> None:
    grant(guest, "/vms/100", "VM.Config.Network")
    text = "Permission check failed (/sdn/zones/localnetwork/vmbr0/107, SDN.Use)"
    assert refusal(guest, "PUT", "q/100/config", net0="virtio,bridge=vmbr0,tag=107") == text
    grant(guest, "/sdn/zones/localnetwork/vmbr0/107", "SDN.Use")
    guest.put(100, net0="virtio,bridge=vmbr0,tag=107")


def test_a_guest_is_created_by_who_may_allocate_its_number_or_in_its_pool(guest: Api) -> None:
    create = "nodes/pve1/qemu"
    assert refusal(guest, "POST", create, vmid="101") == "Permission check failed"
    grant(guest, "/pool/event", "VM.Allocate", "VM.Config.Memory")
    guest.done("POST", create, vmid="101", memory="64", pool="event")
    text = "Permission check failed (/vms/102, VM.Config.CPU)"
    assert refusal(guest, "POST", create, vmid="102", cores="2", pool="event") == text


def test_of_all_that_a_new_guest_lacks_the_first_is_told(guest: Api) -> None:
    asked = {
        "vmid": "100", "pool": "nobody", "storage": "thin", "ha-managed": "1", "start": "1",
        "sshkeys": "junk", "scsi0": "thin:2", "virtiofs0": "dd", "rng0": "/dev/hwrng", "cores": "2",
        "hostpci0": "mapping=pp", "usb0": "mapping=uu", "serial0": "socket",
        "net0": "virtio,bridge=bb",
    }  # fmt: skip

    def create() -> str:
        return refusal(guest, "POST", "nodes/pve1/qemu", **asked)

    assert create() == "SSH public key validation error"
    del asked["sshkeys"]
    assert create() == "Permission check failed (pool 'nobody' does not exist)"
    asked["pool"] = "event"
    for path, privilege in (
        ("/storage/thin", "Datastore.AllocateSpace"),
        ("/", "Sys.Console"),
        ("/vms/100", "VM.PowerMgmt"),
        ("", "VM.Allocate"),
        ("/vms/100", "VM.Config.CPU"),
        ("/mapping/usb/uu", "Mapping.Use"),
        ("/mapping/pci/pp", "Mapping.Use"),
        ("/mapping/hwrng", "Mapping.Use"),
        ("/vms/100", "VM.Config.Disk"),
        ("/mapping/dir/dd", "Mapping.Use"),
        ("/sdn/zones/localnetwork/bb", "SDN.Use"),
    ):
        where = f" ({path}, {privilege})" if path else ""
        assert create() == f"Permission check failed{where}"
        grant(guest, path or "/vms/100", privilege)
        if privilege == "VM.Allocate":
            grant(guest, "/vms/100", "VM.Config.HWType", "VM.Config.Network")
    assert create() == "unable to create VM 100 - VM 100 already exists on node 'pve1'"


@pytest.mark.parametrize(("option", "text"), [
    ({"usb0": "usb3=1"}, "either 'host' or 'mapping' must be set."),
    ({"hostpci0": "pcie=1"}, "either 'host' or 'mapping' must be set."),
])  # fmt: skip
def test_a_device_is_of_the_host_or_mapped(guest: Api, option: dict[str, str], text: str) -> None:
    grant(guest, "/vms/100", "VM.Config.HWType")
    assert refusal(guest, "PUT", "q/100/config", **option) == text


def test_a_clone_needs_the_right_to_its_number_and_to_the_space(guest: Api) -> None:
    assert refusal(guest, "POST", "q/100/clone", newid="101") == "Permission check failed"
    grant(guest, "/pool/event", "VM.Allocate")
    text = "Permission check failed (/storage/pool, Datastore.AllocateSpace)"
    assert refusal(guest, "POST", "q/100/clone", newid="101", pool="event") == text
    grant(guest, "/storage/pool", "Datastore.AllocateSpace")
    guest.done("POST", "q/100/clone", newid="101", pool="event")


def test_only_guests_and_volumes_that_may_be_seen_are_listed(guest: Api) -> None:
    assert guest.ask("GET", "nodes/pve1/qemu") == []
    assert guest.volumes("pool") == []
    grant(guest, "/vms/100", "VM.Audit", "VM.Config.Disk")
    grant(guest, "/storage/pool", "Datastore.Audit")
    assert [row["vmid"] for row in guest.ask("GET", "nodes/pve1/qemu")] == [100]
    assert guest.volumes("pool") == ["pool:100/vm-100-disk-0.raw"]


@pytest.mark.parametrize(
    ("card", "needed"),
    [
        ("virtio,bridge=vmbr0", ""),
        ("virtio,bridge=vmbr0,tag=7", "/7"),
        ("virtio,bridge=vmbr0,tag=7,trunks=9", "/9"),
        ("virtio,bridge=vmbr0,trunks=7;9", "/9"),
        ("virtio,bridge=vmbr0,trunks=5-7", "/5"),
    ],
)
def test_a_card_needs_the_right_to_its_vlan_and_to_each_of_its_trunk(
    guest: Api, card: str, needed: str
) -> None:
    grant(guest, "/vms/100", "VM.Config.Network", "VM.Audit")
    bridge = "/sdn/zones/localnetwork/vmbr0"
    for vlan in ("/6", "/7"):
        grant(guest, bridge + vlan, "SDN.Use")
    text = f"Permission check failed ({bridge}{needed}, SDN.Use)"
    if needed != "/7":
        assert refusal(guest, "PUT", "q/100/config", net0=card) == text
    grant(guest, bridge + needed, "SDN.Use")
    guest.put(100, net0=card)
