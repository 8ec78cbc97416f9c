"""remote:Command and remote:CopyToRemote through the real engine and a real SSH connection."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.toolchain.command.stack import Stack
from tests.toolchain.command.test_command_lifecycle import counts

pytestmark = pytest.mark.engine

_SOURCES = Path(__file__).resolve().parents[3] / "toolchain" / "command"
_PACKAGE = "./internal/sshtest/loopback"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """An SSH server on the loopback interface: its port, host key and password."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go compiler on PATH to build the test server with")
    program = tmp_path_factory.mktemp("ssh") / "loopback"
    build = ["nice", go, "build", "-p", "2", "-trimpath", "-o", str(program), _PACKAGE]
    subprocess.run(build, cwd=_SOURCES, check=True)
    with subprocess.Popen(
        [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def connection(server: dict[str, Any], **further: object) -> dict[str, object]:
    """The input that reaches the server."""
    return {
        "host": "127.0.0.1",
        "port": server["port"],
        "host_key": server["hostKey"],
        "password": {"secret": server["password"]},
        "dial_error_limit": 1,
        **further,
    }


def remote_command(server: dict[str, Any], **args: object) -> dict[str, object]:
    """A remote Command `it`."""
    args = {"connection": connection(server), **args}
    return {"name": "it", "type": "remote.Command", "args": args}


def test_a_remote_command_runs_once_and_its_connection_is_no_difference(
    stack: Callable[[], Stack], server: dict[str, Any], tmp_path: Path
) -> None:
    it, log = stack(), tmp_path / "log"
    declared = remote_command(server, create=f"cat >> {log}; cat {log}", stdin="ran\n",
                              delete=f"echo deleted >> {log}")  # fmt: skip
    it.declare([declared])
    said = [it.preview(), it.up()]
    assert it.outputs()["it"] == "ran"
    assert counts(it.up()) == {"unchanged": 2}
    it.destroy()
    assert log.read_text() == "ran\ndeleted\n"
    assert not [text for text in (*said, it.kept()) if server["password"] in text]


def test_a_connection_goes_through_a_proxy(
    stack: Callable[[], Stack], server: dict[str, Any]
) -> None:
    it = stack()
    through = connection(server, proxy=connection(server))
    it.declare([remote_command(server, create="echo through", connection=through)])
    it.up()
    assert it.outputs()["it"] == "through"


def test_a_wrong_host_key_stops_the_command(
    stack: Callable[[], Stack], server: dict[str, Any], tmp_path: Path
) -> None:
    it, mark = stack(), tmp_path / "ran"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    wrong = connection(server, host_key=key)
    it.declare([remote_command(server, create=f"touch {mark}", connection=wrong)])
    assert "host key" in it.failing_up()
    assert not mark.exists()


def test_files_texts_and_folders_are_copied_and_copied_again_only_when_changed(
    stack: Callable[[], Stack], server: dict[str, Any], tmp_path: Path
) -> None:
    it, here, there = stack(), tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    (here / "deep" / "file").write_text("in a folder")
    (here / "file").write_text("a file")

    def declare(text: str) -> None:
        sources = {
            "text": {"text": text},
            "file": {"file": str(here / "file")},
            "folder": {"archive": str(here)},
        }
        it.declare([
            {"name": name, "type": "remote.CopyToRemote",
             "args": {"connection": connection(server), "source": source,
                      "remote_path": str(there / name)}}
            for name, source in sources.items()
        ])  # fmt: skip

    declare("welcome")
    it.up()
    assert (there / "text").read_text() == "welcome"
    assert (there / "file").read_text() == "a file"
    assert (there / "folder" / "here" / "deep" / "file").read_text() == "in a folder"
    assert counts(it.up()) == {"unchanged": 4}
    declare("changed")
    (there / "file").unlink()
    assert counts(it.up()) == {"updated": 1, "unchanged": 3}
    assert (there / "text").read_text() == "changed"
    assert not (there / "file").exists(), "what is unchanged is not copied again"
    it.destroy()
    assert (there / "text").exists(), "a copy outlives its resource"


def test_a_host_that_only_an_update_knows_passes_a_preview(
    stack: Callable[[], Stack], server: dict[str, Any]
) -> None:
    it = stack()
    unknown = connection(server, host={"stdout": "address"})
    it.declare([
        {"name": "address", "type": "local.Command", "args": {"create": "echo 127.0.0.1"}},
        remote_command(server, create="echo reached", connection=unknown),
    ])  # fmt: skip
    it.preview()
    it.up()
    assert it.outputs()["it"] == "reached"
