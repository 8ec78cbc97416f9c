"""Guests that are machines of QEMU, one by software emulation; with `--sweep` several, by UEFI too.

One boot is a minute or more of computing, so what a single machine can show is one test.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engines.lxc.images import default_folder
from lab.engines.qemu.availability import unavailable
from lab.engines.qemu.command import FIRMWARE
from tests.guests.ground import Ground, traces
from tests.image.conftest import built, cannot

pytestmark = pytest.mark.guests
SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))
sweep = pytest.mark.skipif(not SWEEP, reason="more machines are started with --sweep")

DEADLINE_S = 900  # emulation on a loaded machine
CARD = "virtio=02:00:00:00:00:01,bridge=vmbr1,tag="
HARDWARE = {"scsihw": "virtio-scsi-single", "serial0": "socket", "kvm": 0}
ONE, TWO = ("pve2", 201), ("pve1", 202)


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the smallest image; else the tests are skipped with one sentence."""
    if reason := unavailable():
        cannot(reason)
    record = built("--flavour", "plain")
    folder = tmp_path_factory.mktemp("images")
    (folder / "debian-12.qcow2").symlink_to(default_folder() / record["file"])
    return folder


@pytest.fixture
def ground(machines: Path, tmp_path: Path) -> Iterator[Ground]:
    """A lab with a template; what it starts is ended."""
    ground = Ground(tmp_path, machines, "qemu", DEADLINE_S)
    try:
        ground.template(**HARDWARE)
        yield ground
    finally:
        ground.close()


def path(guest: tuple[str, int], rest: str) -> str:
    return f"nodes/{guest[0]}/qemu/{guest[1]}/{rest}"


def finished(ground: Ground, guest: tuple[str, int]) -> None:
    ground.wait_for_agent(*guest)
    ground.wait_until(*guest, "test", "-e", "/var/lib/cloud/data/result.json")


def test_a_machine_from_its_first_start_to_its_end(machines: Path, tmp_path: Path) -> None:
    before = traces(tmp_path / "state")
    ground = Ground(tmp_path, machines, "qemu", DEADLINE_S)
    try:
        ground.template(**HARDWARE)
        ground.guest(ONE[1], "alone", ONE[0], "10.0.0.1", nameserver="198.51.100.2")
        ground.wait_for_agent(*ONE)
        _has_a_kernel_of_its_own(ground)
        _is_reached_from_this_machine(ground)
        _survives_the_lab(ground)
        _goes_back_to_its_memory(ground)
        ground.task("POST", path(ONE, "migrate"), target="pve1", online=1)
        there = ("pve1", ONE[1])
        assert ground.run(*there, "cat", "/srv/state") == (0, "before\n")
        ground.task("POST", path(there, "status/stop"))
        left = traces(tmp_path / "state")
        assert not [text for text in left["programs"] if "qemu-system" in text]
        ground.task("DELETE", path(there, "")[:-1])
        assert not list((tmp_path / "state/disks").glob(f"{ONE[1]}-*"))
        assert not (tmp_path / f"state/guests/{ONE[1]}").exists()
    finally:
        ground.close()
    assert traces(tmp_path / "state") == before


def _has_a_kernel_of_its_own(ground: Ground) -> None:
    code, text = ground.run(*ONE, "sh", "-c", "tr a-z A-Z; exit 7", given="hello")
    assert (code, text) == (7, "HELLO")
    assert "cloud-amd64" in ground.run(*ONE, "cat", "/proc/sys/kernel/osrelease")[1]
    assert ground.wait_until(*ONE, "hostname") == "alone\n"
    log = ground.state / f"guests/{ONE[1]}/console.log"
    assert "Linux version" in log.read_text(errors="replace")


def _is_reached_from_this_machine(ground: Ground) -> None:
    command = [sys.executable, "-m", "lab", "connect", "--state", str(ground.state), str(ONE[1])]
    until = time.monotonic() + DEADLINE_S
    while True:
        done = subprocess.run([*command, "22"], input=b"", capture_output=True, check=False)
        if done.stdout.startswith(b"SSH-2.0-"):
            return
        assert time.monotonic() < until, done.stderr
        time.sleep(1)


def _survives_the_lab(ground: Ground) -> None:
    ground.run(*ONE, "touch", "/run/before-the-kill")  # lost with a restart of the guest
    ground.kill()
    ground.start()
    assert ground.status(*ONE) == "running"
    assert ground.run(*ONE, "test", "-e", "/run/before-the-kill")[0] == 0


