"""Guests where the machine has control groups of version 2 alone, as under systemd today."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.engines.lxc import groups
from lab.engines.lxc.holder import Holder
from tests.guests.ground import ROOT, Ground, traces

GUEST = ("pve1", 201)
# The groups of version 2, which a machine may have beside those of version 1, take the place of all
# others: in a mount namespace that ends with this program. A bind mount changes no options.
ALONE = """
mount --make-rprivate /
mkdir "$2"
if [ -n "$1" ]; then mount --bind "$1" "$2"; else mount -t cgroup2 none "$2"; fi
umount -l -R /sys/fs/cgroup 2> /dev/null || :
mount --bind "$2" /sys/fs/cgroup
umount "$2"
grep ' cgroup2\\? ' /proc/mounts
echo .
exec cat
"""


class Machine(NamedTuple):
    """How a program runs where only version 2 is seen, and the line of its mount there."""

    within: list[str]
    mount: str


@pytest.fixture
def machine(images: Path, tmp_path: Path) -> Iterator[Machine]:
    """This machine with groups of version 2 alone."""
    command = ["unshare", "--mount", "sh", "-ec", ALONE, "sh", str(groups.place() or "")]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*command, str(tmp_path / "groups")], stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        lines = list(iter(process.stdout.readline, ".\n"))
        assert len(lines) == 1, lines
        assert lines[0].split()[1:3] == ["/sys/fs/cgroup", "cgroup2"]
        enter = ["nsenter", "-t", str(process.pid), "--mount", f"--wd={ROOT}", "--"]
        yield Machine(enter, lines[0])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_guests_live_in_groups_of_version_2_alone_and_leave_none(
    machine: Machine, images: Path, tmp_path: Path
) -> None:
    before = traces(tmp_path / "state")
    ground = Ground(tmp_path, images, within=machine.within)
    try:
        ground.template()
        ground.guest(201, "alone", "pve1", "10.0.0.1", hotplug="network,disk,memory")
        ground.wait_for_agent(*GUEST)
        holder = Holder(tmp_path / "state/guests")
        assert holder.adopt()
        assert groups.processes(holder.groups) == [], "the kernel shares no controllers out below"
        _limited(ground, holder)
        mounts = [*machine.within, "grep", "cgroup", "/proc/mounts"]
        found = subprocess.run(mounts, capture_output=True, text=True, check=True).stdout
        assert found == machine.mount
        ground.run(*GUEST, "touch", "/run/before-the-kill")
        ground.kill()
        ground.start()
        assert ground.status(*GUEST) == "running"
        assert ground.run(*GUEST, "test", "-e", "/run/before-the-kill")[0] == 0
        ground.task("POST", "nodes/pve1/qemu/201/status/stop")
        assert not list(holder.groups.glob("lxc.*"))
    finally:
        ground.close()
    assert traces(tmp_path / "state") == before


def _limited(ground: Ground, holder: Holder) -> None:
    """Each limit that the machine can set is in force, and can be changed; for each other one the
    log of the start has a sentence."""
    limits = {"cpu.max": "100000 100000", "memory.max": str(512 << 20), "memory.swap.max": "0"}
    guest = holder.groups / "lxc.payload.201"
    offered = (groups.place() or Path()) / "cgroup.controllers"
    controllers = {"cpu", "memory"} & set(offered.read_text().split())
    for name, value in limits.items():
        if name.partition(".")[0] in controllers and name != "memory.swap.max":
            assert (guest / name).exists(), name
        if (guest / name).exists():
            assert (guest / name).read_text() == f"{value}\n"
    started = next(
        row for row in ground.call("GET", "nodes/pve1/tasks").ok() if row["type"] == "qmstart"
    )
    log = ground.call("GET", f"nodes/pve1/tasks/{started['upid']}/log").ok()
    said = {line["t"].split()[-1] for line in log if line["t"].startswith("no limit of ")}
    assert said == {"cpu", "memory"} - controllers
    ground.call("PUT", "nodes/pve1/qemu/201/config", memory=1024).ok()
    if "memory" in controllers:
        assert (guest / "memory.max").read_text() == f"{1024 << 20}\n"
