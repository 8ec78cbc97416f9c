"""Contextualization at work: the carrier on a guest, the agent in between, the reports."""

from __future__ import annotations

import errno
import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest

from operate.api import ApiError
from operate.contextualize.agent import INPUT
from operate.contextualize.applier import ClusterReport, apply_cluster, lines
from operate.contextualize.carrier import BEFORE, RECORD, carry_out
from operate.contextualize.way import GuestError
from plan.contextualize.orders import ClusterOrders, File, Orders, Script
from tests.operate.contextualize.guests import FolderApi, agent

ME = getpass.getuser()


def orders(*files: File, scripts: tuple[Script, ...] = (), **more: Any) -> dict[str, Any]:
    one = Orders(guest="c07-head", vmid=100701, level="base", files=files, scripts=scripts)
    return one.as_json(**more)


def file(path: str = "/etc/motd", text: str = "hello\n", **more: Any) -> File:
    return File(path=path, text=text, owner=ME, **more)


def later(path: Path, text: str) -> None:
    """Somebody on the guest writes a file after ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (2**31 - 10, 2**31 - 10))


def test_files_come_with_their_folders_modes_and_texts(tmp_path: Path) -> None:
    report = carry_out(orders(file("/srv/keys/x/id", "key", mode="0600")), str(tmp_path))
    assert report == {
        "written": ["/srv/keys/x/id"], "kept": [], "ran": [], "due": [], "failed": None,
    }  # fmt: skip
    there = tmp_path / "srv/keys/x/id"
    assert (there.read_text(), there.stat().st_mode & 0o777) == ("key", 0o600)
    assert there.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_orders_again_change_nothing(tmp_path: Path) -> None:
    script = Script(name="mark", text=f"echo once >>{tmp_path}/ran")
    carry_out(orders(file(), scripts=(script,)), str(tmp_path))
    before = (tmp_path / "etc/motd").stat().st_mtime_ns
    report = carry_out(orders(file(), scripts=(script,)), str(tmp_path))
    assert (report["written"], report["ran"]) == ([], [])
    assert (tmp_path / "etc/motd").stat().st_mtime_ns == before
    assert (tmp_path / "ran").read_text() == "once\n"


def test_what_the_system_brought_is_replaced_at_the_first_time(tmp_path: Path) -> None:
    later(tmp_path / "etc/motd", "Debian\n")
    assert carry_out(orders(file()), str(tmp_path))["written"] == ["/etc/motd"]


@pytest.mark.parametrize("change", ["edited", "removed", "made"])
def test_what_participants_changed_is_left_alone(tmp_path: Path, change: str) -> None:
    carry_out(orders(file()), str(tmp_path))
    motd, other = tmp_path / "etc/motd", tmp_path / "etc/other"
    if change == "edited":
        later(motd, "ours\n")
    elif change == "removed":
        motd.unlink()
    else:
        later(other, "ours\n")
    wanted = file("/etc/other", "new") if change == "made" else file(text="new\n")
    report = carry_out(orders(wanted), str(tmp_path))
    assert report["kept"] == [wanted.path]
    assert not motd.exists() if change == "removed" else "new" not in motd.read_text()


def test_force_replaces_it_and_keeps_what_was_there(tmp_path: Path) -> None:
    carry_out(orders(file()), str(tmp_path))
    later(tmp_path / "etc/motd", "ours\n")
    report = carry_out(orders(file(text="new\n"), force=True), str(tmp_path))
    assert report["written"] == ["/etc/motd"]
    assert (tmp_path / "etc/motd").read_text() == "new\n"
    assert (tmp_path / BEFORE / "etc/motd").read_text() == "ours\n"


def test_a_change_of_orders_reaches_what_nobody_touched(tmp_path: Path) -> None:
    carry_out(orders(file()), str(tmp_path))
    assert carry_out(orders(file(text="new\n")), str(tmp_path))["written"] == ["/etc/motd"]


def test_scripts_get_their_input_and_run_in_order(tmp_path: Path) -> None:
    scripts = (
        Script(name="one", text=f"cat >{tmp_path}/secret", given="root:pw\n"),
        Script(name="two", text=f"test -s {tmp_path}/secret"),
    )
    assert carry_out(orders(scripts=scripts), str(tmp_path))["ran"] == ["one", "two"]
    assert (tmp_path / "secret").read_text() == "root:pw\n"


def test_a_script_that_fails_stops_the_rest_and_runs_again_next_time(tmp_path: Path) -> None:
    scripts = (
        Script(name="one", text="true"),
        Script(name="two", text=f"test -e {tmp_path}/there || {{ echo no room; exit 3; }}"),
        Script(name="three", text="true"),
    )
    report = carry_out(orders(scripts=scripts), str(tmp_path))
    assert report["failed"] == {"name": "two", "why": "no room"}
    assert report["ran"] == ["one"]
    (tmp_path / "there").touch()
    report = carry_out(orders(scripts=scripts), str(tmp_path))
    assert (report["failed"], report["ran"]) == (None, ["two", "three"])


def test_a_script_runs_again_when_a_file_of_its_level_has_changed(tmp_path: Path) -> None:
    def with_text(text: str) -> dict[str, Any]:
        conf = file("/etc/x.conf", text)
        return orders(conf, scripts=(Script(name="restart", text="true", files=(conf,)),))

    carry_out(with_text("1"), str(tmp_path))
    assert carry_out(with_text("1"), str(tmp_path))["ran"] == []
    assert carry_out(with_text("2"), str(tmp_path))["ran"] == ["restart"]


def test_a_damaged_record_is_as_none(tmp_path: Path) -> None:
    carry_out(orders(file()), str(tmp_path))
    (tmp_path / RECORD).write_text("{ torn")
    assert carry_out(orders(file()), str(tmp_path))["failed"] is None


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("no folder")
    report = carry_out(orders(file()), str(tmp_path))
    assert report["failed"]["name"] == "/etc/motd"


def test_a_full_disk_is_told_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        report = carry_out(orders(file()), str(tmp_path))
    assert report["failed"] == {"name": "/etc/motd", "why": "No space left on device"}
    assert list((tmp_path / "etc").iterdir()) == []
    assert carry_out(orders(file()), str(tmp_path))["written"] == ["/etc/motd"]


def test_a_record_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("no folder")
    report = carry_out(orders(file()), str(tmp_path))
    assert (report["written"], report["failed"]["name"]) == (["/etc/motd"], f"/{RECORD}")


@pytest.mark.parametrize("lost", ["Remote end closed connection without response", "no answer"])
def test_a_connection_that_breaks_is_made_again(tmp_path: Path, lost: str) -> None:
    api = FolderApi(tmp_path, broken=ApiError("foreign", lost))
    head = ClusterOrders(cluster="c07", guests=cluster().guests[:1])
    assert apply_cluster(head, lambda _: agent(api)).ok
    assert api.broken is None


def test_an_agent_is_waited_for(tmp_path: Path) -> None:
    api = FolderApi(tmp_path, silent=5)
    one = agent(api)
    one.wait()
    assert one.carry_out(orders(file()))["written"] == ["/etc/motd"]


def test_an_agent_that_never_answers_is_told_as_silent(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="did not answer within 600 s") as raised:
        agent(FolderApi(tmp_path, silent=100_000)).wait()
    assert raised.value.cause == "silent"


def test_no_secret_is_in_an_argument(tmp_path: Path) -> None:
    api = FolderApi(tmp_path)
    secret = "canary-4d8f"
    script = Script(name="password", text="cat >/dev/null", given=secret)
    agent(api).carry_out(orders(file(text=secret), scripts=(script,)))
    assert not [word for word in api.argv if secret in word]


def test_orders_longer_than_one_call_go_in_parts(tmp_path: Path) -> None:
    noise = os.urandom(3 * INPUT).hex()
    assert agent(FolderApi(tmp_path)).carry_out(orders(file(text=noise)))["failed"] is None
    assert (tmp_path / "etc/motd").read_text() == noise


def cluster(*scripts: Script) -> ClusterOrders:
    head = Orders(
        guest="c07-head", vmid=1, level="base", files=(file(),), scripts=(), checks=scripts
    )
    node = Orders(guest="c07-n1", vmid=2, level="base", files=(file(),), scripts=())
    return ClusterOrders(cluster="c07", guests=(head, node))


def apply(tmp_path: Path, one: ClusterOrders, **more: Any) -> ClusterReport:
    apis = {each.vmid: FolderApi(tmp_path / str(each.vmid), **more) for each in one.guests}
    return apply_cluster(one, lambda each: agent(apis[each.vmid]))


def test_a_cluster_is_prepared_when_its_check_says_so(tmp_path: Path) -> None:
    report = apply(tmp_path, cluster(Script(name="check", text="true")))
    assert report.ok
    assert lines(report) == ["c07: 2 guests prepared"]


def test_a_check_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    report = apply(tmp_path, cluster(Script(name="check", text="echo n1 is deaf; exit 1")))
    assert not report.ok
    assert lines(report) == ["c07: not as ordered", "  c07-head: check: n1 is deaf"]


def test_an_answer_that_got_lost_is_asked_for_again(tmp_path: Path) -> None:
    assert apply(tmp_path, cluster(), lost=1).ok


def test_a_guest_that_is_missing_stops_no_other(tmp_path: Path) -> None:
    one = cluster()
    report = apply_cluster(one, lambda each: agent(FolderApi(tmp_path)) if each.vmid == 2 else None)
    assert [each.state for each in report.guests] == ["missing", "done"]
    assert lines(report)[1] == "  c07-head: missing: the site has no guest 1"
    assert json.loads(json.dumps(report.checks)) is None
