"""The guest agent: who is asked, how answers are shown, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lab.engines.none import NoEngine
from lab.guests.record import Guest
from tests.lab.direct import Api, RefusedError

REFUSAL = {"error": {"class": "GenericError", "desc": "no such file"}}


class Talking(NoEngine):
    """An engine in whose guests an agent answers, with one file and one program."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.content = b"h\xc3\xa9llo"
        self.read = 0

    async def agent(self, _guest: Guest, command: str, arguments: dict[str, Any]) -> Any:
        self.asked.append((command, arguments))
        answers: dict[str, Any] = {
            "exec": {"pid": 7},
            "exec-status": {
                "exited": True,
                "exitcode": 3,
                "out-data": base64.b64encode(b"out\n").decode(),
            },
            "file-open": REFUSAL if arguments.get("path") == "/none" else 1000,
            "file-read": self._portion(arguments.get("count", 0)),
            "get-osinfo": {"id": "debian"},
        }
        return answers.get(command, {})

    def _portion(self, count: int) -> dict[str, Any]:
        part = self.content[self.read : self.read + count]
        self.read += len(part)
        at_end = self.read >= len(self.content)
        return {"count": len(part), "buf-b64": base64.b64encode(part).decode(), "eof": at_end}


@pytest.fixture
def engine(api: Api) -> Talking:
    engine = api.lab.engine = Talking()
    api.create(100, agent="1", scsi0="pool:1")
    api.start(100)
    return engine


@pytest.mark.parametrize(
    ("options", "running", "text"),
    [
        ({}, True, "No QEMU guest agent configured"),
        ({"agent": "1"}, False, "VM 100 is not running"),
        ({"agent": "1"}, True, "QEMU guest agent is not running"),
        ({"agent": "0"}, True, "QEMU guest agent is not running"),
    ],
)
@pytest.mark.parametrize(
    ("call", "params"),
    [
        (("POST", "ping"), {}),
        (("GET", "network-get-interfaces"), {}),
        (("POST", "exec"), {"command": "id"}),
        (("GET", "exec-status"), {"pid": "1"}),
        (("GET", "file-read"), {"file": "/etc/hosts"}),
        (("POST", "file-write"), {"file": "/tmp/x", "content": "x"}),
        (("POST", "set-user-password"), {"username": "root", "password": "secret"}),
        (("POST", "fsfreeze-freeze"), {}),
        (("POST", ""), {"command": "info"}),
    ],
)
def test_nobody_answers_without_an_agent_that_runs(
    api: Api, options: dict[str, str], running: bool, text: str, call: tuple[str, str],
    params: dict[str, str],
) -> None:  # fmt: skip
    api.create(100, scsi0="pool:1", **options)
    if running:
        api.start(100)
    with pytest.raises(RefusedError, match=text):
        api.ask(call[0], f"q/100/agent/{call[1]}", **params)


def test_a_plain_answer_is_passed_on(api: Api, engine: Talking) -> None:
    assert api.ask("GET", "q/100/agent/get-osinfo") == {"result": {"id": "debian"}}
    assert api.ask("POST", "q/100/agent", command="get-osinfo") == {"result": {"id": "debian"}}
    assert engine.asked == [("get-osinfo", {})] * 2


def test_a_program_is_started_and_asked_for(api: Api, engine: Talking) -> None:
    assert api.ask("POST", "q/100/agent/exec", command="id", **{"input-data": "in"}) == {"pid": 7}
    wanted = {"path": "id", "arg": [], "capture-output": True, "input-data": "aW4="}
    assert engine.asked[-1] == ("exec", wanted)
    status = api.ask("GET", "q/100/agent/exec-status", pid="7")
    assert status == {"exited": 1, "exitcode": 3, "out-data": "out\n"}


def test_a_file_is_read_as_bytes_or_as_they_were_sent(api: Api, engine: Talking) -> None:
    read = api.ask("GET", "q/100/agent/file-read", file="/f")
    assert read == {"content": "h\u00c3\u00a9llo", "bytes-read": 6}
    engine.read = 0
    part = api.ask("GET", "q/100/agent/file-read", file="/f", count="3", decode="0")
    assert part == {"content": "aMOp", "bytes-read": 3, "truncated": 1}


def test_a_file_is_written_whole(api: Api, engine: Talking) -> None:
    assert api.ask("POST", "q/100/agent/file-write", file="/f", content="text") is None
    assert [command for command, _ in engine.asked] == ["file-open", "file-write", "file-close"]
    assert engine.asked[1][1]["buf-b64"] == base64.b64encode(b"text").decode()


def test_what_has_no_place_in_a_byte_is_not_sent(api: Api, engine: Talking) -> None:
    with pytest.raises(RefusedError, match="Wide character in subroutine entry"):
        api.ask("POST", "q/100/agent/file-write", file="/f", content="\u20ac")
    assert engine.asked == []


def test_a_refusal_of_the_agent_fails_the_call(api: Api, engine: Talking) -> None:
    with pytest.raises(RefusedError, match="Agent error: no such file"):
        api.ask("GET", "q/100/agent/file-read", file="/none")
    assert engine.asked == [("file-open", {"path": "/none"})]


@pytest.mark.parametrize(
    ("path", "params", "name"),
    [
        ("exec", {}, "command"),
        ("set-user-password", {"username": "root", "password": "abcd"}, "password"),
        ("file-write", {"file": "/f"}, "content"),
        ("", {"command": "exec"}, "command"),
        ("ping", {"timeout": "1"}, "timeout"),
    ],
)
def test_parameters_are_checked(api: Api, path: str, params: dict[str, str], name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", f"q/100/agent/{path}", **params)
    assert list(refused.value.errors) == [name]


def test_a_snapshot_holds_the_writes_of_a_guest_whose_agent_answers(
    api: Api, engine: Talking
) -> None:
    api.create(101, agent="1", scsi0="pool:1,format=qcow2")
    api.start(101)
    api.done("POST", "q/101/snapshot", snapname="s1")
    commands = [command for command, _ in engine.asked]
    assert commands == ["ping", "fsfreeze-freeze", "fsfreeze-thaw"]
