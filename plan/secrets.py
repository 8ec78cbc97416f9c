"""Secrets: passwords and SSH keys that follow from the event's one secret and a label.

HKDF with SHA-256 (RFC 5869) turns secret and label into bytes; the same two always give the same
password and the same key, so a rebuilt event keeps its access sheets and host keys, and nothing
has to be stored. Labels are in the plan, the secret never is.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field

from event.problems import RunError

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Characters of passwords: 32 of them, five bits each; none that looks like another (0 o, 1 l)."""

PASSWORD_GROUPS, GROUP_LENGTH = 6, 4
"""Six groups of four characters joined by hyphens: 120 bits, and still possible to read aloud."""

SHORTEST_SECRET = 32
"""Characters of the shortest secret: 128 bits written in hexadecimal."""

_KEY_TYPE = b"ssh-ed25519"
_LINE = 70  # characters of a line of an OpenSSH private key


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """An Ed25519 key pair as OpenSSH writes it. `private` stays out of every representation."""

    public: str  # one line: type, key, comment
    private: str = field(repr=False)  # the whole file
    fingerprint: str  # SHA256:…, as ssh-keygen -l shows it


def password(secret: str, label: str) -> str:
    """The password behind a label: six groups of four unambiguous characters."""
    count = PASSWORD_GROUPS * GROUP_LENGTH
    # 32 divides 256: taking the lower five bits of each byte favours no character.
    letters = "".join(ALPHABET[byte % len(ALPHABET)] for byte in derive(secret, label, count))
    return "-".join(letters[i : i + GROUP_LENGTH] for i in range(0, count, GROUP_LENGTH))


def ssh_key(secret: str, label: str, comment: str) -> SshKey:
    """The Ed25519 key behind a label; host keys and login keys alike."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    seed = derive(secret, label, 32)
    public = (
        Ed25519PrivateKey.from_private_bytes(seed)
        .public_key()
        .public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    blob = _text(_KEY_TYPE) + _text(public)
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return SshKey(
        public=f"{_KEY_TYPE.decode()} {base64.b64encode(blob).decode()} {comment}",
        private=_openssh(seed, public, blob, comment),
        fingerprint=f"SHA256:{digest}",
    )


def derive(secret: str, label: str, length: int) -> bytes:
    """`length` bytes that follow from secret and label. Raises `RunError` for a weak secret."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    kept = secret.strip()
    if len(kept) < SHORTEST_SECRET:
        raise RunError(
            f"the stack's secret has {len(kept)} characters, fewer than {SHORTEST_SECRET}; type: "
            "openssl rand -hex 32 | pulumi config set --secret practicum:secret"
        )
    info = b"practicum/1/" + label.encode()
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(kept.encode())


def _openssh(seed: bytes, public: bytes, blob: bytes, comment: str) -> str:
    """A private key file without passphrase (OpenSSH, PROTOCOL.key).

    Written here because libraries put a random number in, and the same key has to give the same
    text: a file that changes by itself would be contextualized again and again.
    """
    check = hashlib.sha256(seed + b"check").digest()[:4]
    inner = check * 2 + _text(_KEY_TYPE) + _text(public) + _text(seed + public)
    inner += _text(comment.encode())
    inner += bytes(range(1, -len(inner) % 8 + 1))
    whole = b"openssh-key-v1\0" + _text(b"none") + _text(b"none") + _text(b"")
    whole += struct.pack(">I", 1) + _text(blob) + _text(inner)
    text = base64.b64encode(whole).decode()
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    kind = "OPENSSH PRIVATE KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _text(data: bytes) -> bytes:
    """A string of the SSH protocol: its length, then its bytes (RFC 4251)."""
    return struct.pack(">I", len(data)) + data
