"""A lab whose guests really run, as a process of its own, and what the machine has beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.engines.lxc.holder import Holder
from lab.network.names import Namespaces
from lab.serve import Options, ServeError, Server
from tests.lab.program import Program
from tests.lab.served import Answer, Client

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 240  # of a loaded machine; what is waited for takes seconds
VOLUME = "pool:import/debian-12.qcow2"
TEMPLATE = 9000
SEED: dict[str, Any] = {
    "cluster": "lab",
    "nodes": [
        {"name": name, "cores": 8, "memoryMib": 16384, "address": "127.0.0.1"}
        for name in ("pve1", "pve2")
    ],
    "bridges": ["vmbr0", "vmbr1"],
    "storages": [
        {
            "id": "pool",
            "type": "nfs",
            "server": "127.0.0.9",
            "export": "/pool",
            "content": ["images", "import"],
            "shared": True,
            "sizeGib": 4000,
        }
    ],
    "volumes": [{"volid": VOLUME, "sizeMib": 4096}],
}


class Ground:
    """One state folder and the lab that runs on it; `close` leaves nothing.

    `within` is a command that runs the lab's program elsewhere, such as in other namespaces.
    """

    def __init__(
        self, folder: Path, images: Path, engine: str = "lxc", deadline_s: float = DEADLINE_S,
        within: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._folder, self._images, self.engine = folder, images, engine
        self._within = within
        self._deadline_s = deadline_s
        self.state = folder / "state"
        self.program: Program
        self.ready: dict[str, Any]
        self.client: Client
        self.start()

    def start(self) -> None:
        options = ("--engine", self.engine, "--images", str(self._images))
        self.program = Program(self._folder, *options, seed=SEED, within=self._within)
        try:
            self.ready = self.program.ready()
        except ValueError as error:
            raise AssertionError(self.program.refusal()) from error
        self.endpoint = str(self.ready["endpoint"])
        self.client = self.program.client(self.endpoint)

    def kill(self) -> None:
        """End the lab's server without a word."""
        self.client.close()
        self.program.end(signal.SIGKILL)

    def close(self) -> None:
        if self.program.process.poll() is None:
            self.client.close()
            self.program.end(signal.SIGTERM)
        lab = [sys.executable, "-m", "lab", "power-off", "--state", str(self.state)]
        command = [*self._within, *lab]
        subprocess.run(command, cwd=ROOT, check=True)

    def call(self, method: str, path: str, /, **params: Any) -> Answer:
        return self.client.call(method, path, **params)

    def task(self, method: str, path: str, /, **params: Any) -> None:
        """A call whose task has to end well."""
        self.finish(self.call(method, path, **params).ok())

    def finish(self, upid: str) -> None:
        """Wait for a task, which has to end well."""
        _, node, *_, kind, about, _, _ = upid.split(":")
        until = time.monotonic() + self._deadline_s
        while True:
            row = self.call("GET", f"nodes/{node}/tasks/{upid}/status").ok()
            if row["status"] == "stopped":
                log = self.call("GET", f"nodes/{node}/tasks/{upid}/log").ok()
                text = "\n".join(str(line["t"]) for line in log)
                assert row["exitstatus"] == "OK", f"{kind} {about}: {row['exitstatus']}\n{text}"
                return
            assert time.monotonic() < until, f"{kind} {about} does not end"
            time.sleep(0.1)

    def template(self, volume: str = VOLUME, /, **options: Any) -> None:
        disk = f"pool:0,import-from={volume}"
        self.task(
            "POST", "nodes/pve1/qemu", vmid=TEMPLATE, name="debian-12", memory=512, scsi0=disk,
            agent="enabled=1", boot="order=scsi0", ide2="pool:cloudinit", **options,
        )  # fmt: skip
        self.task("POST", f"nodes/pve1/qemu/{TEMPLATE}/template")

    def guest(self, vmid: int, name: str, host: str, address: str, **options: Any) -> None:
        """A guest of the template on a host, with one card in VLAN 101, started."""
        self.task("POST", f"nodes/pve1/qemu/{TEMPLATE}/clone", newid=vmid, name=name, target=host)
        mac = f"02:00:00:00:00:{vmid % 100:02x}"
        self.call(
            "PUT", f"nodes/{host}/qemu/{vmid}/config", net0=f"virtio={mac},bridge=vmbr1,tag=101",
            ipconfig0=f"ip={address}/24", ciuser="tutor", cipassword="not-a-secret", **options,
        ).ok()  # fmt: skip
        self.task("POST", f"nodes/{host}/qemu/{vmid}/status/start")

    def agent(self, method: str, host: str, vmid: int, command: str, /, **params: Any) -> Answer:
        return self.call(method, f"nodes/{host}/qemu/{vmid}/agent/{command}", **params)

    def wait_for_agent(self, host: str, vmid: int) -> None:
        until = time.monotonic() + self._deadline_s
        while (answer := self.agent("POST", host, vmid, "ping")).status != 200:
            assert time.monotonic() < until, answer.reason
            time.sleep(0.2)

    def run(self, host: str, vmid: int, *command: str, given: str = "") -> tuple[int, str]:
        """Exit code and output of a program in a guest."""
        more = {"input__data": given} if given else {}
        pid = self.agent("POST", host, vmid, "exec", command=list(command), **more).ok()["pid"]
        until = time.monotonic() + self._deadline_s
        while True:
            found = self.agent("GET", host, vmid, "exec-status", pid=pid).ok()
            if found["exited"]:
                return found.get("exitcode", -1), found.get("out-data", "") + found.get(
                    "err-data", ""
                )
            assert time.monotonic() < until, f"{command} does not end"
            time.sleep(0.1)

    def wait_until(self, host: str, vmid: int, *command: str) -> str:
        """Output of a program in a guest once it ends well."""
        until = time.monotonic() + self._deadline_s
        while True:
            code, text = self.run(host, vmid, *command)
            if code == 0:
                return text
            assert time.monotonic() < until, f"{command}: {text}"
            time.sleep(0.3)

    def status(self, host: str, vmid: int) -> str:
        found = self.call("GET", f"nodes/{host}/qemu/{vmid}/status/current").ok()
        return str(found["status"])


