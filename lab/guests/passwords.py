"""Hashes of passwords for `/etc/shadow`: SHA-256 crypt, as Proxmox VE stores `cipassword`.

The algorithm is Ulrich Drepper's (https://www.akkadia.org/drepper/SHA-crypt.txt). The lab uses
the smallest number of rounds the format allows: guests of a lab are not worth attacking, and the
default costs several milliseconds of the one event loop.
"""

from __future__ import annotations

import hashlib
import re
import secrets

ROUNDS = 1000
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HASHED = re.compile(r"\$(?:[156]|2[ay])(\$.+){2}")
_DEFAULT_ROUNDS = 5000


def is_hashed(text: str) -> bool:
    """Whether a password is a hash already, which Proxmox VE then keeps as it is."""
    return _HASHED.match(text) is not None


def hash_password(password: str) -> str:
    """A new hash with a random salt."""
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return sha256_crypt(password, salt, ROUNDS)


def sha256_crypt(password: str, salt: str, rounds: int = _DEFAULT_ROUNDS) -> str:
    """`$5$salt$hash`, with `rounds=` in it when it is not the default of 5000."""
    key, grain = password.encode(), salt.encode()[:16]
    digest = _first_digest(key, grain)
    p = _spread(hashlib.sha256(key * len(key)).digest(), len(key))
    s = _spread(hashlib.sha256(grain * (16 + digest[0])).digest(), len(grain))
    for number in range(rounds):
        first = p if number % 2 else digest
        middle = (s if number % 3 else b"") + (p if number % 7 else b"")
        digest = hashlib.sha256(first + middle + (digest if number % 2 else p)).digest()
    prefix = "$5$" if rounds == _DEFAULT_ROUNDS else f"$5$rounds={rounds}$"
    return f"{prefix}{grain.decode()}${_encode(digest)}"


def _first_digest(key: bytes, salt: bytes) -> bytes:
    other = hashlib.sha256(key + salt + key).digest()
    mixed = key + salt + _spread(other, len(key))
    bits = len(key)
    while bits:
        mixed += other if bits & 1 else key
        bits >>= 1
    return hashlib.sha256(mixed).digest()


def _spread(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encode(digest: bytes) -> str:
    text = ""
    for group in range(10):
        # The three bytes of a group rotate through the digest in the order of the format.
        places = [(group * 21 + offset) % 30 for offset in (0, 10, 20)]
        text += _letters([digest[place] for place in places], 4)
    return text + _letters([0, digest[31], digest[30]], 3)


def _letters(octets: list[int], count: int) -> str:
    value = octets[0] << 16 | octets[1] << 8 | octets[2]
    return "".join(_ALPHABET[value >> 6 * n & 63] for n in range(count))
