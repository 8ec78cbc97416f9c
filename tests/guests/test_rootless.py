"""A normal user's lab: guests that really run without the machine's root, and leave nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engines.lxc.programs import start_of
from lab.rootless import reasons
from lab.rootless.keeper import Keeper
from tests.guests.ground import DEADLINE_S, SEED, TEMPLATE, Ground, traces
from tests.guests.user import User
from tests.image.conftest import cannot

HEAD, NODE, OTHER = ("pve1", 101), ("pve2", 102), ("pve1", 103)
VLANS = {101: 101, 102: 101, 103: 102}
# What `practicum disk` does, by a user.
READ = """
import sys
from pathlib import Path
from operate.disk.ways import LabWay
from operate.lab_process import LabStatus
lab = LabStatus(site="lab", state=Path(sys.argv[1]), pid=1, endpoint="")
done = LabWay(lab=lab, vmid=int(sys.argv[2])).work(sys.argv[3:], b"")
sys.stdout.buffer.write(done.out)
sys.stderr.write(done.errors)
"""


@pytest.fixture(scope="module")
def user(images: Path) -> Iterator[User]:
    user = User(images)
    try:
        yield user
    finally:
        user.close()


@pytest.fixture(scope="module")
def own(user: User, images: Path) -> Iterator[Ground]:
    """A user's lab with two clusters: 101 on pve1 with 102 on pve2, and 103 on pve1; the second has
    the first one's addresses."""
    if reason := user.lacking():
        cannot(reason)
    ground = Ground(user.folder, images, within=user.within)
    try:
        ground.template()
        for (host, vmid), address in ((HEAD, 1), (NODE, 2), (OTHER, 1)):
            path = f"nodes/pve1/qemu/{TEMPLATE}/clone"
            ground.task("POST", path, newid=vmid, name=f"c{vmid}", target=host)
            card = f"virtio=02:00:00:00:01:{vmid % 100:02x},bridge=vmbr1,tag={VLANS[vmid]}"
            ground.call(
                "PUT", f"nodes/{host}/qemu/{vmid}/config", net0=f"{card},firewall=1",
                ipconfig0=f"ip=10.0.0.{address}/24", ciuser="tutor", cipassword="not-a-secret",
            ).ok()  # fmt: skip
            ground.task("POST", f"nodes/{host}/qemu/{vmid}/status/start")
        for host, vmid in (HEAD, NODE, OTHER):
            ground.wait_for_agent(host, vmid)
            ground.wait_until(host, vmid, "test", "-e", "/var/lib/cloud/data/result.json")
        yield ground
    finally:
        ground.close()


def test_a_users_guest_boots_as_roots_does_and_its_programs_have_their_rights(own: Ground) -> None:
    result = json.loads(own.run(*HEAD, "cat", "/var/lib/cloud/data/result.json")[1])["v1"]
    assert result["errors"] == []
    assert own.run(*HEAD, "systemctl", "is-system-running", "--wait") == (0, "running\n")
    assert own.run(*HEAD, "hostname") == (0, "c101\n")
    own.wait_until(*HEAD, "runuser", "-u", "tutor", "--", "ping", "-c", "1", "-W", "2", "10.0.0.2")
    assert own.run(*HEAD, "runuser", "-u", "tutor", "--", "sudo", "-n", "id", "-u") == (0, "0\n")
    assert own.run(*HEAD, "stat", "-c", "%a %U:%G", "/usr/bin/sudo", "/etc/shadow")[1] == (
        "4755 root:root\n640 root:shadow\n"
    )
    script = "rm -r /etc/skel && mkdir /etc/skel && ls -A /etc/skel"  # one of the image's folders
    assert own.run(*HEAD, "sh", "-c", script) == (0, "")


def test_a_users_guests_run_as_the_user_and_not_as_the_machines_root(
    own: Ground, user: User
) -> None:
    lines = user.programs()
    assert sum("lxc monitor" in line for line in lines) == 3
    assert own.run(*HEAD, "mknod", "/srv/disk", "b", "1", "0")[0] != 0
    assert own.run(*HEAD, "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches")[0] != 0


