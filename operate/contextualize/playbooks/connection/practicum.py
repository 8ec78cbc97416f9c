"""Ansible's connection to a guest through practicum, which goes there by the guest agent.

Loaded by Ansible, with Ansible's own Python; `PRACTICUM_RELAY` names the socket to ask.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
    name: practicum
    author: practicum
    short_description: through the guest agent
    description: Runs tasks on guests of an event through practicum, which started Ansible.
    options: {}
"""


class Connection(ConnectionBase):
    """A guest of the event; everything runs there as root."""

    transport = "practicum"
    has_pipelining = True
    always_pipeline_modules = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a command of sh on the guest."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        answer = self._ask(do="run", command=cmd, data=_text(in_data or b""))
        return answer["code"], _bytes(answer["out"]), _bytes(answer["errors"])

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file to the guest."""
        super().put_file(in_path, out_path)
        with open(in_path, "rb") as file:
            self._ask(do="put", path=out_path, data=_text(file.read()))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from the guest, piece by piece."""
        super().fetch_file(in_path, out_path)
        start = 0
        with open(out_path, "wb") as file:
            while piece := _bytes(self._ask(do="fetch", path=in_path, start=start)["data"]):
                file.write(piece)
                start += len(piece)

    def close(self) -> None:
        """Nothing is kept open."""
        self._connected = False

    def _ask(self, **wanted: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as relay:
            try:
                relay.connect(os.environ["PRACTICUM_RELAY"])
                relay.sendall(
                    json.dumps({"guest": self._play_context.remote_addr, **wanted}).encode() + b"\n"
                )
                with relay.makefile("rb") as answers:
                    answer: dict[str, Any] = json.loads(answers.readline() or b"{}")
            except (OSError, ValueError) as error:
                raise AnsibleConnectionFailure(f"practicum has gone: {error}") from None
        if "lost" in answer:
            raise AnsibleConnectionFailure(answer["lost"])
        if "error" in answer:
            raise AnsibleError(answer["error"])
        return answer


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
