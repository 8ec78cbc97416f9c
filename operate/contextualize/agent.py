"""One guest's agent behind the Proxmox VE API: wait for it, and run a program of Python there.

Works below the participant's network, sshd and PAM. Everything that may be secret goes through the
program's standard input, never through its arguments.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operate.api import Api, ApiError
from operate.contextualize.way import ENDS_S, LOADER, GuestError, Way

POLL_S, LONGEST_POLL_S = 0.1, 2.0
INPUT = 48 * 1024
"""Bytes sent at once: Proxmox VE takes 64 KiB of input for a program (pve-manager, agent exec)."""
NEVER = ("name", "certificate", "tls", "token", "forbidden")
"""Ways in which an API does not answer that do not pass by themselves."""
LATE = ("not running", "got timeout", "No QEMU guest agent", "can't lock", "hostname lookup")

_PARTS = "/run/practicum-parts"
_GATHERER = (
    "import os,sys;"
    f"h=os.open('{_PARTS}',os.O_WRONLY|os.O_CREAT|os.O_APPEND|os.O_NOFOLLOW,0o600);"
    "os.write(h,sys.stdin.read().encode())"
)
_PARTS_LOADER = (
    f"import base64,os,zlib;t=open('{_PARTS}').read();os.remove('{_PARTS}');"
    "exec(zlib.decompress(base64.b64decode(t)).decode(),{'__name__':'practicum'})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Way):
    """The agent of one guest."""

    api: Api
    host: str
    vmid: int
    answers_s: float  # seconds in which it has to answer
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> None:
        """Wait until the agent answers. Raises `GuestError`: off, silent, or not to be asked."""
        end = self.clock() + self.answers_s
        pause = POLL_S
        while True:
            try:
                self.api.post(f"{self._path}/agent/ping")
            except ApiError as failure:
                if not _is_late(failure):
                    raise GuestError("refused", failure.text) from None
                if self.clock() >= end:
                    text = f"its agent did not answer within {self.answers_s:.0f} s"
                    raise GuestError("silent", f"{text} ({failure.text})") from None
            else:
                return
            self.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_S)

    def run(self, packed: str) -> str:
        """The output of a packed program; it goes in parts where it is too long for one call."""
        if len(packed) <= INPUT:
            return self._run(LOADER, packed)
        self._run(f"import os;os.path.lexists('{_PARTS}') and os.remove('{_PARTS}')", "")
        for start in range(0, len(packed), INPUT):
            self._run(_GATHERER, packed[start : start + INPUT])
        return self._run(_PARTS_LOADER, "")

    @property
    def _path(self) -> str:
        return f"/nodes/{self.host}/qemu/{self.vmid}"

    def _run(self, program: str, given: str) -> str:
        """The output of a program of Python. Raises `GuestError`."""
        try:
            started = self.api.post(
                f"{self._path}/agent/exec",
                **{"command": ["python3", "-c", program], "input-data": given or "\n"},
            )
            status = self._ended(int(started["pid"]))
        except ApiError as failure:
            cause = "lost" if _is_late(failure) else "refused"
            raise GuestError(cause, f"its agent: {failure.text}") from None
        if status.get("exitcode"):
            why = str(status.get("err-data") or "").strip().splitlines()[-1:] or ["no reason given"]
            raise GuestError("failed", f"python3 ended with {status['exitcode']}: {why[0]}")
        return str(status.get("out-data") or "")

    def _ended(self, pid: int) -> dict[str, Any]:
        end = self.clock() + ENDS_S
        pause = POLL_S
        while self.clock() < end:
            status: dict[str, Any] = self.api.get(f"{self._path}/agent/exec-status", pid=str(pid))
            if status.get("exited"):
                return status
            self.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_S)
        raise GuestError("slow", f"a program on it did not end within {ENDS_S:.0f} s")


def _is_late(failure: ApiError) -> bool:
    """Whether the guest or its host may answer later."""
    if failure.kind in ("timeout", "refused", "unreachable") or not failure.status:
        return failure.kind not in NEVER
    return failure.kind in ("answer", "foreign") and (
        failure.status in (595, 596, 599) or any(word in failure.text for word in LATE)
    )
