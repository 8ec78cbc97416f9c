"""Guests from below their operating system: the console when all else is broken, and the disk of a
guest that does not boot."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from event.problems import RunError
from operate.disk.verb import Work
from operate.disk.ways import LabWay
from operate.lab_process import LabStatus
from tests.guests.ground import DEADLINE_S, ROOT, Ground, traces

GUEST = ("pve1", 101)


@pytest.fixture(scope="module")
def alone(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One guest with a serial port."""
    ground = Ground(tmp_path_factory.mktemp("below"), images)
    try:
        ground.template()
        ground.guest(101, "c01", "pve1", "10.0.0.1", serial0="socket", vga="serial0")
        ground.wait_for_agent(*GUEST)
        ground.wait_until(*GUEST, "test", "-e", "/var/lib/cloud/data/result.json")
        yield ground
    finally:
        ground.close()
        left = traces(ground.state)
        assert left["mounts"] == left["loops"] == left["programs"] == []


class Console:
    """A client of a guest's terminal, and all that it has seen."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.seen = ""

    async def types(self, text: str) -> None:
        await self._socket.send_str(f"0:{len(text.encode())}:{text}")

    async def sees(self, wanted: str, key: str = "") -> None:
        """Wait for a text after what was asked for before; a key may be pressed meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        while wanted not in self.seen:
            assert loop.time() < until, (wanted, self.seen)
            if key:
                await self.types(key)
            try:
                message = await self._socket.receive(5)
            except TimeoutError:
                continue
            assert message.type is aiohttp.WSMsgType.BINARY, (message, self.seen)
            self.seen += message.data.decode(errors="replace")
        self.seen = self.seen.partition(wanted)[2]


def joined(ground: Ground, session: aiohttp.ClientSession) -> tuple[object, str]:
    shown = ground.call("POST", "nodes/pve1/qemu/101/termproxy").ok()
    query = urllib.parse.urlencode({"port": shown["port"], "vncticket": shown["ticket"]})
    trust = ssl.create_default_context(cafile=str(ground.state / "ca.pem"))
    url = f"{ground.endpoint}/api2/json/nodes/pve1/qemu/101/vncwebsocket?{query}"
    socket = session.ws_connect(url, protocols=("binary",), ssl=trust)
    return socket, f"{shown['user']}:{shown['ticket']}\n"


async def looked(ground: Ground) -> None:
    """Log in, and see that a second one who looks sees the same."""
    async with aiohttp.ClientSession(headers=ground.client.headers) as session:
        first, line = joined(ground, session)
        async with first as socket:  # type: ignore[attr-defined]
            await socket.send_str(line)
            one = Console(socket)
            await one.sees("OK")
            await one.sees("c01 login: ", key="\r")
            second, line = joined(ground, session)
            async with second as beside:  # type: ignore[attr-defined]
                await beside.send_str(line)
                two = Console(beside)
                await two.sees("OK")
                await one.types("tutor\r")
                await one.sees("Password: ")
                await one.types("not-a-secret\r")
                await one.sees("tutor@c01:~$ ")
                await two.sees("tutor@c01:~$ ")
                await socket.send_str("1:111:33:")
                await one.types("stty size; ip link show eth0 | grep -o 'state [A-Z]*'\r")
                await one.sees("33 111")
                await one.sees("state DOWN")
                await one.types("exit\r")
                await two.sees("c01 login: ")


def test_the_console_lets_in_when_sshd_pam_and_network_are_broken(alone: Ground) -> None:
    script = "systemctl stop ssh; echo nonsense > /etc/pam.d/sshd; ip link set eth0 down"
    assert alone.run(*GUEST, "sh", "-c", script)[0] == 0
    asyncio.run(looked(alone))
    asyncio.run(looked(alone))  # who leaves it leaves it to others


def test_a_guest_that_boots_no_more_is_repaired_and_boots(alone: Ground, tmp_path: Path) -> None:
    status = LabStatus(site="lab", state=alone.state, pid=alone.program.process.pid, endpoint="")
    work = Work(LabWay(lab=status, vmid=101), "c01")
    with pytest.raises(RunError, match="VM 101 is running: switch it off first"):
        work.do("ls", [])
    owner = alone.run(*GUEST, "stat", "-c", "%u %g %a", "/etc/shadow")[1]
    broken = "mv /etc/passwd /etc/passwd.kept; echo tutor > /etc/shadow; rm /sbin/init"
    assert alone.run(*GUEST, "sh", "-c", broken)[0] == 0
    alone.task("POST", "nodes/pve1/qemu/101/status/stop")
    _does_not_boot(alone)
    passwd = tmp_path / "passwd"
    assert work.do("get", ["/etc/passwd.kept", str(passwd)]) == 0
    assert work.do("put", [str(passwd), "/etc/passwd"]) == 0
    assert (
        work.do("shell", ["cp -p etc/shadow- etc/shadow; ln -s /lib/systemd/systemd sbin/init"])
        == 0
    )
    _killed_in_the_middle(alone, by_lab=False)
    _killed_in_the_middle(alone, by_lab=True)
    alone.task("POST", "nodes/pve1/qemu/101/status/start")
    alone.wait_for_agent(*GUEST)
    assert alone.wait_until(*GUEST, "id", "-u", "tutor") == "1000\n"
    assert alone.run(*GUEST, "stat", "-c", "%u %g %a", "/etc/shadow")[1] == owner


def _does_not_boot(ground: Ground) -> None:
    """Try to start it: it is off again, whether its start fails or it ends at once."""
    upid = ground.call("POST", "nodes/pve1/qemu/101/status/start").ok()
    until = time.monotonic() + DEADLINE_S
    while (
        ground.call("GET", f"nodes/pve1/tasks/{upid}/status").ok()["status"] != "stopped"
        or ground.status(*GUEST) != "stopped"
    ):
        assert time.monotonic() < until, "it boots all the same"
        time.sleep(0.1)


def _killed_in_the_middle(ground: Ground, *, by_lab: bool) -> None:
    """Somebody who works on the files is killed, or the lab is: what they ran ends, and with it
    the namespaces in which alone anything was mounted."""
    ready = ground.state / f"ready-{by_lab}"
    script = (
        "from pathlib import Path; from operate.disk.ways import LabWay; "
        "from operate.lab_process import LabStatus; "
        f"status = LabStatus(site='lab', state=Path({str(ground.state)!r}), pid=1, endpoint=''); "
        f"LabWay(lab=status, vmid=101).shell(['touch {ready}; sleep 1234567'])"
    )
    program = [sys.executable, "-c", script]
    process = subprocess.Popen(program, cwd=ROOT, stdin=subprocess.DEVNULL)
    until = time.monotonic() + DEADLINE_S
    try:
        while not ready.exists():
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        if by_lab:
            ground.kill()
            process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
    while _works_on():
        assert time.monotonic() < until, "what was run goes on"
        time.sleep(0.05)
    if by_lab:
        ground.start()


def _works_on() -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"sleep\0001234567\0" in path.read_bytes() and path.parent.name != str(os.getpid()):
                return True
        except OSError:
            continue
    return False
