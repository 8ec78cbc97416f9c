"""A state that cannot be read is refused with its copies; a whole one is not touched."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from event.problems import RunError
from operate.state_file import stop_if_torn


def body(stack: str = "event", resources: int = 3) -> bytes:
    """A state as the engine's file backend writes it."""
    urns = [f"urn:pulumi:{stack}::practicum::a:b:C::{number}" for number in range(resources)]
    latest = {"resources": [{"urn": urn, "type": "a:b:C"} for urn in urns]}
    name = f"organization/practicum/{stack}"
    return json.dumps({"version": 3, "checkpoint": {"stack": name, "latest": latest}}).encode()


def state(folder: Path, content: bytes) -> Path:
    path = folder / ".pulumi" / "stacks" / "practicum" / "event.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def copy(folder: Path, number: int, content: bytes) -> Path:
    path = folder / ".pulumi" / "backups" / "practicum" / "event" / f"event.{number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(number, number))
    return path


def said(folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        stop_if_torn(f"file://{folder}", "event")
    return str(caught.value)


def test_whole_states_and_those_that_are_no_files_are_not_our_business(tmp_path: Path) -> None:
    stop_if_torn(f"file://{tmp_path}", "event")
    stop_if_torn("s3://bucket", "event")
    path = state(tmp_path, body())
    stop_if_torn(f"file://{tmp_path}", "event")
    path.write_bytes(body(resources=0))
    stop_if_torn(f"file://{tmp_path}", "event")
    path.with_name("event.json.gz").write_bytes(gzip.compress(body()))
    stop_if_torn(f"file://{tmp_path}", "event")


@pytest.mark.parametrize("torn", [b"", b'{"user.cache_control":"","md'])
def test_torn_attributes_of_a_whole_state_are_removed_and_others_stay(
    tmp_path: Path, torn: bytes
) -> None:
    path = state(tmp_path, body())
    whole = b'{"md5":"h8kuV5Xou3JiDEPD+p1Tiw=="}\n'
    wanted = {}
    for place, content, kept in (
        (path.with_name("event.json.attrs"), torn, False),
        (path.with_name("event.json.bak.attrs"), torn, False),
        (tmp_path / ".pulumi" / "meta.yaml.attrs", torn, False),
        (path.with_name("events.json.attrs"), torn, True),
        (path.with_name("event.json.gz.attrs"), whole, True),
    ):
        place.write_bytes(content)
        wanted[place] = kept
    stop_if_torn(f"file://{tmp_path}", "event")
    assert {place: place.exists() for place in wanted} == wanted
    assert path.read_bytes() == body()


def test_a_state_torn_at_any_byte_is_refused(tmp_path: Path) -> None:
    whole = body()
    for length in range(len(whole)):
        path = state(tmp_path, whole[:length])
        assert str(path) in said(tmp_path)
        assert path.read_bytes() == whole[:length]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\0" * 4096, "is empty"),
        (body()[:40], "is torn"),
        (gzip.compress(body())[:60], "is torn"),
        (b"\xff\xfe", "is torn"),
        (b"[]", "is no state of Pulumi's"),
        (b'{"version": 3}', "is no state of Pulumi's"),
        (body("sc09"), "is the state of sc09"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, content: bytes, problem: str) -> None:
    path = state(tmp_path, content)
    assert f"{path}: the stack's state {problem}" in said(tmp_path)


def test_copies_are_named_newest_first_without_those_that_are_torn(tmp_path: Path) -> None:
    path = state(tmp_path, b"{")
    old, new = copy(tmp_path, 100, body()), copy(tmp_path, 300, body(resources=4))
    copy(tmp_path, 400, b'{"version"')
    text = said(tmp_path)
    assert f"newest first: {new}, {old}." in text
    typed = re.search(r"type: (cp .*) and then", text)
    assert typed is not None
    subprocess.run(shlex.split(typed[1]), check=True)
    assert path.read_bytes() == body(resources=4)
    stop_if_torn(f"file://{tmp_path}", "event")


def test_without_a_copy_the_site_itself_is_the_copy(tmp_path: Path) -> None:
    path = state(tmp_path, b"{")
    typed = re.search(r"type: (mv .*) and then", said(tmp_path))
    assert typed is not None
    subprocess.run(shlex.split(typed[1]), check=True)
    assert not path.exists()
    stop_if_torn(f"file://{tmp_path}", "event")
