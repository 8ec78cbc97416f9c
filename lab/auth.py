"""Who is calling: tickets, CSRF tokens, API tokens and passwords.

Tickets are signed, not stored, so that they go on working across a restart; the key is a file
in the state folder. root@pam's password is a file too (the organiser reads it there); the
passwords of users in the realm `pve` are kept as scrypt hashes. A token's secret is kept as a
hash: Proxmox VE shows it once, at creation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

from lab.errors import ApiError, unauthorized
from lab.store import Store, Value

TICKET_LIFE_S = 7200
COOKIE = "PVEAuthCookie"
TOKEN = "PVEAPIToken"  # noqa: S105 - the name of a header's part
ROOT = "root@pam"
_CLOCK_SLACK_S = 300
_CONSOLE_LIFE_S = 40
_SCRYPT = {"n": 2**12, "r": 8, "p": 1}


def private_file(path: Path, make: bytes) -> bytes:
    """The content of a file that only its owner may read; made with `make` when absent."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make)
    return path.read_bytes()


class Authority:
    """Issues and checks credentials. All `check_*` raise 401 with an empty body."""

    def __init__(self, store: Store, state: Path) -> None:
        self._store = store
        self._key = private_file(state / "ticket.key", secrets.token_bytes(64))
        made = secrets.token_urlsafe(18).encode()
        self._root_password = private_file(state / "password", made).decode().strip()

    def ticket(self, user: str) -> str:
        """A ticket for `user`, valid for two hours."""
        plain = f"PVE:{user}:{int(time.time()):08X}"
        return f"{plain}::{self._signature(plain)}"

    def console_ticket(self, user: str, path: str, port: int) -> str:
        """A ticket for one console, valid for 40 seconds; it does not show whose it is."""
        plain = f"PVEVNC:{int(time.time()):08X}"
        return f"{plain}::{self._signature(f'{plain}:{user}:{path}:{port}')}"

    def check_console_ticket(self, ticket: str, user: str, path: str, port: int) -> None:
        """401 for a ticket that is not of this user, console and port, or too old."""
        plain, _, signature = ticket[ticket.find("PVEVNC:") :].partition("::")
        wanted = self._signature(f"{plain}:{user}:{path}:{port}")
        stamp = plain.partition(":")[2]
        genuine = hmac.compare_digest(signature.encode(), wanted.encode())
        if not genuine or time.time() - int(stamp, 16) > _CONSOLE_LIFE_S:
            raise ApiError(401, "permission denied - invalid PVEVNC ticket")

    def csrf_token(self, user: str) -> str:
        """The token that a ticket's writes must carry in `CSRFPreventionToken`."""
        stamp = f"{int(time.time()):08X}"
        return f"{stamp}:{self._csrf_signature(stamp, user)}"

    def _signature(self, plain: str) -> str:
        digest = hmac.new(self._key, plain.encode(), hashlib.sha512).digest()
        return base64.b64encode(digest).decode()

    def _csrf_signature(self, stamp: str, user: str) -> str:
        digest = hmac.new(self._key, f"csrf:{stamp}:{user}".encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode().rstrip("=")

    def check_ticket(self, ticket: str) -> str:
        """The user of a ticket, who must still exist, be enabled and not be expired."""
        plain, _, signature = ticket.partition("::")
        parts = plain.split(":")
        genuine = hmac.compare_digest(signature.encode(), self._signature(plain).encode())
        if len(parts) != 3 or not genuine or not _recent(parts[2]) or not self.usable(parts[1]):
            raise unauthorized("Authentication failed!")
        return parts[1]

    def check_csrf(self, user: str, token: str) -> None:
        """Refuse a write whose CSRF token is missing, forged or too old."""
        stamp, _, signature = token.partition(":")
        genuine = hmac.compare_digest(
            signature.encode(), self._csrf_signature(stamp, user).encode()
        )
        if not genuine or not _recent(stamp):
            raise unauthorized("Permission denied - invalid csrf token")

    def check_token(self, shown: str) -> str:
        """The `user!name` of a token as it is shown: `user!name=secret`."""
        name, _, secret = shown.rpartition("=")
        found = self._store.get("token", name)
        user = name.partition("!")[0]
        if (
            found is None
            or not hmac.compare_digest(found["hash"], hash_secret(secret))
            or _expired(found)
            or not self.usable(user)
        ):
            raise unauthorized("Authentication failed!")
        return name

    def usable(self, user: str) -> bool:
        """Whether an account exists, is enabled and has not expired."""
        found = self._store.get("user", user)
        if found is None:
            return False
        return bool(found.get("enable", 1)) and not _expired(found)

    def password_fits(self, user: str, password: str, *, root_too: bool = False) -> bool:
        """Whether a password, or a ticket in its place, belongs to a usable account; with
        `root_too` a ticket of root stands for anybody's."""
        if not self.usable(user):
            return False
        if password.startswith("PVE:"):
            owners = (user, ROOT) if root_too else (user,)
            return any(self._is_ticket_of(owner, password) for owner in owners)
        if user == ROOT:
            return hmac.compare_digest(password.encode(), self._root_password.encode())
        found = self._store.get("password", user)
        if found is None:
            return False
        salt = bytes.fromhex(found["salt"])
        return hmac.compare_digest(found["hash"], _scrypt(password, salt))

    def _is_ticket_of(self, user: str, ticket: str) -> bool:
        plain, _, signature = ticket.partition("::")
        genuine = hmac.compare_digest(signature.encode(), self._signature(plain).encode())
        return genuine and plain.split(":")[1] == user and _recent(plain.split(":")[-1])

    def set_password(self, user: str, password: str) -> None:
        """Keep a new password for an account of the realm `pve`."""
        salt = secrets.token_bytes(16)
        self._store.put("password", user, {"salt": salt.hex(), "hash": _scrypt(password, salt)})

    def add_token(self, user: str, name: str, secret: str = "", **values: object) -> str:
        """Register a token (values: privsep, expire, comment) and return its secret."""
        secret = secret or str(uuid.uuid4())
        self._store.put("token", f"{user}!{name}", {**values, "hash": hash_secret(secret)})
        return secret


def hash_secret(secret: str) -> str:
    """What is kept of a token's secret; it is random, so one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _scrypt(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()


def _recent(stamp: str) -> bool:
    try:
        age = time.time() - int(stamp, 16)
    except ValueError:
        return False
    return -_CLOCK_SLACK_S < age < TICKET_LIFE_S


def _expired(found: Value) -> bool:
    expire = found.get("expire") or 0
    return bool(expire) and expire <= time.time()


def header_value(header: str, key: str) -> str:
    """What stands behind a key in a header, `key=value` or `key value`; empty when it is not
    there."""
    found = re.search(rf"(?:^|\s){key}[= ]([^;]*)", header)
    return unquote(found[1]) if found else ""