def _goes_back_to_its_memory(ground: Ground) -> None:
    ground.run(*ONE, "sh", "-c", "echo before > /srv/state; sync")
    ground.task("POST", path(ONE, "snapshot"), snapname="then", vmstate=1)
    ground.run(*ONE, "sh", "-c", "echo after > /srv/state; rm /run/before-the-kill; sync")
    ground.task("POST", path(ONE, "snapshot/then/rollback"))
    ground.wait_for_agent(*ONE)
    assert ground.run(*ONE, "cat", "/srv/state") == (0, "before\n")
    assert ground.run(*ONE, "test", "-e", "/run/before-the-kill")[0] == 0
    ground.task("DELETE", path(ONE, "snapshot/then"))


@sweep
def test_two_machines_on_two_hosts_hear_each_other_and_their_cards_follow_the_settings(
    ground: Ground,
) -> None:
    ground.guest(ONE[1], "one", ONE[0], "10.0.0.1")
    ground.guest(TWO[1], "two", TWO[0], "10.0.0.2")
    for guest in (ONE, TWO):
        finished(ground, guest)
    heard = ("ping", "-c", "1", "-W", "5", "10.0.0.2")
    ground.wait_until(*ONE, *heard)
    for word in ("102", "101", "101,link_down=1", "101"):
        ground.call("PUT", path(ONE, "config"), net0=CARD + word).ok()
        if word == "101":
            ground.wait_until(*ONE, *heard)
        else:
            assert ground.run(*ONE, *heard)[0] != 0
    ground.call("PUT", path(ONE, "config"), net1="virtio=02:00:00:00:01:01,bridge=vmbr1").ok()
    ground.wait_until(*ONE, "sh", "-c", "grep -il 02:00:00:00:01:01 /sys/class/net/*/address")
    ground.call("PUT", path(ONE, "config"), delete="net1").ok()
    found = ground.run(*ONE, "sh", "-c", "cat /sys/class/net/*/address")[1]
    assert "02:00:00:00:01:01" not in found
    _moves(ground, heard)
    _pauses(ground)
    figures = ground.call("GET", path(ONE, "status/current")).ok()
    assert figures["nics"]["tap201i0"]["netin"] > 0
    assert figures["mem"] > 100 << 20


def _moves(ground: Ground, heard: tuple[str, ...]) -> None:
    ground.task("POST", path(TWO, "migrate"), target="pve2", online=1)
    ground.wait_until(*ONE, *heard)
    ground.task("POST", path(("pve2", TWO[1]), "migrate"), target=TWO[0], online=1)
    ground.wait_until(*ONE, *heard)


def _pauses(ground: Ground) -> None:
    ground.task("POST", path(TWO, "status/suspend"))
    assert ground.run(*ONE, "ping", "-c", "1", "-W", "2", "10.0.0.2")[0] == 1
    ground.task("POST", path(TWO, "status/resume"))
    ground.wait_until(*ONE, "ping", "-c", "1", "-W", "5", "10.0.0.2")


@sweep
def test_disks_grow_are_copied_plugged_and_go_back(ground: Ground) -> None:
    ground.guest(ONE[1], "one", ONE[0], "10.0.0.1")
    finished(ground, ONE)
    ground.run(*ONE, "sh", "-c", "echo here > /srv/state; sync")
    ground.task("PUT", path(ONE, "resize"), disk="scsi0", size="+1G")
    assert int(ground.run(*ONE, "cat", "/sys/block/sda/size")[1]) == (5 << 30) // 512
    ground.call("PUT", path(ONE, "config"), scsi1="pool:1").ok()
    size = ground.wait_until(*ONE, "cat", "/sys/block/sdb/size")
    assert int(size) == (1 << 30) // 512
    ground.call("PUT", path(ONE, "config"), delete="scsi1").ok()
    assert ground.run(*ONE, "test", "-e", "/sys/block/sdb")[0] == 1
    ground.task("POST", path(ONE, "snapshot"), snapname="then")
    ground.run(*ONE, "sh", "-c", "echo gone > /srv/state; sync")
    ground.task("POST", path(ONE, "clone"), newid=203, name="copy", full=1)
    _is_repaired_while_off(ground)
    ground.task("POST", path(ONE, "snapshot/then/rollback"), start=1)
    ground.wait_for_agent(*ONE)
    assert ground.wait_until(*ONE, "cat", "/srv/state") == "here\n"
    _sleeps_on_disk(ground)
    ground.task("POST", path(ONE, "status/shutdown"), timeout=DEADLINE_S)
    assert ground.status(*ONE) == "stopped"


