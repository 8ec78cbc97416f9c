"""Orders over the local socket: only there, only the owner's, answered one line each."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.lab.direct import SEED
from tests.lab.served import ServedLab


def ask(lab: ServedLab, *orders: Any) -> list[dict[str, Any]]:
    path = lab.state / "control.sock"
    name = os.readlink(path) if path.is_symlink() else str(path)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(name)
        with connection.makefile("rwb") as stream:
            found = []
            for order in orders:
                text = order if isinstance(order, bytes) else json.dumps(order).encode()
                stream.write(text + b"\n")
                stream.flush()
                found.append(json.loads(stream.readline()))
    return found


def test_faults_are_added_listed_and_cleared(lab: ServedLab) -> None:
    fault = {"kind": "status", "status": 500, "text": "no", "path": "/version", "count": 3}
    added, listed = ask(lab, {"do": "add-fault", "fault": fault}, {"do": "list-faults"})
    assert added["ok"] == {"number": 1, **fault, "seen": 0, "fired": 0, "over": False}
    assert listed["ok"] == [added["ok"]]
    assert lab.call("GET", "version").reason == "no"
    listed, cleared, rest = ask(
        lab, {"do": "list-faults"}, {"do": "clear-faults"}, {"do": "list-faults"}
    )
    assert listed["ok"][0]["fired"] == 1
    assert (cleared["ok"], rest["ok"]) == ([1], [])
    assert lab.call("GET", "version").status == 200


def test_one_fault_of_several_is_cleared_by_its_number(lab: ServedLab) -> None:
    for status in (500, 501, 502):
        ask(lab, {"do": "add-fault", "fault": {"kind": "status", "status": status}})
    (cleared,) = ask(lab, {"do": "clear-faults", "numbers": [1, 3]})
    assert cleared["ok"] == [1, 3]
    assert lab.call("GET", "version").status == 501


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (b"junk", "unexpected"),
        ({"do": "explode"}, "an order is one of status, kinds, add-fault"),
        ([1], "an order is one of"),
        ({"do": "add-fault"}, "an object with a kind is needed"),
        ({"do": "add-fault", "fault": {"kind": "x"}}, "'x' is no kind of fault"),
        ({"do": "clear-faults", "numbers": [7]}, "there is no fault 7"),
        ({"do": "export", "file": "/nowhere/x.json"}, "/nowhere/x.json: cannot be written"),
    ],
)
def test_an_order_that_cannot_be_is_refused(lab: ServedLab, order: Any, text: str) -> None:
    refused, status = ask(lab, order, {"do": "status"})
    assert text in refused["error"]
    assert status["ok"]["faults"] == 0


def test_the_socket_is_its_owners_alone_and_goes_with_the_lab(lab: ServedLab) -> None:
    path = lab.state / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(lab.state.stat().st_mode) == 0o700
    lab.restart()
    assert ask(lab, {"do": "status"})[0]["ok"]["realistic"] is False


def test_the_api_knows_nothing_of_faults(lab: ServedLab) -> None:
    for path in ("faults", "cluster/faults", "control"):
        assert lab.call("GET", path).status == 501


def test_a_state_folder_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20)
    folder.mkdir()
    lab = ServedLab(folder, SEED)
    try:
        real = Path(os.readlink(lab.state / "control.sock"))
        assert ask(lab, {"do": "status"})[0]["ok"]["clock"] == 1.0
    finally:
        lab.close()
    assert not real.parent.exists()
