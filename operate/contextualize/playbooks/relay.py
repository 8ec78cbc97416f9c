"""The relay: Ansible's plugins ask it on a socket, and it goes to the guests by their ways.

So neither token nor password of ours is in Ansible's process, and the plugins need nothing but
Python's standard library, whichever Python Ansible has. The socket is in a folder of ours alone.

A question is one line of JSON and so is its answer: `do` is run, put or fetch (`errand`), `failed`
(a task's failure) or `stats` (what became of a guest in the end).
"""

from __future__ import annotations

import inspect
import json
import socketserver
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operate.contextualize.playbooks import errand
from operate.contextualize.way import GuestError, Way


class Relay:
    """Answers while it is entered. `failed` and `played` tell of guests by name afterwards."""

    def __init__(self, socket: Path, ways: Mapping[str, Way]) -> None:
        self._ways = ways
        self._text = inspect.getsource(errand)
        self.failed: dict[str, str] = {}
        self.played: dict[str, bool] = {}  # whether all went well
        relay = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if line := self.rfile.readline():
                    answer = json.dumps(relay.answer(json.loads(line)))
                    self.wfile.write(answer.encode() + b"\n")

        self._server = socketserver.ThreadingUnixStreamServer(str(socket), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Relay:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question."""
        guest = str(wanted.get("guest"))
        if guest not in self._ways:
            return {"lost": f"{guest} is none of the cluster's guests"}
        if wanted["do"] == "failed":
            self.failed[guest] = f"{wanted['task']}: {wanted['why']}"
            return {}
        if wanted["do"] == "stats":
            self.played[guest] = bool(wanted["good"])
            return {}
        try:
            return self._ways[guest].answer(self._text, "errand(wanted)", wanted=wanted)
        except GuestError as error:
            return {"lost": f"{error.cause}: {error}"}
