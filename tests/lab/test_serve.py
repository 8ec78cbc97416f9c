"""The program: start, refusals in one line, stop, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.lab.direct import SEED
from tests.lab.program import Program
from tests.lab.served import ServedLab


def test_an_answered_write_survives_a_kill(tmp_path: Path, programs: list[Program]) -> None:
    programs.append(Program(tmp_path))
    ready = programs[0].ready()
    client = programs[0].client(ready["endpoint"])
    client.call("POST", "pools", poolid="p").ok()
    upid = client.call("PUT", "nodes/pve1/network").ok()
    assert programs[0].end(signal.SIGKILL) == -signal.SIGKILL
    programs.append(Program(tmp_path))
    client = programs[1].client(programs[1].ready()["endpoint"])
    assert client.call("GET", "pools/p").ok()["poolid"] == "p"
    status = client.call("GET", f"nodes/pve1/tasks/{upid}/status").ok()
    assert status["exitstatus"] in ("OK", "unexpected status")
    assert programs[1].end(signal.SIGTERM) == 0


def test_the_line_at_the_start_says_where_and_what_is_new(
    tmp_path: Path, programs: list[Program]
) -> None:
    programs.append(Program(tmp_path))
    ready = programs[0].ready()
    assert ready["pid"] == programs[0].process.pid
    assert ready["added"][:2] == ["host pve1", "host pve2"]
    assert Path(ready["ca"]).exists()
    assert ready["kept"] == []


def test_a_smaller_seed_takes_nothing_away(lab: ServedLab, tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_text(json.dumps({**SEED, "nodes": SEED["nodes"][:1]}))
    lab.restart()
    assert (lab.server.added, lab.server.kept) == ([], ["host pve2", "host pve3"])
    assert len(lab.get("nodes")) == 3


def test_a_larger_seed_adds_what_is_new(lab: ServedLab, tmp_path: Path) -> None:
    lab.call("PUT", "storage/local", disable="1").ok()
    seed = {**SEED, "nodes": [*SEED["nodes"], {"name": "pve4"}]}
    seed["storages"] = [*SEED["storages"], {"id": "more", "type": "dir", "content": ["iso"]}]
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    lab.restart()
    assert lab.server.added == ["host pve4", "storage more"]
    assert lab.get("storage/local")["disable"] == 1
    assert lab.get("nodes/pve4/network/vmbr0")["active"] == 1


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        ("{", "not readable as JSON"),
        ({"nodes": []}, '"nodes" must list at least one host'),
        ({"nodes": [{}]}, "nodes[0] lacks name"),
        ({"nodes": [{"name": "a"}, {"name": "a"}]}, "two hosts have the same name"),
        (
            {"nodes": [{"name": "a"}], "storages": [{"id": "s"}]},
            "storages[0] lacks type, content",
        ),
        (
            {
                "nodes": [{"name": "a"}],
                "storages": [{"id": "s", "type": "dir", "content": [], "nodes": ["b"]}],
            },
            "s is on unknown hosts: b",
        ),
        (
            {"nodes": [{"name": "a"}], "volumes": [{"volid": "s:iso/x.iso", "sizeMib": 1}]},
            "s:iso/x.iso is on a storage that is not listed",
        ),
    ],
)
def test_a_seed_that_cannot_be_is_refused_in_one_line(tmp_path: Path, seed: Any, text: str) -> None:
    from lab.seed import SeedError, read_seed

    path = tmp_path / "seed.json"
    path.write_text(seed if isinstance(seed, str) else json.dumps(seed))
    with pytest.raises(SeedError) as refused:
        read_seed(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert text in str(refused.value)


def test_a_bad_seed_ends_the_program_with_its_line(tmp_path: Path, programs: list[Program]) -> None:
    programs.append(Program(tmp_path, seed="{"))
    assert "not readable as JSON" in programs[0].refusal()


def test_a_port_in_use_is_refused_in_one_line(tmp_path: Path, programs: list[Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        programs.append(Program(tmp_path, "--port", str(port)))
        assert f"port {port} of 127.0.0.1 cannot be used" in programs[0].refusal()


def test_a_folder_in_use_is_refused_in_one_line(
    lab: ServedLab, tmp_path: Path, programs: list[Program]
) -> None:
    programs.append(Program(tmp_path))
    refusal = programs[0].refusal()
    assert f"belongs to a running lab (process {os.getpid()})" in refusal


def test_a_damaged_database_is_refused_in_one_line(tmp_path: Path, programs: list[Program]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lab.db").write_bytes(b"junk" * 5000)
    programs.append(Program(tmp_path))
    assert "not a usable database" in programs[0].refusal()


def test_a_state_folder_that_cannot_be_made_is_refused_in_one_line(
    tmp_path: Path, programs: list[Program]
) -> None:
    (tmp_path / "state").write_text("a file in the way")
    programs.append(Program(tmp_path))
    assert programs[0].refusal() == f"{tmp_path}/state: File exists"


def test_a_long_log_of_requests_starts_a_new_file(
    lab: ServedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.requestlog.MAX_BYTES", 300)
    for _ in range(10):
        lab.get("version")
        lab.server.log.flush()
    names = sorted(path.name for path in lab.state.glob("requests.jsonl*"))
    assert names == ["requests.jsonl", "requests.jsonl.1", "requests.jsonl.2"]
