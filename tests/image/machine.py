"""A virtual machine in QEMU's software emulation, with the drives that Proxmox VE would give it,
and a client of its guest agent that shares no code with the lab's."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import subprocess
import time
from pathlib import Path
from typing import IO, Any

OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
DEADLINE_S = 900  # a loaded machine emulates slowly
STEP_S = 20

USER_DATA = """\
#cloud-config
hostname: c07-head
manage_etc_hosts: true
fqdn: c07-head
user: tutor
password: $5$rounds=1000$saltsalt$0Gc3cBaPJGqNZbbIxSXbRaR3gRbxTLRZcE1qeTCo8y9
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJt0nobodysKeyOnlyForThisTest0000000000000 tutor
chpasswd:
  expire: False
users:
  - default
package_upgrade: true
"""
NETWORK = """\
version: 1
config:
    - type: physical
      name: eth0
      mac_address: '02:00:01:89:67:00'
      subnets:
      - type: static
        address: '10.0.7.1'
        netmask: '255.255.255.0'
    - type: nameserver
      address:
      - '198.51.100.2'
"""


class Machine:
    """One boot of an image, `firmware` being `bios` or `uefi`."""

    def __init__(self, folder: Path, image: Path, firmware: str) -> None:
        disk, seed = folder / "disk.qcow2", folder / "seed.iso"
        self._agent = folder / "agent"
        self._serial = folder / "serial.log"
        run = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image)]
        subprocess.run([*run, str(disk), "8G"], check=True)
        _write_seed(folder / "seed", seed)
        command = [
            "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", "2", "-m", "768", "-nodefaults", "-nographic", "-monitor", "none",
            "-serial", f"file:{self._serial}",
            "-device", "virtio-scsi-pci,id=scsi0",
            "-drive", f"file={disk},if=none,id=disk,cache=unsafe,format=qcow2",
            "-device", "scsi-hd,bus=scsi0.0,drive=disk",
            "-drive", f"file={seed},if=none,id=seed,media=cdrom,format=raw,readonly=on",
            "-device", "ide-cd,drive=seed",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,path={self._agent},server=on,wait=off,id=agent",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-netdev", "user,id=net,restrict=on",
            "-device", "virtio-net-pci,netdev=net,mac=02:00:01:89:67:00",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        if firmware == "uefi":
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._end = time.monotonic() + DEADLINE_S

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait_for_agent(self) -> None:
        while True:
            try:
                self.ask("guest-ping")
                return
            except OSError as error:
                failed = str(error)
            assert self.process.poll() is None, "the virtual machine has ended"
            if time.monotonic() > self._end:
                raise AssertionError(f"no agent ({failed}): {self.serial()[-2000:]}")
            time.sleep(1)

    def serial(self) -> str:
        there = self._serial.exists()
        return self._serial.read_text(errors="replace") if there else ""

    def wait_for_serial(self, text: str) -> None:
        """Cloud-init's end, which an agent can wait for, may come before the console's prompt."""
        while text not in self.serial():
            assert time.monotonic() < self._end, f"no {text!r}: {self.serial()[-2000:]}"
            time.sleep(1)

    def ask(self, command: str, **arguments: Any) -> Any:
        """One command on a connection of its own; the agent serves one at a time."""
        with socket.socket(socket.AF_UNIX) as agent, agent.makefile("rb") as lines:
            agent.settimeout(STEP_S)
            agent.connect(str(self._agent))
            # What was asked before, and given up, may be answered first: it is read away.
            number = secrets.randbits(31)
            agent.sendall(_line("guest-sync", id=number))
            while _answer(lines) != number:
                pass
            agent.sendall(_line(command, **arguments))
            return _answer(lines)

    def run(self, *command: str) -> tuple[int, str]:
        """Exit code and output of a program in the machine."""
        pid = self.ask("guest-exec", path=command[0], arg=command[1:], **{"capture-output": True})[
            "pid"
        ]
        while not (status := self.ask("guest-exec-status", pid=pid))["exited"]:
            assert time.monotonic() < self._end, f"{command} does not end"
            time.sleep(0.3)
        return status["exitcode"], base64.b64decode(status.get("out-data", "")).decode()


def _line(command: str, **arguments: Any) -> bytes:
    return json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"


def _answer(lines: IO[bytes]) -> Any:
    text = lines.readline()
    if not text.endswith(b"\n"):
        raise ConnectionResetError("the agent's port was closed")
    found = json.loads(text)
    assert "return" in found, found
    return found["return"]


def _write_seed(folder: Path, target: Path) -> None:
    """The drive as Proxmox VE makes it: label cidata, three files."""
    folder.mkdir()
    (folder / "user-data").write_text(USER_DATA)
    (folder / "network-config").write_text(NETWORK)
    (folder / "meta-data").write_text("instance-id: 5f3a\n")
    files = [str(path) for path in sorted(folder.iterdir())]
    command = ["genisoimage", "-quiet", "-rational-rock", "-joliet", "-volid", "cidata"]
    subprocess.run([*command, "-output", str(target), *files], check=True)
