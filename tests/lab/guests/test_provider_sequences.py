"""The calls that a provider makes for one guest, in its order and with its parameters.

The shapes (which keys come together, how lists are written, what is deleted on suspicion) are
those of a real provider; names, numbers and addresses are our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.direct import Api

UNUSED_DEVICES = ",".join([f"net{n}" for n in range(1, 32)] + [f"serial{n}" for n in (1, 2, 3)])
DISK_OPTIONS = (
    "aio=io_uring,backup=1,iops_rd=1000000,iothread=0,ssd=0,discard=ignore,cache=none,replicate=1"
)
KEPT_OPTIONS = (
    "aio=io_uring,backup=1,cache=none,discard=ignore{format},iops_rd=1000000,iothread=0,"
    "replicate=1,size={size},ssd=0"
)


def first_config(number: int) -> dict[str, str]:
    """What is sent once after the clone: everything, and the removal of all else."""
    return {
        "agent": "enabled=0,fstrim_cloned_disks=0,type=virtio",
        "balloon": "0",
        "cores": "2",
        "cpu": "qemu64",
        "delete": UNUSED_DEVICES,
        "ide2": "file=pool:cloudinit,",
        "ide3": "file=none,media=cdrom,",
        "ipconfig0": f"ip=10.7.0.{number}/24",
        "memory": "256",
        "net0": f"model=virtio,bridge=vmbr0,firewall=0,macaddr=02:07:00:00:00:{number:02X},tag=107",
        "numa": "0",
        "onboot": "0",
        "ostype": "other",
        "serial0": "socket",
        "sockets": "1",
        "tags": "practicum;t07",
        "vga": "memory=16,type=serial0",
    }


@pytest.fixture
def template(api: Api) -> Api:
    api.lab.store.put("pool", "event", {"vms": [], "storage": [], "comment": ""})
    api.create(
        900, name="debian", memory="128", scsihw="virtio-scsi-pci", boot="order=scsi0;ide2",
        scsi0="pool:0,import-from=pool:import/debian.qcow2,format=qcow2",
        ide2="pool:cloudinit", serial0="socket", vga="serial0",
    )  # fmt: skip
    api.done("POST", "q/900/template")
    return api


def bring_up(api: Api, vmid: int, number: int, full: str = "0") -> str:
    """Clone and configure as the provider does; the volume of the disk."""
    params = {"newid": str(vmid), "full": full, "name": f"t07-n{number}", "pool": "event"}
    api.done("POST", "q/900/clone", **params)
    api.put(vmid, delete="ide2")
    api.put(vmid, **first_config(number))
    volume = str(api.config(vmid)["scsi0"]).partition(",")[0]
    api.put(vmid, scsi0=f"file={volume},format=qcow2,size=2147483648,{DISK_OPTIONS}")
    return volume


def test_a_configured_clone_reads_back_in_proxmoxs_form(template: Api) -> None:
    volume = bring_up(template, 701, 1)
    config = template.config(701)
    for key in ("digest", "meta", "smbios1", "vmgenid"):
        del config[key]
    assert volume == "pool:900/base-900-disk-0.qcow2/701/vm-701-disk-0.qcow2"
    assert config == {
        "agent": "enabled=0,fstrim_cloned_disks=0,type=virtio",
        "balloon": 0,
        "boot": "order=scsi0;ide3",
        "cores": 2,
        "cpu": "qemu64",
        "ide2": "pool:701/vm-701-cloudinit.qcow2,media=cdrom",
        "ide3": "none,media=cdrom",
        "ipconfig0": "ip=10.7.0.1/24",
        "memory": "256",
        "name": "t07-n1",
        "net0": "virtio=02:07:00:00:00:01,bridge=vmbr0,firewall=0,tag=107",
        "numa": 0,
        "onboot": 0,
        "ostype": "other",
        "scsi0": f"{volume},{KEPT_OPTIONS.format(size='2G', format=',format=qcow2')}",
        "scsihw": "virtio-scsi-pci",
        "serial0": "socket",
        "sockets": 1,
        "tags": "practicum;t07",
        "vga": "memory=16,type=serial0",
    }


def test_sending_the_same_again_changes_nothing(template: Api) -> None:
    volume = bring_up(template, 701, 1)
    before = template.config(701)
    again = first_config(1)
    for key in ("ide2", "delete"):
        del again[key]
    template.put(701, **again)
    template.put(701, scsi0=f"file={volume},format=qcow2,size=2147483648,{DISK_OPTIONS}")
    assert template.config(701) == before


def test_an_edit_of_memory_and_cards_of_a_running_guest_needs_one_restart(template: Api) -> None:
    bring_up(template, 701, 1)
    template.start(701)
    card = "model=virtio,bridge=vmbr0,firewall=0,macaddr=02:07:00:00:01:01,tag=207"
    template.put(701, balloon="0", memory="384", name="t07-n1", net1=card)
    now: Callable[[], Any] = lambda: template.ask("GET", "q/701/status/current")  # noqa: E731
    assert set(now()["nics"]) == {"tap701i0", "tap701i1"}
    assert now()["maxmem"] == 256 * 1024**2
    template.done("POST", "q/701/status/stop")
    template.done("POST", "q/701/status/start", timeout="1800")
    assert now()["maxmem"] == 384 * 1024**2
    assert template.config(701)["net1"] == (
        "virtio=02:07:00:00:01:01,bridge=vmbr0,firewall=0,tag=207"
    )


def test_a_bigger_disk_of_a_full_clone_grows_by_a_size_in_bytes(template: Api) -> None:
    volume = bring_up(template, 701, 1, full="1")
    template.put(701, scsi0=f"file={volume},{DISK_OPTIONS}")
    template.done("PUT", "q/701/resize", disk="scsi0", size="3221225472")
    template.put(701, scsi0=f"file={volume},{DISK_OPTIONS}")
    assert volume == "pool:701/vm-701-disk-0.qcow2"
    kept = KEPT_OPTIONS.format(size="3G", format="")
    assert template.config(701)["scsi0"] == f"{volume},{kept}"


def test_a_destroy_with_a_slash_at_the_end_of_the_path_leaves_nothing(template: Api) -> None:
    bring_up(template, 701, 1)
    template.start(701)
    template.done("POST", "q/701/status/stop")
    template.done("DELETE", "q/701/", **{"destroy-unreferenced-disks": "1", "purge": "1"})
    assert template.lab.pools_of(701) == []
    assert template.volumes("pool") == [
        "pool:900/base-900-disk-0.qcow2",
        "pool:900/vm-900-cloudinit.qcow2",
    ]


def test_a_fleet_is_cloned_configured_and_started_64_at_a_time(template: Api) -> None:
    count, at_once = 131, 64

    async def guest(gate: asyncio.Semaphore, number: int) -> None:
        vmid, host = 1000 + number, f"pve{number % 3 + 1}"
        path = f"nodes/{host}/qemu/{vmid}"
        target = {} if host == "pve1" else {"target": host}
        async with gate:
            ask = template.asking
            clone = {"newid": str(vmid), "full": "0", "pool": "event", **target}
            tasks = [await ask("POST", "q/900/clone", **clone)]
            await ask("PUT", f"{path}/config", delete="ide2")
            await ask("PUT", f"{path}/config", **first_config(number % 250))
            tasks.append(await ask("PUT", f"{path}/resize", disk="scsi0", size="8G"))
            tasks.append(await ask("POST", f"{path}/status/start"))
            assert [task["status"] for task in tasks] == ["OK"] * 3

    async def fleet() -> None:
        gate = asyncio.Semaphore(at_once)
        await asyncio.gather(*(guest(gate, number) for number in range(count)))

    asyncio.run(fleet())
    rows = [row for node in (1, 2, 3) for row in template.ask("GET", f"nodes/pve{node}/qemu")]
    assert sum(row["status"] == "running" for row in rows) == count
    assert len(template.lab.store.get("pool", "event")["vms"]) == count  # type: ignore[index]
    # A disk and a cloud-init drive each, and the template's two.
    assert len(template.volumes("pool")) == 2 * count + 2
