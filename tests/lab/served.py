"""A lab that answers over TLS on a free loopback port, in a thread of its own, and its client."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
import urllib.parse
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.app import Lab
from lab.realistic import Limits
from lab.serve import Options, Server

HOST = "127.0.0.1"
FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Answer:
    """What came back; `data`, `errors` and `message` are empty when the body is not JSON."""

    status: int
    reason: str
    body: bytes
    data: Any = None
    errors: dict[str, str] = field(default_factory=dict)
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def ok(self) -> Any:
        """The data of a call that has to succeed."""
        assert self.status == 200, (self.status, self.reason, self.errors)
        return self.data


class Client:
    """A connection with some credentials; by default root's token."""

    def __init__(self, port: int, context: ssl.SSLContext, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=30)
        self.headers = headers

    def call(self, method: str, path: str, /, **params: Any) -> Answer:
        """One call; parameters in the query for GET and DELETE, else as a form.

        A name that is no Python word can be given with underscores doubled: `next__id`.
        """
        pairs = [(name.replace("__", "-"), value) for name, value in params.items()]
        text = urllib.parse.urlencode(pairs, doseq=True)
        if method in ("GET", "DELETE"):
            return self.send(method, f"{path}?{text}" if text else path)
        return self.send(method, path, text, {"Content-Type": FORM})

    def send(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request as it is."""
        target = f"/api2/json/{path}"
        self._connection.request(method, target, body, self.headers | (headers or {}))
        response = self._connection.getresponse()
        return _answer(response.status, response.reason, response.read())

    def close(self) -> None:
        self._connection.close()


def _answer(status: int, reason: str, body: bytes) -> Answer:
    try:
        found = json.loads(body)
    except ValueError:
        return Answer(status, reason, body)
    data, errors = found.pop("data", None), found.pop("errors", {})
    message = found.pop("message", "")
    return Answer(status, reason, body, data, errors, message, found)


class ServedLab:
    """A lab in a thread; `call` is root's. `crash` ends it without a word, `start` brings back
    what it had kept."""

    def __init__(
        self,
        folder: Path,
        seed: dict[str, Any],
        auth_delay_s: float = 0,
        limits: Limits | None = None,
    ) -> None:
        self.state = folder / "state"
        self._seed = folder / "seed.json"
        self._seed.write_text(json.dumps(seed))
        self._delay = auth_delay_s
        self._limits = limits or Limits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server: Server
        self.client: Client
        self.start()

    @property
    def lab(self) -> Lab:
        """The object behind the port; read it only between calls."""
        return self.server.lab

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the lab's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def start(self) -> None:
        """Serve the state folder."""
        options = Options(
            state=self.state, seed=self._seed, auth_delay_s=self._delay, limits=self._limits
        )
        self.server = Server(options)
        self.run(self.server.start())
        token = (self.state / "token").read_text()
        self.client = self.client_with({"Authorization": f"PVEAPIToken={token}"})

    def stop(self) -> None:
        """End it in order."""
        self.client.close()
        self.run(self.server.stop())

    def restart(self) -> None:
        """End it and serve the same folder again."""
        self.stop()
        self.start()

    def client_with(self, headers: dict[str, str]) -> Client:
        """Another connection with other credentials."""
        context = ssl.create_default_context(cafile=str(self.state / "ca.pem"))
        return Client(self.server.port, context, headers)

    def ticket_client(self, user: str = "root@pam", password: str = "") -> Client:
        """A connection with a ticket: root's by default."""
        secret = password or (self.state / "password").read_text()
        form = {"username": user, "password": secret}
        found = self.client_with({}).call("POST", "access/ticket", **form).ok()
        return self.client_with(
            {
                "Cookie": f"PVEAuthCookie={urllib.parse.quote(found['ticket'])}",
                "CSRFPreventionToken": found["CSRFPreventionToken"],
            }
        )

    def token_client(self, user: str, name: str, **params: Any) -> Client:
        """A connection with a new token of a user."""
        answer = self.call("POST", f"access/users/{user}/token/{name}", **params)
        secret = answer.ok()["value"]
        return self.client_with({"Authorization": f"PVEAPIToken={user}!{name}={secret}"})

    def call(self, method: str, path: str, /, **params: Any) -> Answer:
        """One call as root."""
        return self.client.call(method, path, **params)

    def get(self, path: str, /, **params: Any) -> Any:
        """The data of a GET that has to succeed."""
        return self.call("GET", path, **params).ok()

    def fault(self, kind: str, **settings: Any) -> int:
        """Break something; the number of the fault."""
        rule = self.run(self.lab.faults.add({"kind": kind, **settings}))
        return int(rule.number)

    def mend(self) -> None:
        """End all faults."""

        async def clear() -> None:
            self.lab.faults.clear()

        self.run(clear())

    def finish(self, upid: str) -> dict[str, Any]:
        """Wait for a task and return its row."""

        async def wait() -> dict[str, Any]:
            return await self.lab.tasks.wait(upid)

        task: dict[str, Any] = self.run(wait())
        return task

    def close(self) -> None:
        """End lab and thread."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
