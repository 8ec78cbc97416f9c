"""Public SSH keys, as a guest is given them."""

from __future__ import annotations

import base64
import binascii
import struct
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from lab.errors import failure


def check_ssh_keys(values: dict[str, Any]) -> None:
    """500 when the keys, percent-encoded lines, are not all public SSH keys."""
    if "sshkeys" not in values:
        return
    for line in unquote(values["sshkeys"]).splitlines():
        if line.strip() and not line.lstrip().startswith("#") and not _is_ssh_key(line):
            raise failure("SSH public key validation error")


def _is_ssh_key(line: str) -> bool:
    words = line.split()
    for kind, blob in pairwise(words):
        try:
            raw = base64.b64decode(blob, validate=True)
            (length,) = struct.unpack(">I", raw[:4])
        except (binascii.Error, struct.error):
            continue
        if raw[4 : 4 + length] == kind.encode() and len(raw) > 4 + length:
            return True
    return False
