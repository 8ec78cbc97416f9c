"""An export is plain JSON, and a lab that imports it is the same cluster."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.archive import ArchiveError, export, load, read
from lab.store import Store
from tests.lab.direct import SEED
from tests.lab.served import ServedLab


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fill(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p", comment="ünïcode").ok()
    upid = lab.call("POST", "nodes/pve1/qemu", vmid="100", scsi0="pool:8", pool="p").ok()
    lab.finish(upid)
    lab.call("POST", "access/users", userid="u@pve", password="long enough").ok()


def view(lab: ServedLab) -> list[Any]:
    paths = ("pools/p", "nodes/pve1/qemu/100/config", "access/users", "nodes/pve1/tasks", "storage")
    found = [lab.get(path) for path in paths]
    for member in found[0]["members"]:
        member.pop("uptime", None)
    return found


def test_another_lab_that_imports_an_export_is_the_same_cluster(tmp_path: Path) -> None:
    first = ServedLab(tmp_path, SEED)
    fill(first)
    before, state = view(first), first.state
    first.close()
    file, other = tmp_path / "lab.json", tmp_path / "other"
    assert json.loads(program("export", str(file), "--state", str(state)).stdout)["objects"] > 10
    done = program("import", str(file), "--state", str(other / "state"))
    assert json.loads(done.stdout)["withoutFile"] == []
    second = ServedLab(other, SEED)
    try:
        assert view(second) == before
        ticket = {"username": "u@pve", "password": "long enough"}
        assert second.client_with({}).call("POST", "access/ticket", **ticket).status == 200
    finally:
        second.close()


def test_an_export_is_its_owners_alone_and_has_no_token_of_the_folder(lab: ServedLab) -> None:
    target = lab.state.parent / "lab.json"
    export(lab.lab.store, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    content = json.loads(target.read_text())
    assert (content["format"], content["version"]) == ("practicum-lab", 1)
    assert not [entry for entry in content["objects"] if entry["kind"] == "token"]
    secret = (lab.state / "token").read_text().strip().partition("=")[2]
    assert secret not in target.read_text()


def test_an_import_takes_the_place_of_everything_in_the_order_of_the_export(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "lab.db")
    for key in "cab":
        store.put("k", key, {"n": key})
    store.commit()
    export(store, tmp_path / "x.json")
    store.put("k", "z", {})
    store.put("token", "root@pam!practicum", {"of_lab": True})
    store.delete("k", "c")
    store.put("k", "c", {"n": "other"})
    load(store, read(tmp_path / "x.json"), tmp_path)
    store.close()
    store = Store(tmp_path / "lab.db")
    assert store.items("k") == [(key, {"n": key}) for key in "cab"]
    assert store.count("token") == 1


def test_volumes_whose_file_is_elsewhere_are_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "lab.db")
    (tmp_path / "here").touch()
    entries = [
        {"kind": "volume", "key": name, "value": {"volid": name, "file": name}}
        for name in ("here", "gone")
    ]
    assert load(store, entries, tmp_path) == ["gone"]
    assert store.get("volume", "gone") == {"volid": "gone"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "not readable as JSON"),
        ("[]", 'not an export of a lab ("format" is not "practicum-lab")'),
        ({"format": "practicum-lab", "version": 9}, "version 9, this lab reads 1"),
        ({"objects": {}}, '"objects" is not a list'),
        ({"objects": [{"kind": "a"}]}, "objects[0] is not an object of kind, key and value"),
        ({"objects": [{"kind": "a", "key": 1, "value": {}}]}, "kind and key are not texts"),
        ({"objects": [{"kind": "a", "key": "b", "value": 1}]}, "the value of a b is not an object"),
        (
            {"objects": [{"kind": "a", "key": "b", "value": {}}] * 2},
            "objects[1]: a b is there twice",
        ),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: Any, text: str) -> None:
    path = tmp_path / "x.json"
    if isinstance(content, dict):
        content = json.dumps({"format": "practicum-lab", "version": 1, **content})
    path.write_text(content)
    with pytest.raises(ArchiveError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}")
    assert text in str(refused.value)


def test_a_lab_that_runs_is_not_imported_into(lab: ServedLab, tmp_path: Path) -> None:
    export(lab.lab.store, tmp_path / "x.json")
    done = program("import", str(tmp_path / "x.json"), "--state", str(lab.state))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "belongs to a running lab" in done.stderr


def test_there_is_no_export_of_nothing(tmp_path: Path) -> None:
    done = program("export", str(tmp_path / "x.json"), "--state", str(tmp_path / "state"))
    assert (done.returncode, done.stderr) == (1, f"{tmp_path / 'state'} holds no lab\n")
