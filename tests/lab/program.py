"""`python -m lab serve` as a process of its own, which a test can kill."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.direct import SEED
from tests.lab.served import Client

WAIT_S = 30


class Program:
    """One start of the lab on `folder`/state."""

    def __init__(
        self, folder: Path, *options: str, seed: Any = None, within: Sequence[str] = ()
    ) -> None:
        self.state = folder / "state"
        file = folder / "seed.json"
        file.write_text(seed if isinstance(seed, str) else json.dumps(seed or SEED))
        command = [*within, sys.executable, "-m", "lab", "serve", "--state", str(self.state)]
        self.process = subprocess.Popen(
            [*command, "--seed", str(file), "--auth-delay", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        """The line it prints when it answers."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def client(self, endpoint: str) -> Client:
        context = ssl.create_default_context(cafile=str(self.state / "ca.pem"))
        token = (self.state / "token").read_text()
        port = int(endpoint.rpartition(":")[2])
        return Client(port, context, {"Authorization": f"PVEAPIToken={token}"})

    def refusal(self) -> str:
        """The one line of a start that fails."""
        _, errors = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 1, errors
        assert errors.count("\n") == 1
        return errors.strip()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=WAIT_S)
        return self.process.returncode
