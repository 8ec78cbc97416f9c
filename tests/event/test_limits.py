"""Files made to hurt: refused within a second, whatever they hold; and no other error escapes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event.file_text import MAX_BYTES
from event.problems import EventError
from event.read import read_stack
from event.scalars import TrapError, resolve
from event.source import read_source

ROOT = Path(__file__).resolve().parents[2]
ACCEPTED = ROOT / "tests/event/accepted"
HEAD = "config:\n  practicum:event:\n    on: lab\n    clusters: {count: 3}\n"
GROUPS = "    nodeGroups: {head: {image: debian-12}}\n"


def filled(line: str) -> str:
    """The line as often as a file may hold it."""
    return line * ((MAX_BYTES - 1000) // len(line.encode()))


def numbered(line: str, count: int) -> str:
    return "".join(line.format(number) for number in range(count))


HOSTILE = {
    "a bomb of aliases": "config:\n  a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"  {b}: &{b} [{','.join(['*' + a] * 9)}]\n"
        for a, b in zip("abcdefg", "bcdefgh", strict=True)
    ),
    "deep lists": "config: " + "[" * 5000 + "]" * 5000,
    "deep mappings": "".join(" " * level + "a:\n" for level in range(3000)),
    "open brackets": filled("[ "),
    "many items": HEAD + "    sshKeys:\n" + filled("      - a\n"),
    "many keys": HEAD + numbered("    key{}: 1\n", 90_000),
    "many keys of practicum": "config:\n" + numbered("  practicum:e{}: 1\n", 90_000),
    "many config keys": "config:\n" + numbered("  event{}: 1\n", 90_000),
    "many top keys": numbered("config{}: 1\n", 90_000),
    "one key again and again": HEAD + "    on: lab\n" * 40_000,
    "many groups": HEAD + "    nodeGroups:\n" + numbered("      g{}: {{image: x}}\n", 20_000),
    "many unknown clusters": HEAD
    + GROUPS
    + "    overrides:\n"
    + numbered("      d{:04d}: {{title: x}}\n", 2000),
    "many unknown hosts": HEAD
    + GROUPS
    + "    overrides:\n"
    + numbered("      c{:04d}: {{hosts: {{head: pve1, n1: pve2, n2: pve3}}}}\n", 2000),
    "many traps": HEAD + "    retire: [" + "010, " * 40_000 + "1]\n",
    "a long word": HEAD + "    title: " + "x" * 4_900_000 + "\n",
    "a long number": HEAD + "    start: " + "9" * 4_900_000 + "\n",
    "a long key": HEAD + '    "' + "k" * 4_900_000 + '": 1\n',
    "a long alias": HEAD + "    title: *" + "x" * 4_900_000 + "\n",
    "many anchors": HEAD + "    retire: [" + numbered("&a{} 1, ", 90_000) + "1]\n",
    "many tags": HEAD + "    retire: [" + "!x 1, " * 40_000 + "1]\n",
    "many merge keys": HEAD + "    <<: *a\n" * 40_000,
    "many documents": "---\n" * 1_000_000,
    "only comments": filled("# nothing\n"),
    "only blank lines": "\n" * 4_900_000,
    "too large": "#" * (MAX_BYTES + 1),
    "a very long row of hosts": "config: {practicum:site: {hosts: [{name: 'a["
    + "1-999999," * 500_000
    + "1]'}]}}",
    "long free text": HEAD + "    title: '" + "e\u0301" * 1_500_000 + "'\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_a_second(name: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.hostile.yaml"
    path.write_text(HOSTILE[name], encoding="utf-8")
    start = time.process_time()
    with pytest.raises(EventError) as caught:
        read_stack(str(path), ACCEPTED)
    message = str(caught.value)
    took_s = time.process_time() - start
    assert message
    assert len(message) < 100_000
    assert took_s < 1.0


KNOWN = [
    "title",
    "on",
    "clusters",
    "count",
    "prefix",
    "retire",
    "nodeGroups",
    "head",
    "compute",
    "image",
    "cores",
    "memoryMib",
    "diskGib",
    "exposed",
    "host",
    "overrides",
    "c02",
    "hosts",
    "n1",
    "egress",
    "to",
    "port",
    "instructor",
    "network",
    "vlans",
    "private",
    "exposedAddresses",
    "participants",
    "user",
    "sshKeys",
    "vmids",
    "start",
    "x",
    "firstNumber",
    "api",
    "endpoint",
    "storages",
    "shared",
    "images",
    "name",
    "volume",
    "users",
    "backups",
]
KEYS = st.sampled_from(KNOWN) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-10, 300)
    | st.floats()
    | st.sampled_from(
        ["lab", "course", "debian-12", "100-199", "10.0.0.0/16", "pve01", "c02", "010"]
    )
    | st.text(max_size=12)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


def told(stack: str, config: Any = None) -> str:
    """What is told about a stack; any exception but EventError escapes."""
    try:
        read_stack(stack, ACCEPTED, config=config)
    except EventError as error:
        return str(error)
    return "nothing"


@given(event=st.dictionaries(KEYS, TREES, max_size=8))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_no_object_of_the_engine_raises_anything_but_an_event_error(event: dict[str, Any]) -> None:
    assert told("course", {"practicum:event": event})


@given(site=st.dictionaries(KEYS, TREES, max_size=8), lab=TREES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_site_of_the_engine_raises_anything_but_an_event_error(site: Any, lab: Any) -> None:
    assert told("lab", {"practicum:site": site, "practicum:lab": lab})


@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_content_of_a_file_raises_anything_but_an_event_error(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "Pulumi.any.yaml"
    path.write_bytes(b"config:\n  practicum:event:\n    " + content)
    assert told(str(path))


@given(value=TREES)
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_written_in_quotes_is_what_is_read(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.any.yaml"
    document = {"config": {"practicum:event": {"value": quoted(value)}}}
    path.write_text(yaml.safe_dump(document, default_style='"', width=10**9), encoding="utf-8")
    assert read_source(path, path.name).sections["event"].data["value"] == quoted(value)


def quoted(value: Any) -> Any:
    """The value with everything in it as text."""
    if isinstance(value, dict):
        return {str(key): quoted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [quoted(each) for each in value]
    return str(value)


@given(word=st.text(alphabet="0123456789+-._:eExobnyNYtTruaflsoO~", max_size=12))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_an_unquoted_word_means_the_same_to_yaml_1_1_or_is_told(word: str) -> None:
    """PyYAML reads YAML 1.1: what we take as it is, it must take in the same way."""
    try:
        ours = resolve(word)
    except TrapError:
        return
    try:
        theirs = yaml.safe_load(f"- {word}")[0]
    except (yaml.YAMLError, ValueError, AttributeError):
        return
    if isinstance(theirs, (list, dict)):
        return  # a word with a hyphen or colon that starts a collection
    assert ours == theirs or (ours != ours and theirs != theirs)
    assert type(ours) is type(theirs)
