"""SSH public keys, as a line of a file `*.pub`: type, key, comment."""

from __future__ import annotations

import base64
import binascii
import re

from event.rule import RefusedError, Rule

KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""Types that the OpenSSH of the supported images accepts for logins."""

_COMMENT = re.compile(r"[A-Za-z0-9@._+:/ -]{0,200}")


def parse_public_key(text: str) -> str:
    """The line itself, if it is one key of a known type whose inside says the same type."""
    if "PRIVATE KEY" in text:
        hint = "write the public key, the line in the file *.pub, and make a new pair of keys"
        raise RefusedError("is a private key", hint, conceal=True)
    if len(text) > 4000:
        raise RefusedError(f"has {len(text)} characters", "write one key")
    if "\n" in text or "\r" in text:
        raise RefusedError("has a line break", "write every key as an item of its own, on one line")
    kind, _, rest = text.partition(" ")
    if kind not in KEY_TYPES and text.endswith(".pub"):
        raise RefusedError("is the name of a file", "write the line that is in the file")
    if kind not in KEY_TYPES:
        raise RefusedError("does not start with a known key type", f"known: {', '.join(KEY_TYPES)}")
    key, _, comment = rest.partition(" ")
    if _inner_type(key) != kind:
        raise RefusedError("is cut off or altered", "copy the whole line of the file *.pub again")
    if not _COMMENT.fullmatch(comment):
        raise RefusedError(
            "has a comment with unusual characters",
            "shorten the comment after the key to letters, digits and @ . _ + : / -",
        )
    return text


def _inner_type(key: str) -> str | None:
    """The key type that the base64 part starts with (RFC 4253, section 6.6), if it is whole."""
    try:
        blob = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    fields: list[bytes] = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            return None
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return fields[0].decode("ascii", "replace") if len(fields) > 1 else None


SSH_PUBLIC_KEY = Rule(
    allowed="the line of a public key file, e.g. ssh-ed25519 AAAA… ada@example.org",
    parse=parse_public_key,
    example="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHN0YW5kLWluIGZvciBhIHJlYWwgcHVibGljIGtleQ== ada",
    pattern="^(ssh-|ecdsa-|sk-)",
    max_length=4000,
)