def traces(state: Path) -> dict[str, list[str]]:
    """What the machine has of a lab: mounts, namespaces, links, groups, loops, programs; and the
    machine's own links and packet rules."""
    owners = (Holder(state / "guests").name.rpartition("-")[2], Namespaces(state).prefix)
    command = ["ip", "-j", "link"]
    links = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        "mounts": [line.split()[1] for line in _lines("/proc/mounts") if str(state) in line],
        "namespaces": [
            path.name
            for path in Path("/run/netns").glob("*")
            if any(o in path.name for o in owners)
        ],
        "rules": subprocess.run(
            ["nft", "list", "ruleset"], capture_output=True, text=True, check=True
        ).stdout.splitlines(),
        "links": sorted(link["ifname"] for link in links),
        "groups": [str(path) for path in Path("/sys/fs/cgroup").rglob(f"*{owners[0]}*")],
        "loops": [
            str(path)
            for path in Path("/sys/block").glob("loop*/loop/backing_file")
            if str(state) in "".join(_lines(str(path)))
        ],
        "programs": [
            text
            for pid in os.listdir("/proc")
            if pid.isdigit() and str(state) in (text := _line(pid))
        ],
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def refusal(folder: Path, engine: str) -> str:
    """Why a lab with that engine does not start here; its state is below the folder."""
    seed = folder / "seed.json"
    seed.write_text(json.dumps(SEED))

    async def story() -> None:
        server = Server(Options(state=folder / "state", seed=seed, engine=engine))
        try:
            await server.start()
        finally:
            await server.stop()

    with pytest.raises(ServeError) as refused:
        asyncio.run(story())
    words = f"the lab's engine {engine} cannot run here: "
    assert str(refused.value).startswith(words)
    return str(refused.value).removeprefix(words)
