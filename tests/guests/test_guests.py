"""Guests that really run: identity, network, agent, snapshots, moves, and a lab that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.engines.lxc.groups import Limits, processes
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.programs import children
from plan.contextualize.scene import SCRIPTS
from plan.documents import trunk_documents
from plan.records import ClusterNetwork
from tests.guests.ground import DEADLINE_S, Ground, traces

HEAD, NODE = ("pve1", 101), ("pve2", 102)
LATE_S = 2.0


def test_a_guest_becomes_what_its_configuration_says(ground: Ground) -> None:
    found = json.loads(ground.run(*HEAD, "cat", "/var/lib/cloud/data/result.json")[1])["v1"]
    assert found["errors"] == []
    assert "NoCloud" in found["datasource"]
    assert ground.run(*HEAD, "hostname") == (0, "c01\n")
    assert "sudo" in ground.run(*HEAD, "id", "-nG", "tutor")[1]
    assert "tutor:$5$" in ground.run(*HEAD, "grep", "^tutor:", "/etc/shadow")[1]
    assert (
        "not-a-secret" not in ground.run(*HEAD, "cat", "/var/lib/cloud/instance/user-data.txt")[1]
    )
    assert ground.run(*HEAD, "cat", "/etc/resolv.conf") == (0, "nameserver 198.51.100.2\n")
    assert ground.run(*HEAD, "systemctl", "is-active", "ssh") == (0, "active\n")


def test_guests_have_identities_of_their_own(ground: Ground) -> None:
    for path in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        ours, theirs = (ground.run(*guest, "cat", path)[1] for guest in (HEAD, NODE))
        assert ours != theirs


def test_a_head_reaches_its_node_on_another_host(ground: Ground) -> None:
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")


def test_one_card_of_the_instructors_reaches_many_networks_and_passes_nothing_on(
    ground: Ground,
) -> None:
    mac, vmid = "02:00:00:00:00:0a", 110
    networks = [
        ClusterNetwork(cluster="c01", bridge="vmbr1", vlan=101, subnet=IPv4Network("10.0.0.0/24")),
        ClusterNetwork(cluster="c02", bridge="vmbr1", vlan=102, subnet=IPv4Network("10.0.2.0/24")),
    ]
    ground.task("POST", "nodes/pve1/qemu/9000/clone", newid=vmid, name="instructor", target="pve2")
    card = f"virtio={mac},bridge=vmbr1,tag=100,trunks=101;102"
    ground.call("PUT", f"nodes/pve2/qemu/{vmid}/config", net0=card).ok()
    ground.task("POST", f"nodes/pve2/qemu/{vmid}/status/start")
    ground.wait_for_agent("pve2", vmid)
    for each in trunk_documents(mac, networks):
        ground.agent("POST", "pve2", vmid, "file-write", file=each.path, content=each.text).ok()
    script = f"VLANS='vlan101 vlan102'\n{(SCRIPTS / 'trunk.sh').read_text()}"
    assert ground.run("pve2", vmid, "sh", "-s", given=script) == (0, "")
    ground.wait_until("pve2", vmid, "ping", "-c", "1", "-W", "2", "10.0.0.1")
    shown = ground.run("pve2", vmid, "ip", "-4", "-br", "address")[1]
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("vlan")] == [
        "10.0.0.254/24",
        "10.0.2.254/24",
    ]
    assert ground.run("pve2", vmid, "cat", "/proc/sys/net/ipv4/ip_forward") == (0, "0\n")
    ground.call("PUT", f"nodes/pve2/qemu/{vmid}/config", net0=card.replace(";102", "")).ok()
    ground.wait_until("pve2", vmid, "sh", "-c", "! ip link show vlan102")
    ground.wait_until("pve2", vmid, "ping", "-c", "1", "-W", "2", "10.0.0.1")
    ground.task("POST", f"nodes/pve2/qemu/{vmid}/status/stop")


def test_a_guest_has_the_memory_and_cores_that_it_was_given(ground: Ground) -> None:
    limits = Limits(Holder(ground.state / "guests").name)
    if not limits.files(101):
        return  # controllers of version 2 alone: they have a test of their own
    for file in limits.files(101):
        group = Path(file).parent
        assert processes(group), "nothing of the guest is in its group"
        for name, value in (("memory.limit_in_bytes", 512 << 20), ("cpu.cfs_quota_us", 100_000)):
            assert not (group / name).exists() or int((group / name).read_text()) == value


def test_a_guest_cannot_change_the_machines_settings(ground: Ground) -> None:
    assert ground.run(*HEAD, "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches")[0] != 0
    assert ground.run(*HEAD, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")[0] == 0


def test_a_program_gets_input_and_its_exit_code_is_told(ground: Ground) -> None:
    code, text = ground.run(*HEAD, "sh", "-c", "tr a-z A-Z; exit 7", given="hello")
    assert (code, text) == (7, "HELLO")
    assert ground.run(*HEAD, "no-such-program")[0] == 127
    words = ground.run(*HEAD, "printf", "%s|", "two words", "$HOME", "'")
    assert words == (0, "two words|$HOME|'|")


def test_output_beyond_the_agents_limit_is_cut_and_said_so(ground: Ground) -> None:
    command = ["sh", "-c", "head -c 17000000 /dev/zero | tr '\\0' x"]
    pid = ground.agent("POST", *HEAD, "exec", command=command).ok()["pid"]
    while not (found := ground.agent("GET", *HEAD, "exec-status", pid=pid).ok())["exited"]:
        pass
    assert len(found["out-data"]) == 16 * 1024 * 1024
    assert found["out-truncated"] == 1


def test_files_are_written_and_read(ground: Ground) -> None:
    text = "first line\nsecond line\n"
    ground.agent("POST", *HEAD, "file-write", file="/srv/note", content=text).ok()
    assert ground.run(*HEAD, "cat", "/srv/note") == (0, text)
    read = ground.agent("GET", *HEAD, "file-read", file="/srv/note").ok()
    assert read["content"] == text
    answer = ground.agent("GET", *HEAD, "file-read", file="/srv/absent")
    assert (answer.status, "No such file" in answer.reason) == (500, True)


def test_a_link_of_a_participant_leads_nowhere_outside(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the machine")
    ground.run(*HEAD, "ln", "-sfn", str(tmp_path / "secret"), "/srv/out")
    assert ground.agent("GET", *HEAD, "file-read", file="/srv/out").status == 500
    answer = ground.agent("POST", *HEAD, "file-write", file="/srv/out", content="x")
    assert answer.status == 500
    assert (tmp_path / "secret").read_text() == "of the machine"


def test_a_device_of_a_participant_is_not_opened(ground: Ground) -> None:
    ground.run(*HEAD, "sh", "-c", "mknod /srv/zero c 1 5; mkfifo /srv/pipe")
    assert ground.agent("GET", *HEAD, "file-read", file="/srv/zero").status == 500
    assert ground.agent("GET", *HEAD, "file-read", file="/srv/pipe").ok()["bytes-read"] == 0


def test_a_password_is_set_without_asking_the_guests_login(ground: Ground) -> None:
    before = ground.run(*HEAD, "grep", "^tutor:", "/etc/shadow")[1]
    ground.agent("POST", *HEAD, "set-user-password", username="tutor", password="another").ok()
    after = ground.run(*HEAD, "grep", "^tutor:", "/etc/shadow")[1]
    assert after != before
    assert "another" not in after
    answer = ground.agent("POST", *HEAD, "set-user-password", username="nobody1", password="12345")
    assert answer.status == 500


def test_the_agent_tells_addresses_and_system(ground: Ground) -> None:
    cards = ground.agent("GET", *NODE, "network-get-interfaces").ok()["result"]
    card = next(card for card in cards if card["name"] == "eth0")
    assert card["hardware-address"] == "02:00:00:00:00:02"
    assert {"ip-address": "10.0.0.2", "ip-address-type": "ipv4", "prefix": 24} in card[
        "ip-addresses"
    ]
    assert ground.agent("GET", *NODE, "get-osinfo").ok()["result"]["version-id"] == "12"
    assert ground.agent("GET", *NODE, "get-host-name").ok()["result"] == {"host-name": "c01-n1"}
    figures = ground.call("GET", "nodes/pve2/qemu/102/status/current").ok()
    assert figures["nics"]["tap102i0"]["netin"] > 0


def test_a_snapshot_brings_back_what_was_deleted_and_forgets_what_was_added(
    ground: Ground,
) -> None:
    ground.run(*NODE, "sh", "-c", "echo before > /srv/state; echo here > /srv/kept")
    ground.task("POST", "nodes/pve2/qemu/102/snapshot", snapname="clean")
    ground.run(*NODE, "sh", "-c", "echo after > /srv/state; rm /srv/kept; touch /srv/added")
    ground.task("POST", "nodes/pve2/qemu/102/snapshot/clean/rollback", start=1)
    ground.wait_for_agent(*NODE)
    assert ground.wait_until(*NODE, "cat", "/srv/state", "/srv/kept") == "before\nhere\n"
    assert ground.run(*NODE, "test", "-e", "/srv/added")[0] == 1
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")
    ground.task("DELETE", "nodes/pve2/qemu/102/snapshot/clean")


def test_a_guest_goes_on_while_it_moves_to_another_host(ground: Ground) -> None:
    ground.run(*HEAD, "sh", "-c", "sleep 987654 > /dev/null 2>&1 < /dev/null &")
    before = ground.run(*HEAD, "pidof", "sleep")[1]
    ground.task("POST", "nodes/pve1/qemu/101/migrate", target="pve2", online=1)
    there = ("pve2", 101)
    assert ground.run(*there, "pidof", "sleep")[1] == before
    ground.wait_until(*there, "ping", "-c", "1", "-W", "2", "10.0.0.2")
    ground.task("POST", "nodes/pve2/qemu/101/migrate", target="pve1", online=1)
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")


def test_guests_go_on_when_the_lab_is_killed_and_the_next_one_takes_them_over(
    ground: Ground,
) -> None:
    ground.run(*HEAD, "touch", "/run/before-the-kill")  # lost with a restart of the guest
    ground.kill()
    ground.start()
    assert ground.status(*HEAD) == ground.status(*NODE) == "running"
    assert ground.run(*HEAD, "test", "-e", "/run/before-the-kill")[0] == 0
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")


def test_a_guest_that_is_switched_off_from_within_is_off(ground: Ground) -> None:
    ground.run(*NODE, "systemctl", "poweroff", "--no-block")
    until = time.monotonic() + DEADLINE_S
    while ground.status(*NODE) != "stopped":
        assert time.monotonic() < until, "the guest does not end"
        time.sleep(0.1)
    ground.task("POST", "nodes/pve2/qemu/102/status/start")
    ground.wait_for_agent(*NODE)
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")


def test_a_card_is_plugged_into_another_network_while_the_guest_runs(ground: Ground) -> None:
    card = "virtio=02:00:00:00:00:02,bridge=vmbr1,tag="
    ground.call("PUT", "nodes/pve2/qemu/102/config", net0=f"{card}102").ok()
    assert ground.run(*HEAD, "ping", "-c", "1", "-W", "1", "10.0.0.2")[0] == 1
    ground.call("PUT", "nodes/pve2/qemu/102/config", net0=f"{card}101").ok()
    ground.wait_until(*HEAD, "ping", "-c", "1", "-W", "2", "10.0.0.2")


def test_a_guest_and_then_a_lab_leave_the_machine_as_it_was(images: Path, tmp_path: Path) -> None:
    before = traces(tmp_path / "state")
    ground = Ground(tmp_path, images)
    try:
        ground.template()
        ground.guest(201, "alone", "pve2", "10.0.0.1")
        ground.wait_for_agent("pve2", 201)
        during = traces(tmp_path / "state")
        assert during["namespaces"]
        assert during["programs"]
        ground.task("POST", "nodes/pve2/qemu/201/status/shutdown", timeout=120)
        ground.task("POST", "nodes/pve2/qemu/201/status/start")
        ground.task("POST", "nodes/pve2/qemu/201/status/stop")
        ground.task("DELETE", "nodes/pve2/qemu/201")
        assert not (tmp_path / "state/guests/201").exists()
        assert not [name for name in traces(tmp_path / "state")["namespaces"] if "201" in name[-3:]]
    finally:
        ground.close()
    assert traces(tmp_path / "state") == before


def test_guests_end_with_their_holder_and_are_started_anew(images: Path, tmp_path: Path) -> None:
    ground = Ground(tmp_path, images)
    try:
        ground.template()
        ground.guest(201, "alone", "pve2", "10.0.0.1")
        record = json.loads((tmp_path / "state/guests/holder.json").read_text())
        with late_end(record["inner"]):
            os.kill(record["inner"], signal.SIGKILL)
            until = time.monotonic() + DEADLINE_S
            while ground.status("pve2", 201) != "stopped":
                assert time.monotonic() < until, "the guest's end is not seen"
                time.sleep(0.1)
            ground.task("POST", "nodes/pve2/qemu/201/status/start")
        ground.wait_for_agent("pve2", 201)
    finally:
        ground.close()


@contextmanager
def late_end(inner: int) -> Iterator[None]:
    """Let a killed holder end a while later: somebody has to wait for a process in there first."""
    command = ["nsenter", "-t", str(inner), "--pid", "--", "sleep", "600"]
    waiting = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while not children(waiting.pid):
        time.sleep(0.01)
    waiting.send_signal(signal.SIGSTOP)
    timer = threading.Timer(LATE_S, waiting.send_signal, (signal.SIGCONT,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        waiting.send_signal(signal.SIGCONT)
        waiting.wait()


def test_a_guest_whose_image_is_not_there_is_told_how_to_build_it(
    images: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    ground = Ground(tmp_path, tmp_path / "empty")
    try:
        ground.template()
        with pytest.raises(AssertionError, match=r"type: \./practicum image build debian-12"):
            ground.guest(201, "alone", "pve2", "10.0.0.1")
        assert ground.status("pve2", 201) == "stopped"
    finally:
        ground.close()
