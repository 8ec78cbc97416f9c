"""A small client of the Proxmox VE API: preflight reads by it, recovery clears up by it.

Each way in which an API can be unreachable or wrong has its own `kind`, so that the message can
say what to do. Standard library only, since it is started with every `up`.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from event.problems import RunError

TIMEOUT_S = 15.0
CONNECTIONS = 8

Kind = Literal[
    "name", "refused", "timeout", "unreachable", "certificate", "tls", "foreign", "token",
    "forbidden", "answer",
]  # fmt: skip


class ApiError(RunError):
    """The API did not answer as one of Proxmox VE; `kind` says in which way.

    Who knows what was asked for says more with `text`; its own message is for all others.
    """

    def __init__(self, kind: Kind, text: str, *, status: int = 0) -> None:
        super().__init__(f"the site's API: {text}; look at the site, and type the same again")
        self.kind: Kind = kind
        self.text = text
        self.status = status


class Api:
    """GET requests to one endpoint with an API token, over connections that are kept.

    `ca_file` names the authority to trust beside the system's; `insecure` trusts anything.
    """

    def __init__(
        self, endpoint: str, token: str, *, insecure: bool = False, ca_file: Path | None = None
    ) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._headers = {"Authorization": f"PVEAPIToken={token}"} if token else {}
        self._context = _context(insecure=insecure, ca_file=ca_file)
        self._own = threading.local()

    @property
    def context(self) -> ssl.SSLContext:
        """Whom this trusts, for a connection of another kind."""
        return self._context

    @property
    def headers(self) -> Mapping[str, str]:
        """The header that has the token; nothing may print it."""
        return self._headers

    def get(self, path: str, /, **query: str) -> Any:
        """The `data` of an answer. Raises `ApiError`."""
        return self._data(*self._exchange("GET", path, query))

    def delete(self, path: str, /, **query: str) -> Any:
        """Delete an object; for half-made guests of ours. Raises `ApiError`."""
        return self._data(*self._exchange("DELETE", path, query))

    def post(self, path: str, /, **fields: str | Sequence[str]) -> Any:
        """Start an action; a sequence is sent as a repeated field. Raises `ApiError`."""
        return self._data(*self._exchange("POST", path, fields))

    def put(self, path: str, /, **fields: str) -> Any:
        """Apply what is pending; for half-made bridges of ours. Raises `ApiError`."""
        return self._data(*self._exchange("PUT", path, fields))

    def get_all(self, paths: Iterable[str]) -> dict[str, Any]:
        """Answers by path, a few requests at a time; the first failure is raised."""
        wanted = list(paths)
        with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
            return dict(zip(wanted, pool.map(self.get, wanted), strict=True))

    def _exchange(
        self, method: str, path: str, fields: Mapping[str, str | Sequence[str]]
    ) -> tuple[int, str, bytes]:
        target = "/api2/json" + quote(path)
        headers = dict(self._headers)
        body = None
        if method in ("POST", "PUT"):
            body = urlencode(fields, doseq=True)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif fields:
            target += "?" + urlencode(fields)
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request(method, target, body=body, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.reason, answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                self._forget()
                if attempt == 2 or method != "GET":
                    raise ApiError("foreign", _words(error)) from error
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                raise _failure(error) from error
        raise AssertionError("both attempts leave the loop")

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_S, context=self._context
            )
            self._own.connection = connection
        return connection

    def _forget(self) -> None:
        connection: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def _data(self, status: int, reason: str, body: bytes) -> Any:
        if status == 401:
            raise ApiError("token", reason, status=status)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if status == 403:
            raise ApiError("forbidden", reason, status=status)
        if not isinstance(answer, dict) or "data" not in answer:
            kind: Kind = "answer" if status >= 500 else "foreign"
            raise ApiError(kind, f"{status} {reason}".strip(), status=status)
        if status >= 400:
            raise ApiError("answer", reason, status=status)
        return answer["data"]


def _context(*, insecure: bool, ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if insecure and ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # what the provider insists on
    return context


def _failure(error: Exception) -> ApiError:
    """The kind of a failed connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ApiError("certificate", error.verify_message or _words(error))
    if isinstance(error, ssl.SSLError):
        return ApiError("tls", error.reason or _words(error))
    if isinstance(error, socket.gaierror):
        return ApiError("name", _words(error))
    if isinstance(error, ConnectionRefusedError):
        return ApiError("refused", _words(error))
    if isinstance(error, TimeoutError):
        return ApiError("timeout", f"no answer within {TIMEOUT_S:.0f} s")
    if isinstance(error, http.client.HTTPException):
        return ApiError("foreign", _words(error))
    return ApiError("unreachable", _words(error))


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
