"""SHA-256 crypt against values of the reference implementation."""

from __future__ import annotations

import pytest

from lab.guests.passwords import hash_password, is_hashed, sha256_crypt


@pytest.mark.parametrize(
    ("password", "salt", "rounds", "hashed"),
    [
        ("Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("a" * 40, "abcdefgh", 1000, "gUdhiTHlZVCMjTy2Mlp5bcMxsSNxyxnX4x9syOD0qYD"),
    ],
)
def test_hashes_are_those_of_the_c_library(
    password: str, salt: str, rounds: int, hashed: str
) -> None:
    assert sha256_crypt(password, salt, rounds).split("$")[-2:] == [salt, hashed]


def test_a_new_hash_has_a_salt_of_its_own_and_is_recognized() -> None:
    first, second = hash_password("x"), hash_password("x")
    assert first != second
    assert is_hashed(first)
    assert not is_hashed("$5 for a coffee")
