"""What LXC and cloud-init are given, images found, and files opened below a guest's root."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from image import gpt
from lab import serve
from lab.engines.lxc import groups, images, layer, settings
from lab.engines.lxc.disks import Disks
from lab.engines.lxc.inside import open_in
from lab.engines.lxc.watch import Watch
from lab.errors import TaskError
from tests.guests.ground import refusal

CONFIG = {
    "name": "c07-head.example.org",
    "cores": 2,
    "memory": "1024",
    "net0": "virtio=02:00:00:00:00:0A,bridge=vmbr0,firewall=1",
    "net1": "virtio=02:00:00:00:00:0B,bridge=vmbr1,tag=107",
    "net2": "virtio=02:00:00:00:00:0C,bridge=vmbr1,tag=108,link_down=1",
    "ipconfig1": "ip=10.0.7.1/24",
    "nameserver": "198.51.100.2 198.51.100.3",
    "ciuser": "tutor",
}


def lxc_config(**limits: str) -> list[str]:
    text = settings.lxc_config(
        700, CONFIG, lower=["/layer", "/image"], upper=Path("/s/700/disk/upper"),
        home=Path("/s/700"), seccomp=Path("/s/seccomp"),
        limits={name.replace("_", "."): value for name, value in limits.items()},
    )  # fmt: skip
    return text.splitlines()


def test_cards_with_a_cable_are_plugged_in() -> None:
    found = [(card.number, card.bridge, card.vlan, card.mac, card.firewall)
             for card in settings.cards(CONFIG)]  # fmt: skip
    assert found == [
        (0, "vmbr0", None, "02:00:00:00:00:0a", True),
        (1, "vmbr1", 107, "02:00:00:00:00:0b", False),
    ]


def test_a_container_has_the_image_below_the_thin_layer_and_its_own_network() -> None:
    lines = lxc_config()
    assert "lxc.rootfs.path = overlay:/layer:/image:/s/700/disk/upper" in lines
    assert "lxc.namespace.share.net = /run/networks/700" in lines
    assert "lxc.uts.name = c07-head" in lines
    assert not [line for line in lines if "cgroup2" in line]


def test_limits_are_lines_where_the_controllers_allow_it(tmp_path: Path) -> None:
    home = tmp_path / groups.HOME
    home.mkdir()
    assert groups.version2(tmp_path, 2, 1024) == {}
    for name in ("cpu.max", "memory.max"):
        (home / name).touch()
    limits = {"cpu.max": "200000 100000", "memory.max": "1073741824"}
    assert groups.version2(tmp_path, 2, 1024) == limits
    (home / "memory.swap.max").touch()
    assert groups.version2(tmp_path, 2, 1024) == {**limits, "memory.swap.max": "0"}
    lines = lxc_config(memory_max="1073741824", cpu_max="200000 100000")
    assert "lxc.cgroup2.memory.max = 1073741824" in lines
    assert "lxc.cgroup2.cpu.max = 200000 100000" in lines


def test_limits_that_the_machine_cannot_set_are_named(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    limits = groups.Limits("practicum-x", str(tmp_path / "mounts"))
    home = tmp_path / groups.HOME
    home.mkdir()
    assert limits.missing(tmp_path) == [
        "no limit of cores: this machine's control groups have no controller cpu",
        "no limit of memory: this machine's control groups have no controller memory",
    ]
    (home / "cpu.max").touch()
    assert [sentence.split()[-1] for sentence in limits.missing(tmp_path)] == ["memory"]


def test_groups_of_version_2_are_found_where_the_machine_has_them(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup {tmp_path} cgroup rw,cpu 0 0\ntmpfs /run tmpfs rw 0 0\n")
    assert groups.place(str(mounts)) is None
    mounts.write_text(f"{mounts.read_text()}none {tmp_path} cgroup2 rw,nsdelegate 0 0\n")
    assert groups.place(str(mounts)) == tmp_path


def test_the_guest_reads_the_drive_that_proxmox_would_make() -> None:
    files = settings.files(CONFIG, 700)
    assert "user: tutor" in files[f"{settings.SEED}/user-data"]
    assert "mac_address: '02:00:00:00:00:0b'" in files[f"{settings.SEED}/network-config"]
    assert files["etc/resolv.conf"] == "nameserver 198.51.100.2\nnameserver 198.51.100.3\n"


def test_an_image_is_found_by_the_name_of_its_volume(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"type: \./practicum image build debian-12"):
        images.find(tmp_path, "shared:import/debian-12.qcow2")
    for name in ("debian-12-plain", "debian-12-exercises", "debian-12"):
        (tmp_path / f"{name}.qcow2").touch()
        assert images.find(tmp_path, "shared:import/debian-12.qcow2").stem == name


def test_the_root_partition_of_a_disk_is_found(tmp_path: Path) -> None:
    parts = [
        gpt.Partition(kind=kind, unique=uuid.uuid4(), first=first, last=first + 9, name="x")
        for kind, first in ((gpt.EFI_SYSTEM, 2048), (gpt.LINUX_ROOT, 4096))
    ]
    raw = tmp_path / "disk.raw"
    with raw.open("wb") as disk:
        disk.truncate(8192 * gpt.SECTOR)
        for sector, content in gpt.tables(parts, sectors=8192, disk_id=uuid.uuid4(), boot_code=b""):
            disk.seek(sector * gpt.SECTOR)
            disk.write(content)
    assert images.root_offset(raw) == 4096 * gpt.SECTOR
    raw.write_bytes(bytes(8192))
    assert images.root_offset(raw) == 0


def test_a_guest_stays_on_the_bits_that_it_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mounts:
        """A holder that only notes what is mounted."""

        def __init__(self) -> None:
            self.seen: list[str] = []

        async def run(self, *command: str, check: bool = True) -> tuple[int, bytes, bytes]:
            if command[0] == "mount":
                self.seen.append(command[-2])
            return int(command[0] == "mountpoint"), b"", b""

    async def convert(*command: str) -> None:
        shutil.copy(command[-2], command[-1])

    monkeypatch.setattr(images, "run", convert)
    file, disks, volume = tmp_path / "a.qcow2", Disks(tmp_path / "guests"), "shared:import/a.qcow2"
    holder: Any = Mounts()
    found = images.Images(holder, tmp_path, tmp_path / "images")

    async def story() -> None:
        file.write_bytes(b"one")
        disks.make(9000)
        first = await found.mounted(volume, None, disks.home(101))
        file.write_bytes(b"another")
        assert await found.mounted(volume, None, disks.home(101)) == first
        await disks.copy(101, 102, None)
        assert await found.mounted(volume, None, disks.home(102)) == first
        assert await found.mounted(volume, None, disks.home(103)) != first
        assert await found.mounted("shared:import/a.raw", None, disks.home(101)) != first

    asyncio.run(story())
    assert len(set(holder.seen)) == 2


def test_the_layer_is_written_once_and_mended(tmp_path: Path) -> None:
    layer.write(tmp_path)
    masked = tmp_path / "etc/systemd/system/systemd-udevd.service"
    assert os.readlink(masked) == "/dev/null"
    stages = tmp_path / "usr/local/sbin/cloud-init-stages"
    compile(stages.read_text(), "stages", "exec")
    stages.write_text("")
    layer.write(tmp_path)
    assert stages.read_text() == layer.STAGES["usr/local/sbin/cloud-init-stages"]


def test_a_newer_cloud_init_keeps_its_own_units(tmp_path: Path) -> None:
    layer.write(tmp_path, stages=False)
    assert not (tmp_path / "usr/local/sbin/cloud-init-stages").exists()
    assert not (tmp_path / "etc/systemd/system/cloud-init-local.service").exists()
    assert not (tmp_path / "etc/systemd/system/cloud-final.service").is_symlink()
    assert (tmp_path / "etc/systemd/system/systemd-udevd.service").is_symlink()


def test_links_lead_nowhere_outside_of_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/name").write_text("inside")
    (tmp_path / "name").write_text("outside")
    (root / "up").symlink_to("../../../../../../../../etc/name")
    (root / "away").symlink_to(tmp_path / "name")
    for path in ("/etc/name", "/up", "etc/../../etc/name"):
        with os.fdopen(open_in(str(root), path, os.O_RDONLY)) as file:
            assert file.read() == "inside"
    with pytest.raises(FileNotFoundError):
        open_in(str(root), "/away", os.O_RDONLY)
    descriptor = open_in(str(root), "/new", os.O_WRONLY | os.O_CREAT)
    os.close(descriptor)
    assert (root / "new").is_file()


def test_a_linked_clone_reads_through_what_its_template_has_written(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    disks.link(9000, 101)
    assert disks.lower(101) == []  # the template was never written to
    disks.make(9000)
    disks.link(9000, 101)
    disks.link(101, 102)
    assert disks.lower(102) == [disks.upper(9000)]
    disks.make(101)
    assert disks.lower(102) == [disks.upper(101), disks.upper(9000)]


def test_snapshots_are_copies_that_come_back(tmp_path: Path) -> None:
    async def story() -> None:
        disks = Disks(tmp_path)
        file = disks.make(101) / "file"
        file.write_text("one")
        await disks.snapshot(101, "clean")
        file.write_text("two")
        await disks.copy(101, 102, "clean")
        await disks.copy(101, 103, None)
        assert (disks.upper(102) / "file").read_text() == "one"
        assert (disks.upper(103) / "file").read_text() == "two"
        await disks.roll_back(101, "clean")
        assert file.read_text() == "one"
        await disks.drop(101, "clean")
        with pytest.raises(TaskError, match="has no disk"):
            await disks.roll_back(101, "clean")
        await disks.remove(101)
        assert not disks.home(101).exists()

    asyncio.run(story())


def test_controllers_of_version_1_are_found_among_mounts(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()
    mounts.write_text(
        f"cgroup {tmp_path}/cpu cgroup rw,cpu,cpuacct 0 0\n"
        f"cgroup {tmp_path}/memory cgroup rw,memory 0 0\n"
        f"cgroup2 {tmp_path}/unified cgroup2 rw 0 0\n"
    )
    limits = groups.Limits("practicum-x", str(mounts))
    limits.set(101, 2, 512)
    folder = tmp_path / "memory/practicum-x/101"
    assert (folder / "memory.limit_in_bytes").read_text() == str(512 << 20)
    assert (tmp_path / "cpu/practicum-x/101/cpu.cfs_quota_us").read_text() == "200000"
    assert sorted(limits.files(101))[1] == str(folder / "cgroup.procs")
    mounts.write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    assert groups.Limits("practicum-x", str(mounts)).files(101) == []


def test_the_end_of_a_process_that_is_no_child_is_seen() -> None:
    async def story() -> list[int]:
        seen: list[int] = []
        done = asyncio.Event()

        async def ended(vmid: int) -> None:
            seen.append(vmid)
            done.set()

        watch = Watch(ended)
        process = subprocess.Popen(["sleep", "600"])
        watch.follow(101, process.pid)
        process.kill()
        await asyncio.wait_for(done.wait(), 60)
        process.wait()
        watch.close()
        return seen

    assert asyncio.run(story()) == [101]


def test_a_lab_that_cannot_run_guests_says_why_and_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "unavailable", lambda _folder: "a reason")
    assert refusal(tmp_path, "lxc") == "a reason"


@pytest.mark.parametrize("first", ["waits", "tells"])
def test_users_and_keys_are_waited_for_asleep_whoever_comes_first(
    tmp_path: Path, first: str
) -> None:
    """The two scripts as they are in the layer, in a folder of their own."""
    layer.write(tmp_path)
    scripts = {
        name: (tmp_path / f"usr/local/sbin/cloud-init-{name}").read_text().replace("/run", "run")
        for name in ("stages", "users")
    }
    (tmp_path / "run").mkdir()
    # Of the stages what has to do with the pipe; cloud-init itself is the guests'.
    stages = scripts["stages"]
    stages = re.sub(r"(?m)^(from cloudinit.*|stage\(.*|ready\(\)|while (.*\n)    .*)$", "", stages)
    (tmp_path / "stages.py").write_text(stages)
    (tmp_path / "users.sh").write_text(scripts["users"])
    tell = [sys.executable, "stages.py"]
    os.mkfifo(tmp_path / "run/cloud-init-stages.pipe")
    if first == "tells":
        subprocess.run(tell, cwd=tmp_path, check=True)
    with subprocess.Popen(["sh", "users.sh"], cwd=tmp_path) as waits:
        if first == "waits":
            subprocess.run(tell, cwd=tmp_path, check=True)
        assert waits.wait(60) == 0