def test_two_clusters_of_a_user_do_not_see_each_other(own: Ground) -> None:
    answer = own.run(*OTHER, "ping", "-c", "2", "-W", "1", "10.0.0.2")
    assert answer[0] == 1, answer
    assert "0 received" in answer[1]
    neighbours = own.run(*OTHER, "ip", "neigh", "show", "10.0.0.2")[1]
    assert "lladdr" not in neighbours
    assert own.run(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")[0] == 0


def test_a_user_reaches_ssh_of_a_guest_and_the_machine_has_no_way_there(
    own: Ground, user: User
) -> None:
    own.wait_until(*HEAD, "systemctl", "is-active", "ssh")
    words = [sys.executable, "-m", "lab", "connect", "--state", str(own.state), "101", "22"]
    with subprocess.Popen(
        [*user.within, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"SSH-2.0-OpenSSH")
        process.stdin.close()
    answer = user.lab("connect", "--state", str(own.state), "101", "9", check=False)
    assert answer.returncode == 1
    assert answer.stderr.strip() == "guest 101, port 9: Connection refused"
    assert traces(own.state)["namespaces"] == [], "below the machine's own /run"


def test_the_lab_of_a_user_says_how_many_guests_can_run(own: Ground) -> None:
    ready = own.ready
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    said = [line for line in ready["lacks"] if "max_user_instances" in line]
    assert bool(said) == (limit < 8192)
    assert all("type as root: sysctl" in line for line in said)


def test_guests_of_a_user_go_on_when_the_lab_is_killed_and_are_taken_over(own: Ground) -> None:
    own.run(*HEAD, "touch", "/run/before-the-kill")
    keeper = Keeper(own.state).pid
    own.kill()
    own.start()
    assert Keeper(own.state).pid == keeper
    assert own.status(*HEAD) == "running"
    assert own.run(*HEAD, "test", "-e", "/run/before-the-kill")[0] == 0
    own.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")
    own.task("POST", "nodes/pve1/qemu/103/status/stop")
    own.task("POST", "nodes/pve1/qemu/103/status/start")
    own.wait_for_agent(*OTHER)


def test_a_snapshot_of_a_users_guest_brings_its_files_back(own: Ground) -> None:
    own.run(*OTHER, "sh", "-c", "rm -r /etc/skel; mkdir /etc/skel; echo one > /etc/skel/file")
    own.task("POST", "nodes/pve1/qemu/103/snapshot", snapname="one")
    own.run(*OTHER, "sh", "-c", "rm -r /etc/skel")
    own.task("POST", "nodes/pve1/qemu/103/snapshot/one/rollback")
    own.task("POST", "nodes/pve1/qemu/103/status/start")
    own.wait_for_agent(*OTHER)
    assert own.run(*OTHER, "sh", "-c", "ls -A /etc/skel; cat /etc/skel/file") == (0, "file\none\n")


def test_a_user_reads_files_of_a_guest_that_is_off(own: Ground, user: User) -> None:
    own.task("POST", "nodes/pve1/qemu/103/status/stop")
    words = (sys.executable, "-c", READ, str(own.state), "103")
    assert user.run(*words, "get", "/etc/hostname").stdout == "c103\n"
    assert "\nroot:*:" in user.run(*words, "get", "/etc/shadow").stdout


def test_a_lab_that_a_user_forgets_leaves_nothing(own: Ground, user: User) -> None:
    keeper = Keeper(own.state).pid
    assert keeper is not None
    own.client.close()
    own.program.end(signal.SIGTERM)
    assert start_of(keeper) is not None, "guests go on"
    user.lab("forget", "--state", str(own.state))
    assert not own.state.exists()
    assert start_of(keeper) is None
    until = time.monotonic() + DEADLINE_S
    while living := [line for line in user.programs() if "defunct" not in line]:
        assert time.monotonic() < until, living
        time.sleep(0.1)
    assert [path for path in user.group.iterdir() if path.is_dir()] == []
    left = traces(own.state)
    assert not any(left[kind] for kind in ("mounts", "namespaces", "groups", "loops", "programs"))
    own.start()  # for the fixture, which switches it off


@pytest.fixture
def another(images: Path) -> Iterator[User]:
    user = User(images)
    try:
        if reason := user.lacking():
            cannot(reason)
        yield user
    finally:
        user.close()


def test_a_user_without_subordinate_ids_is_told_what_to_type(another: User) -> None:
    subprocess.run(["usermod", "--del-subuids", "0-4294967294", another.name], check=True)
    reason = str(another.lacking())
    assert f"{another.name} has no 65536 subordinate ids" in reason
    assert f"--add-subgids 100000-165535 {another.name}" in reason


def test_a_user_whose_group_cannot_be_divided_is_told_so_and_no_lab_starts(another: User) -> None:
    assert another.lacking(another.place) == reasons.NO_GROUP
    (another.folder / "seed.json").write_text(json.dumps(SEED))
    words = ("--seed", str(another.folder / "seed.json"), "--engine", "lxc")
    state = another.folder / "state"
    done = another.lab("serve", "--state", str(state), *words, check=False, group=another.place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"the lab's engine lxc cannot run here: {reasons.NO_GROUP}\n"
    assert not (state / "keeper.json").exists()
