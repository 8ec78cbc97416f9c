"""Why a normal user cannot have guests, in a sentence with what to type; and what it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.engines.lxc import availability, groups
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.errors import TaskError
from lab.rootless import reasons
from lab.rootless.keeper import Keeper

ALL = "0 1000 1\n1 100000 65536\n"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the trial of namespaces says, and files as a user reads them."""
    answer: dict[str, Any] = {"code": 1, "out": "", "err": "unshare: no\n", "files": {}}

    def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        code = answer["code"]
        return subprocess.CompletedProcess(command, code, answer["out"], answer["err"])

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(reasons, "_text", lambda path: answer["files"].get(path))
    monkeypatch.setattr(reasons, "_name", lambda: "anna")
    return answer


def test_a_user_with_all_ids_of_a_guest_has_namespaces(said: dict[str, Any]) -> None:
    said.update(code=0, out=ALL + ALL)
    assert reasons.no_namespaces() is None


@pytest.mark.parametrize("out", [ALL + "0 1000 1\n", "0 1000 1\n1 100000 1000\n" + ALL, ALL, ""])
def test_fewer_ids_than_a_guest_has_are_not_enough(said: dict[str, Any], out: str) -> None:
    said.update(code=0, out=out)
    assert str(reasons.no_namespaces()).startswith("anna has no 65536 subordinate ids")


@pytest.mark.parametrize(
    ("file", "value", "told"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns", "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_forbids_namespaces_is_named(
    said: dict[str, Any], file: str, value: str, told: str
) -> None:
    said["files"] = {f"/proc/sys/{file}": value}
    assert reasons.no_namespaces() == (
        f"users may not make namespaces here; as root type: sysctl {told}"
    )


def test_other_refusals_are_told_in_the_systems_words(said: dict[str, Any]) -> None:
    said["files"] = {"/etc/subuid": "anna:1:2", "/etc/subgid": f"{os.geteuid()}:1:2"}
    assert reasons.no_namespaces() == (
        "this user gets no namespaces (unshare: no); start the lab as root"
    )
    said["err"] = "unshare: unrecognized option '--map-auto'\n"
    assert str(reasons.no_namespaces()).startswith("unshare is older than util-linux 2.38")
    said["files"] = {"/etc/subuid": "anna:1:2", "/etc/subgid": "annabel:1:2"}
    assert str(reasons.no_namespaces()).startswith("anna has no 65536 subordinate ids")


def test_a_user_needs_one_package_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "uidmap" not in availability.missing_packages()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "uidmap" in availability.missing_packages()
    assert str(availability.unavailable()).startswith("programs are missing; on Debian type: apt")


def test_the_users_systemd_is_asked_for_a_group_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert reasons.scope() == []
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert reasons.scope() == []
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd/private").touch()
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/systemd-run")
    assert reasons.scope()[:3] == ["systemd-run", "--user", "--scope"]
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert reasons.scope() == []


def test_a_group_is_the_users_only_where_it_may_be_divided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given, mounts, own = tmp_path / "given", tmp_path / "mounts", tmp_path / "own"
    (given / groups.SERVER).mkdir(parents=True)
    mounts.write_text(f"none {tmp_path} cgroup2 rw 0 0\n")
    writable = {given, given / "cgroup.procs"}
    monkeypatch.setattr(os, "access", lambda path, _how: Path(path) in writable)
    for line in ("0::/given", f"0::/given/{groups.SERVER}"):
        own.write_text(f"3:cpu:/elsewhere\n{line}\n")
        assert groups.place(str(mounts), str(own)) == given
    own.write_text("0::/\n")
    assert groups.place(str(mounts), str(own)) is None
    own.write_text("0::/given\n")
    writable.remove(given / "cgroup.procs")
    assert groups.place(str(mounts), str(own)) is None


@pytest.mark.guests
@pytest.mark.skipif(os.geteuid() != 0, reason="control groups are made by root")
def test_a_guest_is_over_when_its_last_process_is_not_when_its_first_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = groups.place()
    if place is None:
        pytest.skip("no control groups of version 2")
    root = place / f"practicum-test-{os.getpid()}"
    monkeypatch.setattr(Holder, "groups", root)
    container = Container(Holder(tmp_path), 101)
    below = root / "lxc.payload.101/system.slice"
    below.mkdir(parents=True)
    try:
        assert container.over
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
            (below / "cgroup.procs").write_text(str(process.pid))
            assert container.init is None
            assert not container.over
        assert container.over
        container.remove_groups()
        assert list(root.glob("lxc.*")) == []
    finally:
        groups.remove_tree(root)


def test_a_keeper_that_is_gone_is_none(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    assert keeper.pid is None
    (tmp_path / "keeper.json").write_text('{"pid": 1, "start": -5}')
    assert keeper.pid is None
    keeper.end()
    assert not (tmp_path / "keeper.json").exists()


def test_namespaces_that_cannot_be_made_are_told_in_the_systems_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.rootless.keeper.MAKE", ("sh", "-c", "echo unshare: no >&2; exit 1"))
    with pytest.raises(TaskError, match="the lab's namespaces cannot be made: unshare: no"):
        Keeper(tmp_path).make()
    assert not (tmp_path / "keeper.json").exists()
