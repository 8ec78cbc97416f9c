"""What the cluster lists of its guests, asked for again and again while guests are created.

One kept connection and one cheap GET, with the token that the provider has. Whatever goes wrong
is a `SightError`: who looks can do without.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi

from components.provider import TOKEN_VARIABLE
from plan.lanes import Sighting
from plan.records import Api

TIMEOUT_S = 5.0
PATH = "/api2/json/cluster/resources?type=vm"


class SightError(Exception):
    """The cluster could not be looked at; the text has no secret."""


class Sight:
    """The guests of a cluster by VMID, as `guests` finds them at each call."""

    def __init__(self, api: Api, token: str) -> None:
        parts = urlsplit(api.endpoint)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._headers = {"Authorization": f"PVEAPIToken={token}"}
        self._api = api
        self._connection: http.client.HTTPSConnection | None = None

    def guests(self) -> dict[int, Sighting]:
        """Ask the cluster; blocks for a few seconds at most. Raises `SightError`."""
        try:
            rows = self._rows()
            return {
                int(row["vmid"]): Sighting(
                    locked=bool(row.get("lock")),
                    tags=frozenset(str(row.get("tags", "")).replace(",", ";").split(";")),
                )
                for row in rows
            }
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            self.close()
            raise SightError(type(error).__name__) from None

    def _rows(self) -> list[dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_S, context=_context(self._api)
            )
        self._connection.request("GET", PATH, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(answer.status)
        rows: list[dict[str, Any]] = json.loads(body)["data"]
        return rows

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _context(api: Api) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if api.ca_file is not None:
        context.load_verify_locations(Path(api.ca_file).expanduser())
    elif api.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def api_token(api: Api) -> str | None:
    """The token that the provider uses, as plain text; None when there is none."""
    configured = pulumi.Config().get("apiToken")
    if configured:
        return configured
    if api.token_file is not None:
        path = Path(api.token_file).expanduser()
        if path.is_file():
            return path.read_text().strip()
    return os.environ.get(TOKEN_VARIABLE)
