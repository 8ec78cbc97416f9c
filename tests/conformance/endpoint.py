"""A Proxmox VE endpoint as scenarios see it: one connection, several identities."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Any

FORM = "application/x-www-form-urlencoded"
LONGEST_S = 180
_BOUNDARY = "practicum-part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to get in: a user's password, or an API token `user@realm!name=secret`."""

    user: str = "root@pam"
    password: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `body` is the JSON value, or the text when it is none, or None."""

    status: int
    reason: str
    body: Any

    @property
    def data(self) -> Any:
        """The answer's data, None for what is not an answer of the API."""
        return self.body.get("data") if isinstance(self.body, dict) else None


class Endpoint:
    """Sends requests to `https://host:port`; a closed connection is opened again, once."""

    def __init__(self, url: str, access: Access, ca_file: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"{url} is not like https://host:8006")
        self.access = access
        context = ssl.create_default_context(cafile=ca_file)
        if ca_file is None:  # like the provider's `insecure`: hosts sign their own certificates
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection(
            parts.hostname, parts.port or 8006, context=context, timeout=LONGEST_S
        )
        self._tickets: dict[tuple[str, str], dict[str, str]] = {}

    def send(
        self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]
    ) -> Reply:
        """One request below /api2/json, as it is."""
        for again in (True, False):
            try:
                self._connection.request(method, f"/api2/json/{path}", body, headers)
                response = self._connection.getresponse()
                text = response.read()
                break
            except (http.client.HTTPException, OSError):
                self._connection.close()
                if not again:
                    raise
        try:
            found = json.loads(text) if text else None
        except ValueError:
            found = text.decode(errors="replace")
        return Reply(response.status, response.reason, found)

    def ask(
        self,
        method: str,
        path: str,
        params: list[tuple[str, Any]] | None = None,
        who: str | None = None,
    ) -> Reply:
        """One call; parameters go into the query for GET and DELETE, else into a form."""
        headers, text = self.identity(who), urllib.parse.urlencode(params or [])
        if not text:
            return self.send(method, path, None, headers)
        if method in ("GET", "DELETE"):
            return self.send(method, f"{path}?{text}", None, headers)
        return self.send(method, path, text, {**headers, "Content-Type": FORM})

    def upload(
        self, path: str, params: list[tuple[str, Any]], file: dict[str, Any], who: str | None
    ) -> Reply:
        """A call with a file of `size` bytes `a` in a multipart body."""
        lines = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in params
        ]
        field, name = file.get("field", "filename"), file["name"]
        lines.append(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"'
            "\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        body = "".join(lines) + "a" * file["size"] + f"\r\n--{_BOUNDARY}--\r\n"
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return self.send("POST", path, body.encode(), {**self.identity(who), "Content-Type": kind})

    def get(self, path: str, **params: Any) -> Any:
        """The data of a GET that has to succeed."""
        reply = self.ask("GET", path, list(params.items()))
        if reply.status != 200:
            raise RuntimeError(f"GET {path}: {reply.status} {reply.reason}")
        return reply.data

    def identity(self, who: str | None) -> dict[str, str]:
        """The headers of whoever asks; None is who the endpoint was opened for."""
        kind, _, rest = (who or "").partition(":")
        if kind == "none":
            return {}
        if kind == "token":
            return {"Authorization": f"PVEAPIToken={rest}"}
        if kind == "cookie":
            return {**_cookie(rest), "CSRFPreventionToken": "x"}
        if kind == "ticket":
            user, _, password = rest.partition(":")
            return self._ticket(user, password) or {}
        if self.access.token and kind != "csrf":
            return {"Authorization": f"PVEAPIToken={self.access.token}"}
        own = self._ticket(self.access.user, self.access.password)
        if own is None:
            raise RuntimeError(f"login of {self.access.user} failed")
        if kind == "csrf":
            own = {k: v for k, v in own.items() if k != "CSRFPreventionToken"}
            own |= {"CSRFPreventionToken": rest} if rest else {}
        return own

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ticket(self, user: str, password: str) -> dict[str, str] | None:
        if (user, password) not in self._tickets:
            form = urllib.parse.urlencode({"username": user, "password": password})
            reply = self.send("POST", "access/ticket", form, {"Content-Type": FORM})
            if reply.status != 200:
                return None
            self._tickets[user, password] = {
                **_cookie(reply.data["ticket"]),
                "CSRFPreventionToken": reply.data["CSRFPreventionToken"],
            }
        return self._tickets[user, password]


def _cookie(ticket: str) -> dict[str, str]:
    return {"Cookie": f"PVEAuthCookie={urllib.parse.quote(ticket)}"}
