"""The lab as a process: started once, found again, stopped, emptied; refusals in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from event.problems import RunError
from event.stack import SiteStack
from operate import lab_process, lab_verbs
from operate.api import Api, ApiError
from operate.places import Places
from operate.stacks import load

pytestmark = pytest.mark.wire


@pytest.fixture
def site(places: Places) -> Iterator[SiteStack]:
    places.make()
    stack = load("labsite", places)
    assert isinstance(stack, SiteStack)
    yield stack
    lab_process.stop(stack, places)


def client(site: SiteStack, places: Places) -> Api:
    lab = lab_process.status(site, places)
    return Api(lab.endpoint, lab.token_file.read_text().strip(), ca_file=lab.ca_file)


def test_a_lab_starts_once_answers_and_keeps_what_it_holds(site: SiteStack, places: Places) -> None:
    lab, added = lab_process.start(site, places)
    assert lab.running
    assert added
    assert lab_process.start(site, places) == (lab, [])
    api = client(site, places)
    assert [node["node"] for node in api.get("/nodes")] == ["pve01", "pve02"]
    assert lab_process.stop(site, places)
    assert not lab_process.status(site, places).running
    assert not lab_process.stop(site, places)
    with pytest.raises(ApiError) as caught:
        client(site, places).get("/version")
    assert caught.value.kind == "refused"
    again, added = lab_process.start(site, places)
    assert again.pid != lab.pid
    assert added == []
    assert client(site, places).get("/version")["version"]


def test_a_lab_that_was_killed_is_seen_as_stopped(site: SiteStack, places: Places) -> None:
    lab, _ = lab_process.start(site, places)
    assert lab.pid
    os.kill(lab.pid, signal.SIGKILL)
    os.waitpid(lab.pid, 0)
    assert not lab_process.status(site, places).running
    assert lab_process.start(site, places)[0].running


def test_a_lab_whose_guests_cannot_run_here_says_why_and_does_not_start(
    places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places.make()
    file = places.stacks / "Pulumi.labsite.yaml"
    file.write_text(file.read_text().replace("engine: none", "engine: lxc"))
    stack = load("labsite", places)
    assert isinstance(stack, SiteStack)
    monkeypatch.setenv("PATH", str(tmp_path))  # without programs, and perhaps without root
    with pytest.raises(RunError) as caught:
        lab_process.start(stack, places)
    assert "the lab's engine lxc cannot run here: " in str(caught.value)
    assert "apt install lxc" in str(caught.value) or "need root" in str(caught.value)
    assert not lab_process.status(stack, places).running


def test_reset_forgets_everything(site: SiteStack, places: Places) -> None:
    lab, _ = lab_process.start(site, places)
    token = lab.token_file.read_text()
    lab_process.reset(site, places)
    assert not lab.state.exists()
    lab_process.start(site, places)
    assert lab.token_file.read_text() != token


def test_a_user_has_the_lab_remove_files_that_are_not_the_users(
    site: SiteStack, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(path)

    lab, _ = lab_process.start(site, places)
    (lab.state / "guests/101/disk").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.rmtree", refused)
    lab_process.reset(site, places)
    assert not lab.state.exists()


def test_a_port_in_use_names_the_line_of_the_stack_file(
    site: SiteStack, places: Places, port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(RunError) as caught:
        lab_process.start(site, places)
    text = str(caught.value)
    assert "Pulumi.labsite.yaml:4 site.api.endpoint" in text
    assert f"port {port} is in use by another program" in text
    assert len(text.splitlines()) == 1


def test_a_damaged_state_is_refused_in_one_line(site: SiteStack, places: Places) -> None:
    state = places.lab(site.name)
    state.mkdir(parents=True)
    (state / "lab.db").write_bytes(b"not a database, not a database, not a database" * 100)
    with pytest.raises(RunError, match="cannot be started") as caught:
        lab_process.start(site, places)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_real_site_has_no_lab(places: Places) -> None:
    stack = load("site", places)
    assert isinstance(stack, SiteStack)
    with pytest.raises(RunError, match="site is a real site"):
        lab_process.start(stack, places)


def test_the_log_shows_what_was_asked(
    site: SiteStack,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lab_verbs, "site_and_places", lambda _: (site, places))
    lab_process.start(site, places)
    client(site, places).get("/version")
    end = time.monotonic() + 5
    while time.monotonic() < end and not lab_process.status(site, places).requests.read_text():
        time.sleep(0.05)
    lab_verbs.log("labsite", lines=5, follow=False)
    assert re.search(r"^\d\d:\d\d:\d\d\.\d+ 200 .* ms GET +\S*/version", capsys.readouterr().out)
    lab_verbs.status("labsite", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["running"] is True
    assert told["endpoint"] == site.site.api.endpoint
    assert told["nodes"]
    assert Path(told["caFile"]).is_file()
    assert (told["user"], Path(told["passwordFile"]).stat().st_mode & 0o777) == ("root@pam", 0o600)
