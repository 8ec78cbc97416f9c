"""SSH as the second way: taken when the agent is silent and SSH answers, and the reason is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from operate.contextualize.agent import Agent
from operate.contextualize.applier import ClusterReport, GuestReport, lines
from operate.contextualize.ssh_way import AgentOrSsh, Rooms, Ssh
from operate.contextualize.way import GuestError
from operate.places import Places
from plan.plan import plan_event
from tests.operate.contextualize.guests import FolderApi, agent
from tests.plan.making import event_stack

SECRET = "5e" * 32
# As much of OpenSSH's client as there is to our side of it: it notes its words, asks for the
# password, and runs the command here, with a sudo that asks as well.
CLIENT = """\
#!/bin/sh
[ "$SSH_ASKPASS_REQUIRE" = force ] || exit 9
echo "$*" >>{folder}/words
[ "$("$SSH_ASKPASS")" = "$(cat "$PRACTICUM_PASSWORD")" ] || exit 9
case "$*" in
    *StrictHostKeyChecking=no*) ;;
    *) if [ -e {folder}/other-key ]; then echo "Host key verification failed." >&2; exit 255; fi ;;
esac
if [ -e {folder}/closed ]; then echo "Connection refused" >&2; exit 255; fi
for last in "$@"; do :; done
PATH={folder}/bin:$PATH exec sh -c "$last"
"""
SUDO = '#!/bin/sh\nIFS= read -r password\necho "$password" >{folder}/sudo\nshift 3\nexec "$@"\n'


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for ssh and sudo on PATH; the folder that they note things in."""
    (tmp_path / "bin").mkdir()
    for name, text in (("ssh", CLIENT), ("sudo", SUDO)):
        program = tmp_path / "bin" / name
        program.write_text(text.format(folder=tmp_path))
        program.chmod(0o755)
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def way(folder: Path, silent: int, *, any_key: bool = False) -> AgentOrSsh:
    """A way to c07-head, whose agent leaves so many questions without an answer."""
    stack = event_stack(contextualize={"level": "base"})
    plan = plan_event(stack)
    guest = next(each for each in plan.guests if each.name == "c07-head")
    rooms = Rooms(stack, plan, SECRET, Places(root=folder, state=folder / "state"))
    one: Agent = agent(FolderApi(folder / "guest", silent=silent))
    now = iter(range(0, 10**7, 20))
    ssh = Ssh(guest=guest, rooms=rooms, any_key=any_key)
    return AgentOrSsh(agent=one, ssh=ssh, clock=lambda: float(next(now)))


def test_an_agent_that_answers_is_the_way(client: Path) -> None:
    found = way(client, silent=3)
    found.wait()
    assert (found.told, (client / "words").exists()) == ("", False)


def test_where_it_is_silent_ssh_is_the_way_and_the_reason_is_told(client: Path) -> None:
    found = way(client, silent=10**6)
    found.wait()
    assert found.told.startswith("by SSH, since its agent did not answer within 30 s (QEMU guest")
    assert found.python("print(6 * 7)") == "42\n"
    assert (client / "sudo").read_text() == found.ssh.rooms.password(found.ssh.guest) + "\n"


def test_where_neither_answers_both_are_told(client: Path) -> None:
    (client / "closed").touch()
    with pytest.raises(
        GuestError, match=r"within 600 s .*, nor did SSH .Connection refused"
    ) as got:
        way(client, silent=10**6).wait()
    assert got.value.cause == "silent"


def test_another_host_key_is_taken_only_where_the_stack_file_says_so(client: Path) -> None:
    (client / "other-key").touch()
    with pytest.raises(GuestError, match=r"nor did SSH .Host key verification failed"):
        way(client, silent=10**6).wait()
    found = way(client, silent=10**6, any_key=True)
    found.wait()
    assert found.python("print(1)") == "1\n"


def test_no_password_is_among_the_clients_words(client: Path) -> None:
    found = way(client, silent=10**6)
    found.wait()
    found.python("print(1)")
    secret = found.ssh.rooms.password(found.ssh.guest)
    assert secret not in (client / "words").read_text()
    folder = found.ssh.rooms.folder()
    assert {each.stat().st_mode & 0o077 for each in (folder, *folder.iterdir())} == {0}


def test_a_cluster_says_which_guest_was_reached_by_ssh() -> None:
    told = GuestReport(guest="c07-n1", state="done", way="by SSH, since its agent is silent")
    report = ClusterReport(cluster="c07", guests=(told,), checks=told)
    assert lines(report) == [
        "c07: 1 guests prepared",
        "  c07-n1: by SSH, since its agent is silent",
    ]