def _is_repaired_while_off(ground: Ground) -> None:
    """The copy of a machine that runs, its files read and changed before its first start."""

    async def repaired() -> str:
        reader, writer = await asyncio.open_unix_connection(ground.state / "control.sock")
        writer.write(b'{"do": "open-disk", "vmid": 203}\n')
        answer = await reader.readline()
        found = json.loads(answer)["ok"]
        root = Path(f"/proc/{found['process']}/root{found['place']}")
        text = (root / "srv/state").read_text()
        (root / "srv/repaired").write_text("by hand\n")
        writer.close()
        await writer.wait_closed()
        return text

    assert asyncio.run(repaired()) == "gone\n"
    ground.task("POST", path((ONE[0], 203), "status/start"))
    ground.wait_for_agent(ONE[0], 203)
    assert ground.wait_until(ONE[0], 203, "cat", "/srv/repaired") == "by hand\n"
    ground.task("POST", path((ONE[0], 203), "status/stop"))
    ground.task("DELETE", path((ONE[0], 203), "")[:-1])


def _sleeps_on_disk(ground: Ground) -> None:
    ground.run(*ONE, "touch", "/run/before-the-night")
    ground.task("POST", path(ONE, "status/suspend"), todisk=1)
    assert ground.status(*ONE) == "stopped"
    ground.task("POST", path(ONE, "status/resume"))
    ground.wait_for_agent(*ONE)
    assert ground.run(*ONE, "test", "-e", "/run/before-the-night")[0] == 0


@sweep
def test_the_agent_answers_as_on_a_site(ground: Ground) -> None:
    ground.guest(ONE[1], "one", ONE[0], "10.0.0.1")
    finished(ground, ONE)
    command = ["sh", "-c", "head -c 17000000 /dev/zero | tr '\\0' x"]
    pid = ground.agent("POST", *ONE, "exec", command=command).ok()["pid"]
    until = time.monotonic() + DEADLINE_S
    while not (found := ground.agent("GET", *ONE, "exec-status", pid=pid).ok())["exited"]:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert len(found["out-data"]) == 16 * 1024 * 1024
    assert found["out-truncated"] == 1
    text = "first line\nsecond line\n"
    ground.agent("POST", *ONE, "file-write", file="/srv/note", content=text).ok()
    assert ground.agent("GET", *ONE, "file-read", file="/srv/note").ok()["content"] == text
    answer = ground.agent("GET", *ONE, "file-read", file="/srv/absent")
    assert (answer.status, "No such file" in answer.reason) == (500, True)
    ground.agent("POST", *ONE, "set-user-password", username="tutor", password="another").ok()
    assert "tutor:$" in ground.run(*ONE, "grep", "^tutor:", "/etc/shadow")[1]
    cards = ground.agent("GET", *ONE, "network-get-interfaces").ok()["result"]
    card = next(card for card in cards if card["name"] == "eth0")
    assert card["hardware-address"] == "02:00:00:00:00:01"
    assert ground.agent("GET", *ONE, "get-osinfo").ok()["result"]["version-id"] == "12"
    assert ground.agent("POST", *ONE, "fsfreeze-freeze").ok()["result"] >= 1
    assert ground.agent("POST", *ONE, "fsfreeze-status").ok()["result"] == "frozen"
    assert ground.agent("POST", *ONE, "fsfreeze-thaw").ok()["result"] >= 1


@sweep
def test_a_machine_with_uefi_boots_and_is_switched_off_from_within(ground: Ground) -> None:
    if not FIRMWARE.exists():
        cannot("there is no firmware for UEFI; on Debian type: apt install ovmf")
    ground.task("POST", "nodes/pve1/qemu/9000/clone", newid=ONE[1], name="efi", target=ONE[0])
    ground.call(
        "PUT", path(ONE, "config"), bios="ovmf", efidisk0="pool:1,efitype=4m", net0=f"{CARD}101"
    ).ok()
    ground.task("POST", path(ONE, "status/start"))
    finished(ground, ONE)
    assert ground.run(*ONE, "test", "-d", "/sys/firmware/efi")[0] == 0
    ground.run(*ONE, "systemctl", "poweroff", "--no-block")
    until = time.monotonic() + DEADLINE_S
    while ground.status(*ONE) != "stopped":
        assert time.monotonic() < until, "the guest's end is not seen"
        time.sleep(0.2)
