"""Passwords and keys follow from the secret and a label, and are strong."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from event.problems import RunError
from plan import secrets
from plan.identity import HOST_KEY_PATH, KNOWN_HOSTS_PATH, host_key, identity_documents
from tests.plan.making import planned

SECRET = "6f" * 32
OTHER = "70" * 32


def test_the_same_secret_and_label_give_the_same_password() -> None:
    assert secrets.password(SECRET, "password/sc09/c07") == secrets.password(
        f"{SECRET}\n", "password/sc09/c07"
    )


def test_this_release_derives_what_earlier_ones_did() -> None:
    assert secrets.password(SECRET, "password/sc09/c07") == "wcu6-qid3-dua4-ghtn-8b5d-6tb9"
    assert (
        secrets.ssh_key(SECRET, "host-key/sc09/c07-n1", "c07-n1").fingerprint
        == "SHA256:Yq2K0kmnWsxIQiPeT6N2A97iaLR2PJXz9mTy7TqAQE0"
    )


def test_another_label_or_secret_gives_another_password() -> None:
    labels = [f"password/sc09/c{number:02d}" for number in range(500)]
    passwords = {secrets.password(SECRET, label) for label in labels}
    passwords |= {secrets.password(OTHER, label) for label in labels}
    assert len(passwords) == 1000


def test_a_password_is_long_and_of_characters_that_nobody_mistakes() -> None:
    counts: Counter[str] = Counter()
    for number in range(2000):
        letters = secrets.password(SECRET, str(number)).replace("-", "")
        assert len(letters) == 24
        counts.update(letters)
    assert set(counts) == set(secrets.ALPHABET)
    assert not set("0Oo1lI") & set(counts)
    assert max(counts.values()) < 1.2 * min(counts.values())


@pytest.mark.parametrize("weak", ["", "qwerty", "f" * 31, " " * 64])
def test_a_weak_secret_is_refused_without_being_shown(weak: str) -> None:
    with pytest.raises(RunError) as caught:
        secrets.password(weak, "password/sc09/c07")
    assert "openssl rand -hex 32" in str(caught.value)
    assert not weak.strip() or weak not in str(caught.value)


def test_a_key_is_an_ed25519_key_that_libraries_read() -> None:
    key = secrets.ssh_key(SECRET, "host-key/sc09/c07-n1", "c07-n1")
    private = serialization.load_ssh_private_key(key.private.encode(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert key.public == f"{public.decode()} c07-n1"


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_openssh_itself_reads_the_private_key(tmp_path: Path) -> None:
    key = secrets.ssh_key(SECRET, "host-key/sc09/c07-n1", "c07-n1")
    path = tmp_path / "key"
    path.write_text(key.private)
    path.chmod(0o600)
    for option, expected in (("-y", key.public.rpartition(" ")[0]), ("-l", key.fingerprint)):
        shown = subprocess.run(
            ["ssh-keygen", option, "-f", str(path)], capture_output=True, text=True, check=True
        )
        assert expected in shown.stdout


def test_the_text_of_a_key_is_the_same_each_time_and_another_for_each_guest() -> None:
    assert host_key(SECRET, "sc09", "c07-n1") == host_key(SECRET, "sc09", "c07-n1")
    assert host_key(SECRET, "sc09", "c07-n1").private != host_key(SECRET, "sc09", "c07-n2").private
    assert host_key(SECRET, "sc09", "c07-n1").private != host_key(SECRET, "sc10", "c07-n1").private


def test_no_representation_shows_a_private_key() -> None:
    plan = planned()
    key = host_key(SECRET, "sc09", "c07-n1")
    documents = identity_documents(plan, plan.clusters[6].guests[1], SECRET)
    shown = repr(key) + repr(documents) + repr(plan)
    assert "PRIVATE KEY" not in shown
    assert SECRET not in shown


def test_a_guest_gets_its_key_and_knows_the_nodes_of_its_own_cluster_only() -> None:
    plan = planned(clusters={"count": 3})
    documents = identity_documents(plan, plan.clusters[1].guests[1], SECRET)
    texts = {document.path: document.text for document in documents}
    modes = {document.path: document.mode for document in documents}
    assert texts[HOST_KEY_PATH] == host_key(SECRET, "sc09", "c02-n1").private
    assert modes[HOST_KEY_PATH] == "0600"
    lines = texts[KNOWN_HOSTS_PATH].splitlines()
    assert lines[0].startswith("head,c02-head,10.0.2.1 ssh-ed25519 ")
    assert lines[1].startswith("n1,c02-n1,10.0.2.11 ssh-ed25519 ")
    assert len(lines) == 5
    assert "c01" not in texts[KNOWN_HOSTS_PATH]


def test_the_instructors_node_knows_the_nodes_of_all_clusters() -> None:
    plan = planned(clusters={"count": 3})
    assert plan.instructor is not None
    known = identity_documents(plan, plan.instructor, SECRET)[-1].text
    assert known.count("\n") == 15
    assert "\nc02-n1,10.0.2.11 ssh-ed25519 " in known
    assert "\nhead," not in known
