"""A person at a terminal, joined with a guest's console; whatever ends it, the terminal is as it
was."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from event.problems import RunError
from lab.terminals import Terminal
from operate.api import Api
from operate.console import place_of
from tests.lab.lxc.conftest import seed
from tests.lab.served import ServedLab
from tests.lab.test_terminals import Talking

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class Person:
    """A pseudo-terminal of 80 columns and 24 rows with the program on it."""

    def __init__(self, lab: ServedLab) -> None:
        self.master, self._slave = os.openpty()
        self.size(80, 24)
        self.before = termios.tcgetattr(self._slave)
        self.seen = b""
        self._errors = lab.state.parent / "errors"
        program = [sys.executable, "-m", "tests.operate.console_program"]
        endpoint = f"https://127.0.0.1:{lab.server.port}"
        files = (str(lab.state / "token"), str(lab.state / "ca.pem"))
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*program, endpoint, *files, "pve1", "100"], cwd=ROOT, stdin=self._slave,
                stdout=self._slave, stderr=errors, start_new_session=True,
            )  # fmt: skip

    def size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def types(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def sees(self, wanted: bytes) -> None:
        until = time.monotonic() + PATIENCE_S
        while wanted not in self.seen:
            assert time.monotonic() < until, (wanted, self.seen, self.errors())
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 1 << 16)

    def errors(self) -> str:
        return self._errors.read_text()

    def ends(self) -> int:
        """The exit code; its terminal is as it was before."""
        code = self.process.wait(PATIENCE_S)
        assert termios.tcgetattr(self._slave) == self.before
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    lab = ServedLab(tmp_path, seed())
    try:
        made = lab.call("POST", "nodes/pve1/qemu", vmid=100, name="g", serial0="socket")
        lab.finish(made.ok())
        lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
        lab.lab.engine = Talking()
        yield lab
    finally:
        lab.close()


@pytest.fixture
def person(lab: ServedLab) -> Iterator[Person]:
    person = Person(lab)
    try:
        yield person
    finally:
        person.close()


def test_keys_and_sizes_go_there_and_the_key_to_leave_does_not(
    lab: ServedLab, person: Person
) -> None:
    person.sees(b"80 x 24")
    person.types(b"ls \x03\r")
    person.sees(b"LS \x03\r")
    person.size(132, 43)
    person.process.send_signal(signal.SIGWINCH)
    person.sees(b"132 x 43")
    person.types(b"end\x1dmore")
    assert person.ends() == 0
    assert "left" in person.errors()
    lab.stop()  # and so what was on its way has come
    try:
        engine = cast(Talking, lab.lab.engine)
        assert engine.opened[0].typed == b"ls \x03\rend"
    finally:
        lab.start()


def test_a_terminal_is_put_back_by_a_signal(person: Person) -> None:
    person.sees(b"80 x 24")
    person.process.send_signal(signal.SIGTERM)
    assert person.ends() == 0


def test_a_guest_that_is_switched_off_ends_it(person: Person) -> None:
    person.sees(b"80 x 24")
    person.types(b"bye")
    assert person.ends() == 1
    assert "ended by the site" in person.errors()


def test_a_site_that_goes_ends_it(lab: ServedLab, person: Person) -> None:
    person.sees(b"80 x 24")
    lab.stop()
    try:
        assert person.ends() == 1
    finally:
        lab.start()


def test_a_site_that_lets_nobody_in_is_told_in_one_line(lab: ServedLab) -> None:
    lab.fault("status", status=401, path="/nodes/*/qemu/*/vncwebsocket", text="no ticket")
    person = Person(lab)
    try:
        assert person.ends() == 3
        assert person.errors() == "the site opens no console: it answers 401\n"
    finally:
        person.close()


def test_a_site_that_closes_before_it_begins_may_be_too_old_for_tokens(
    lab: ServedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_self: Terminal, _socket: object) -> None:
        return None

    monkeypatch.setattr(Terminal, "_first_line", refused)
    person = Person(lab)
    try:
        assert person.ends() == 3
        assert "needs Proxmox VE 9" in person.errors()
        assert "PVEVNC" not in person.errors()
    finally:
        person.close()


def test_a_guest_is_looked_for_where_it_is_now(lab: ServedLab) -> None:
    token = (lab.state / "token").read_text().strip()
    api = Api(f"https://127.0.0.1:{lab.server.port}", token, ca_file=lab.state / "ca.pem")
    assert place_of(api, 100, "c07-n1") == ("pve1", True)
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/stop").ok())
    assert place_of(api, 100, "c07-n1") == ("pve1", False)
    with pytest.raises(RunError, match=r"c07-n2 \(VM 101\) is not at the site"):
        place_of(api, 101, "c07-n2")
