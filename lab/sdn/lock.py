"""The lock over all SDN files: whoever holds its token is alone allowed to change them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import failure
from lab.sdn.files import LOCK
from lab.section_file import within
from lab.store import Store

_NAME = "token"
_INVALID = "invalid lock token provided! at /usr/share/perl5/PVE/Network/SDN.pm line 1."


@contextmanager
def changing(store: Store, token: str | None, change: str) -> Iterator[None]:
    """Change files under the lock; what fails is told as `change: text`."""
    with within(change):
        held = store.get(LOCK, _NAME)
        if held is not None and held["token"] != token:
            raise failure(_INVALID)
        yield


def acquire(store: Store) -> str:
    """Take the lock and return its token."""
    token = str(uuid.uuid4())
    store.put(LOCK, _NAME, {"token": token})
    return token


def release(store: Store) -> None:
    """Give the lock back; nothing happens when nobody holds it."""
    store.delete(LOCK, _NAME)
