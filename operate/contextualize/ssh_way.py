"""SSH as the second way to a guest: OpenSSH's client, by jump host, as the participants' login.

What runs is the same as through the agent, by sudo. A guest shows the host key that was chosen for
it; one that was never prepared has none yet, and is refused unless the stack file says that the
first key may be taken. Passwords go by files that nobody else can read and by standard input.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from event.stack import EventStack
from operate.contextualize.agent import Agent
from operate.contextualize.way import ENDS_S, LOADER, GuestError, Way
from operate.handouts.entry import lab_way
from operate.handouts.tables import known_hosts, ssh_config
from operate.places import Places, write_private
from plan.records import EventPlan, Guest
from plan.secrets import password

CONNECT_S = 10
GRACE_S = 30.0
"""For which an agent is waited for alone; at most half of the time that it has."""
AGAIN_S = 15.0
"""After which SSH is tried again while neither answers."""
ANY_KEY = ("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no")
UNKNOWN = "Host key verification failed"
ASKPASS = '#!/bin/sh\nexec cat "$PRACTICUM_PASSWORD"\n'


class Rooms:
    """Files for the client, made when they are first asked for, gone with this object."""

    def __init__(self, stack: EventStack, plan: EventPlan, secret: str, places: Places) -> None:
        self._stack, self._plan, self._secret, self._places = stack, plan, secret, places
        self._made: tempfile.TemporaryDirectory[str] | None = None

    def folder(self) -> Path:
        """The folder of `config`, `known_hosts` and `askpass`."""
        if self._made is None:
            made = tempfile.TemporaryDirectory(prefix="practicum-ssh-")
            place = Path(made.name)
            proxy = lab_way(self._stack, self._places)
            config = ssh_config(self._plan, str(place / "known_hosts"), proxy=proxy)
            write_private(place / "known_hosts", known_hosts(self._plan, self._secret))
            write_private(place / "config", config)
            write_private(place / "askpass", ASKPASS)
            (place / "askpass").chmod(0o700)
            for guest in self._plan.guests:
                write_private(place / f"{guest.name}.password", self.password(guest))
            self._made = made
        return Path(self._made.name)

    def password(self, guest: Guest) -> str:
        """The password of a guest's login."""
        return password(self._secret, guest.login.password_label)


@dataclass(slots=True, kw_only=True)
class Ssh(Way):
    """A guest by SSH."""

    guest: Guest
    rooms: Rooms = field(repr=False)
    any_key: bool  # whether a guest that shows another key than the chosen one is taken
    options: tuple[str, ...] = ()

    def wait(self) -> None:
        """Log in once. Raises `GuestError`, with the client's last words."""
        try:
            self._client("true", "", CONNECT_S * 3)
        except GuestError as error:
            if not self.any_key or self.options or UNKNOWN not in str(error):
                raise
            self.options = ANY_KEY
            self._client("true", "", CONNECT_S * 3)

    def run(self, packed: str) -> str:
        """The output of a packed program, which comes after sudo's password, if it asks."""
        given = f"{self.rooms.password(self.guest)}\n{packed}\n"
        return self._client(f'sudo -S -p "" python3 -c "{LOADER}"', given, ENDS_S)

    def _client(self, words: str, given: str, limit_s: float) -> str:
        folder = self.rooms.folder()
        command = ["ssh", "-F", str(folder / "config"), "-o", f"ConnectTimeout={CONNECT_S}"]
        command += ["-o", "NumberOfPasswordPrompts=1", *self.options, self.guest.name, words]
        asked = {
            "SSH_ASKPASS": str(folder / "askpass"),
            "SSH_ASKPASS_REQUIRE": "force",
            "PRACTICUM_PASSWORD": str(folder / f"{self.guest.name}.password"),
        }
        try:
            done = subprocess.run(
                command,
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                env={**os.environ, **asked},
                timeout=limit_s,
                check=False,
            )
        except FileNotFoundError:
            raise GuestError("ssh", "ssh is not on PATH") from None
        except subprocess.TimeoutExpired:
            raise GuestError("slow", f"SSH did not end within {limit_s:.0f} s") from None
        if done.returncode == 0:
            return done.stdout
        told = " / ".join(done.stderr.strip().splitlines()[-2:]) or f"exit status {done.returncode}"
        raise GuestError("lost" if done.returncode == 255 else "failed", told)


@dataclass(slots=True, kw_only=True)
class AgentOrSsh(Way):
    """A guest by its agent; by SSH where the agent does not answer and SSH does."""

    agent: Agent
    ssh: Ssh
    clock: Callable[[], float] = time.monotonic
    by_ssh: str = ""  # why, once it is so

    @property
    def told(self) -> str:
        """That it is reached by SSH, and why."""
        return f"by SSH, since {self.by_ssh}" if self.by_ssh else ""

    def wait(self) -> None:
        """Wait until one of both answers. Raises `GuestError` with what both have said."""
        end = self.clock() + self.agent.answers_s
        patience = min(GRACE_S, self.agent.answers_s / 2)
        while True:
            try:
                replace(self.agent, answers_s=patience).wait()
            except GuestError as error:
                if error.cause != "silent":
                    raise
                silence = error
            else:
                self.by_ssh = ""
                return
            try:
                self.ssh.wait()
            except GuestError as error:
                if self.clock() >= end:
                    text = str(silence).replace(
                        f"{patience:.0f} s", f"{self.agent.answers_s:.0f} s"
                    )
                    raise GuestError("silent", f"{text}, nor did SSH ({error})") from None
            else:
                self.by_ssh = str(silence)
                return
            patience = max(0.0, min(AGAIN_S, end - self.clock()))

    def run(self, packed: str) -> str:
        """The output of a packed program, by the way that answered."""
        return (self.ssh if self.by_ssh else self.agent).run(packed)
