"""What QEMU is told of a guest: its command by goldens, the files of its disks.

Goldens are written anew with PRACTICUM_GOLDEN=write in the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.engines.qemu import availability, disks, places, seed, states
from lab.engines.qemu.cards import cards
from lab.engines.qemu.command import FIRMWARE, Sockets, command, kind_of, left_out
from lab.engines.qemu.connect import own_address
from lab.engines.qemu.drives import Medium
from lab.engines.qemu.monitor import Monitor
from lab.engines.qemu.notes import Notes
from lab.errors import TaskError
from tests.guests.ground import refusal
from tests.image.conftest import cannot

GOLDEN = Path(__file__).parent / "golden"
SOCKETS = Sockets(folder="/run/machines/700", log="/s/guests/700/console.log")
PLAIN: dict[str, Any] = {
    "name": "c07-head",
    "cores": 2,
    "memory": "1024",
    "scsihw": "virtio-scsi-single",
    "boot": "order=scsi0",
    "scsi0": "pool:700/vm-700-disk-0.qcow2,size=8G",
    "ide2": "pool:700/vm-700-cloudinit.qcow2,media=cdrom",
    "net0": "virtio=02:00:00:00:00:0A,bridge=vmbr0,firewall=1",
    "net1": "virtio=02:00:00:00:00:0B,bridge=vmbr1,tag=107,mtu=1400",
    "smbios1": "uuid=11111111-2222-3333-4444-555555555555",
    "serial0": "socket",
}
PLAIN_MEDIA = {
    "scsi0": Medium(file=Path("/s/disks/700-1.qcow2")),
    "ide2": Medium(file=Path("/s/guests/700/seed.iso"), form="raw", cdrom=True),
}
MANY: dict[str, Any] = {
    "machine": "q35",
    "bios": "ovmf",
    "efidisk0": "pool:700/vm-700-disk-1.qcow2,efitype=4m,size=528K",
    "sockets": 2,
    "cores": 2,
    "memory": "current=2048",
    "ostype": "win11",
    "rng0": "source=/dev/urandom",
    "vmgenid": "66666666-7777-8888-9999-000000000000",
    "smbios1": "uuid=11111111-2222-3333-4444-555555555555,serial=YSxi,base64=1",
    "boot": "order=virtio0;net7",
    "net7": "e1000=02:00:00:00:00:0C",
    "hostpci0": "01:00.0",
    "tpmstate0": "pool:700/vm-700-disk-3.raw,size=4M,version=v2.0",
}
MANY_MEDIA = {
    "efidisk0": Medium(file=Path("/s/disks/700-2.qcow2")),
    "virtio0": Medium(file=Path("/s/disks/700-3.qcow2")),
    "virtio9": Medium(file=Path("/s/disks/700-4.qcow2")),
    "sata1": Medium(file=None, cdrom=True),
    "scsi8": Medium(file=Path("/s/disks/700-5.qcow2")),
}
FULL: dict[str, Any] = {
    **{f"net{n}": f"virtio=02:00:00:00:00:{n:02X},bridge=vmbr1,tag={100 + n}" for n in range(32)},
    "scsihw": "lsi",
}
FULL_MEDIA = {
    f"{bus}{n}": Medium(file=Path(f"/s/disks/{bus}{n}"))
    for bus, count in (("scsi", 31), ("virtio", 16), ("sata", 6), ("ide", 4))
    for n in range(count)
}
CASES: dict[str, dict[str, Any]] = {
    "plain": {"config": PLAIN, "accelerator": "tcg", "media": PLAIN_MEDIA, "taps": {0: 9, 1: 10}},
    "by-kvm": {"config": PLAIN, "accelerator": "kvm", "media": PLAIN_MEDIA, "taps": {0: 9, 1: 10}},
    "many": {"config": MANY, "accelerator": "kvm", "media": MANY_MEDIA, "taps": {}},
}
ACCEPTED = CASES | {
    "full": {"config": FULL, "media": FULL_MEDIA},
    "full-old-q35": {
        "config": FULL | {"machine": "q35"},
        "media": {key: medium for key, medium in FULL_MEDIA.items() if key[:3] != "ide"},
    },
    "full-virtio": {"config": FULL | {"scsihw": "virtio-scsi-pci"}, "media": FULL_MEDIA},
    "full-q35": {
        "config": FULL | {"scsihw": "virtio-scsi-single", "machine": "q35"},
        "media": {key: medium for key, medium in FULL_MEDIA.items() if key[:3] != "ide"},
    },
}
"""What a machine may have at most, beside what goldens show."""


@pytest.mark.parametrize("name", CASES)
def test_the_command_of_a_machine_is_exactly_what_its_golden_says(name: str) -> None:
    case = dict(CASES[name])
    config = case.pop("config")
    words = command(700, config, cards=cards(config), sockets=SOCKETS, **case)
    text = "".join(f"{' ' if word[0] != '-' else ''}{word}\n" for word in words)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", [name for name in ACCEPTED if name != "by-kvm"])
def test_qemu_takes_the_command(name: str, tmp_path: Path) -> None:
    needed = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils"}
    for tool, package in needed.items():
        if shutil.which(tool) is None:
            cannot(f"{tool} is missing; on Debian type: apt install {package}")
    if name == "many" and not FIRMWARE.exists():
        cannot("there is no firmware for UEFI; on Debian type: apt install ovmf")
    config, media = ACCEPTED[name]["config"], {}
    for key, medium in ACCEPTED[name]["media"].items():
        file = tmp_path / f"{key}.{medium.form}"
        run = ["qemu-img", "create", "-q", "-f", medium.form, str(file), "528K"]
        subprocess.run(run, check=True)
        media[key] = replace(medium, file=None if medium.file is None else file)
    sockets = Sockets(folder=str(tmp_path), log=str(tmp_path / "log"))
    words = command(
        700, config, accelerator="tcg", media=media, cards=cards(config), taps={},
        sockets=sockets, asleep=True,
    )  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)

    async def end() -> None:
        monitor = Monitor(sockets.path("qmp"))
        await monitor.open()
        status = await monitor.order("query-status")
        assert status["status"] == "prelaunch"
        await monitor.order("quit")
        await monitor.close()

    try:
        until = time.monotonic() + 120
        while not Path(sockets.path("agent")).exists() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.05)
        if process.poll() is None:
            asyncio.run(end())
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()


def test_a_machine_that_goes_on_from_a_memory_waits_for_it() -> None:
    words = command(
        700, PLAIN, accelerator="tcg", media=PLAIN_MEDIA, cards=[], taps={}, sockets=SOCKETS,
        asleep=True,
    )  # fmt: skip
    assert "-S" in words


def test_what_a_machine_of_the_lab_does_not_have_is_named() -> None:
    assert left_out(MANY) == ["hostpci0", "tpmstate0"]
    assert left_out(PLAIN) == []


def test_every_card_and_disk_has_a_place_of_its_own() -> None:
    taken = [("pci.0", hex(slot)) for slot in (1, *places.CONTROLLERS.values(), 0x1D, 0x1E, 0x1F)]
    found = [places.card(number, "pci.0") for number in range(32)]
    found += [places.virtio_disk(number, "pci.0") for number in range(16)]
    taken += [(each["bus"], each["addr"]) for each in found]
    assert len(set(taken)) == len(taken)
    for model, kind in (("lsi", "pc"), ("virtio-scsi-pci", "pc")):
        disks_found = [tuple(places.scsi_disk(n, model).items()) for n in range(31)]
        assert len(set(disks_found)) == 31, kind


def test_chip_sets_are_told_by_their_names() -> None:
    assert kind_of({}) == "pc"
    assert kind_of({"machine": "pc-i440fx-10.0+pve1"}) == "pc"
    assert kind_of({"machine": "pc-q35-10.0+pve1"}) == "q35"


def test_a_card_that_stays_the_same_device_is_only_plugged_in_elsewhere() -> None:
    first, second, third = cards(
        {
            "net0": "virtio=02:00:00:00:00:0A,bridge=vmbr0",
            "net1": "virtio=02:00:00:00:00:0A,bridge=vmbr1,tag=5,link_down=1",
            "net10": "e1000=02:00:00:00:00:0A,bridge=vmbr0",
        }
    )
    assert first.device == second.device
    assert first.socket != second.socket
    assert (first.connected, second.connected) == (True, False)
    assert first.device != third.device


def test_a_machine_is_reached_at_the_address_that_its_card_has_by_itself() -> None:
    assert own_address("02:00:00:00:00:01") == "fe80::ff:fe00:1"
    assert own_address("BC:24:11:AB:CD:EF".lower()) == "fe80::be24:11ff:feab:cdef"


def test_the_cloud_init_drive_has_the_names_that_cloud_init_looks_for() -> None:
    assert seed.label(PLAIN) == "cidata"
    assert sorted(seed.files(PLAIN, 700)) == ["meta-data", "network-config", "user-data"]
    windows = PLAIN | {"ostype": "win11"}
    assert seed.label(windows) == "config-2"
    meta = json.loads(seed.files(windows, 700)["openstack/latest/meta_data.json"])
    assert meta["network_config"] == {"content_path": "/content/0000"}


def test_a_machine_that_fails_by_kvm_is_emulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, device = tmp_path / "qemu-system-x86_64", tmp_path / "kvm"
    device.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(availability, "KVM", device)
    for script, wanted in (
        ("cat > /dev/null; exit 1", "tcg"),
        ("""cat > /dev/null; echo '{"return": {"status": "running"}}'""", "kvm"),
        ("""cat > /dev/null; echo '{"return": {"status": "running"}}'; kill -6 $$""", "tcg"),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        availability.accelerator.cache_clear()
        assert availability.accelerator() == wanted
    monkeypatch.setattr(availability, "KVM", tmp_path / "absent")
    availability.accelerator.cache_clear()
    assert availability.accelerator() == "tcg"
    availability.accelerator.cache_clear()


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "write `engine: none`" in str(availability.unavailable())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if "qemu" in name else name)
    assert availability.unavailable() == (
        "programs are missing; on Debian type: apt install qemu-system-x86 qemu-utils"
    )


def test_a_lab_that_cannot_run_machines_says_why_and_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "unavailable", lambda: "a reason")
    assert refusal(tmp_path, "qemu") == "a reason"


def test_what_a_machine_was_started_as_is_kept_for_the_next_lab(tmp_path: Path) -> None:
    notes = Notes(700, tmp_path / "700")
    notes.make()
    notes.write(PLAIN, PLAIN_MEDIA)
    assert notes.read() == (PLAIN, PLAIN_MEDIA)
    assert (tmp_path / "700/running.json").stat().st_mode & 0o777 == 0o600
    notes.keep_memory("then")
    assert notes.memory == "then"
    notes.keep_memory(None)
    assert notes.memory is None
    notes.forget_start()
    notes.remove()
    assert not notes.home.exists()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk of 1 MiB whose first bytes are `one`."""
    if shutil.which("qemu-img") is None:
        cannot("qemu-img is missing; on Debian type: apt install qemu-utils")
    file = tmp_path / "disk.qcow2"
    asyncio.run(disks.create(file, 1 << 20, None))
    _write(file, "one")
    return file


def _write(file: Path, text: str) -> None:
    raw = file.with_suffix(".raw")
    raw.write_bytes(text.encode().ljust(1 << 20, b"\0"))
    command = ["qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", str(raw), str(file)]
    subprocess.run(command, check=True)


def _read(file: Path) -> str:
    raw = file.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(file), str(raw)], check=True)
    return raw.read_bytes().rstrip(b"\0").decode()


def test_states_of_a_disk_are_kept_gone_back_to_and_forgotten(disk: Path) -> None:
    async def story() -> None:
        files = {"scsi0": disk}
        await states.take(files, "then", None, with_memory=False)
        _write(disk, "two")
        await states.go_back(files, "then")
        assert _read(disk) == "one"
        await states.drop(files, "then", None)
        assert await disks.tags(disk) == []
        with pytest.raises(TaskError, match="snapshot 'then' has no disk"):
            await states.go_back(files, "then")

    asyncio.run(story())


def test_a_disk_reads_through_to_its_base_and_is_at_least_as_large(disk: Path) -> None:
    async def story() -> None:
        small, large = disk.with_name("small.qcow2"), disk.with_name("large.qcow2")
        await disks.create(small, 1 << 10, (disk, "qcow2"))
        await disks.create(large, 2 << 20, (disk, "qcow2"))
        assert (await disks.facts(small, "qcow2"))["virtual-size"] == 1 << 20
        assert (await disks.facts(large, "qcow2"))["virtual-size"] == 2 << 20
        assert _read(small) == _read(large) == "one"

    asyncio.run(story())


def test_an_image_that_names_another_file_is_refused(disk: Path) -> None:
    async def story() -> None:
        crafted = disk.with_name("crafted.qcow2")
        await disks.create(crafted, 1 << 20, (disk, "qcow2"))
        await disks.check_self_contained(disk, "qcow2", "pool:import/good.qcow2")
        with pytest.raises(TaskError, match=r"'pool:import/bad\.qcow2' refers to another file"):
            await disks.check_self_contained(crafted, "qcow2", "pool:import/bad.qcow2")

    asyncio.run(story())


def test_what_a_lab_has_made_before_its_machines_could_not_be_had_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Path] = []

    async def fails(*_: object) -> None:
        raise TaskError("no bridges")

    async def power_off(state: Path) -> None:
        ended.append(state)

    monkeypatch.setattr(availability, "unavailable", lambda: None)
    monkeypatch.setattr("lab.engines.qemu.engine.QemuEngine.open", fails)
    monkeypatch.setattr("lab.engines.lxc.engine.power_off", power_off)
    assert refusal(tmp_path, "qemu") == "no bridges"
    assert ended == [tmp_path / "state"]
