"""What breaks while clusters are prepared: others finish, the report names what is missing and what
to type, and the next `up` completes it.

Each test ends with an event that is as ordered; those of the sweep take their time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from image.mirror import sources
from tests.engine.practice import Run
from tests.guests.ground import DEADLINE_S
from tests.guests.pair import HEADS, NODES, Pair

pytestmark = pytest.mark.guests
SWEEP = pytest.mark.skipif(not os.environ.get("PRACTICUM_SWEEP"), reason="goes with --sweep")
QUICK = "bootTimeoutS: 10"
SILENT = ("status", "--status", "500", "--text", "QEMU guest agent is not running")
SSHD = "/etc/ssh/sshd_config.d"
HELLO = """\
#!/bin/sh -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o APT::Update::Error-Mode=any update
apt-get -qy install hello
"""
WAITS = """\
#!/bin/sh
echo begun >>/srv/begun
until [ -e /srv/go ]; do sleep 0.2; done
echo done >>/srv/done
"""


@pytest.fixture
def event(pair: Pair) -> Pair:
    """The event with all of its guests there and prepared: names, keys, password."""
    pair.contextualize("level: base", QUICK)
    pair.good("up", "laptop")
    return pair


@contextmanager
def fault(pair: Pair, *words: str) -> Iterator[None]:
    """A fault of the lab, gone afterwards."""
    lab = ("--lab", str(pair.file("lab")))
    added = pair.call("lab", "faults", "add", *words, *lab)
    assert added.returncode == 0, added.stderr
    try:
        yield
    finally:
        pair.call("lab", "faults", "clear", *lab)


def told(run: Run) -> str:
    """What a run that failed has told of clusters; it says how to go on."""
    assert run.code == 1
    assert run.summary["next"].startswith("./practicum up ")
    assert "Traceback" not in run.texts + run.errors
    return "\n".join([*run.summary["failed"].values(), run.texts])


def wait_for(pair: Pair, vmid: str, file: str) -> None:
    """Until a file is on a guest."""
    pair.on(vmid, f"test -e {file}")


def test_a_guest_that_never_answers_and_one_with_a_full_disk_stop_no_other(event: Pair) -> None:
    # A file system of one page, and nothing else, where one file of the level ssh goes.
    fill = f"mount -t tmpfs -o size=4k full {SSHD}; head -c 4096 /dev/zero >{SSHD}/full"
    event.on(NODES["c02"], fill)
    event.on(NODES["c01"], "systemctl stop ssh")
    event.contextualize("level: ssh", QUICK)
    with fault(event, *SILENT, "--path", f"/nodes/*/qemu/{NODES['c01']}/agent/*"):
        found = told(event.run("up", "laptop"))
    assert "c01-n1: silent: its agent did not answer within 10 s" in found
    assert f"c02-n1: {SSHD}/60-practicum-trust.conf: No space left on device" in found
    assert "c01-head: " not in found
    assert "c02-head: " not in found
    for head in HEADS.values():
        wait_for(event, head, f"{SSHD}/60-practicum-trust.conf")
    event.on(NODES["c02"], f"umount {SSHD}")
    event.on(NODES["c01"], "systemctl start ssh")
    event.good("up", "laptop")
    assert event.call("status", str(event.file("laptop"))).returncode == 0


def test_where_the_agent_is_silent_and_ssh_answers_it_goes_by_ssh_and_says_so(
    event: Pair,
) -> None:
    event.contextualize("level: ssh", QUICK)
    stack = str(event.file("laptop"))
    with fault(event, *SILENT, "--path", f"/nodes/*/qemu/{NODES['c02']}/agent/*"):
        done = event.call("contextualize", stack, "c02")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  c02-n1: by SSH, since its agent did not answer within 5 s" in done.stdout
    wait_for(event, NODES["c02"], f"{SSHD}/60-practicum-trust.conf")


@SWEEP
def test_a_lab_that_is_killed_in_the_middle_is_gone_on_with(event: Pair) -> None:
    event.contextualize("level: base", QUICK, "steps: [{scripts: slow, clusters: [c01]}]")
    event.write("slow/10-wait.compute.sh", WAITS)
    event.on(NODES["c01"], "systemctl stop ssh")  # by which it would go on
    with started(event) as process:
        wait_for(event, NODES["c01"], "/srv/begun")
        kill_lab(event)
        assert process.wait(DEADLINE_S) == 1
    assert event.call("lab", "start", str(event.file("lab"))).returncode == 0
    # The guests went on, and the script with them.
    event.on(NODES["c01"], "touch /srv/go; systemctl start ssh")
    event.good("up", "laptop")
    assert event.on(NODES["c01"], "cat /srv/begun /srv/done") == "begun\ndone\n"


@contextmanager
def started(pair: Pair) -> Iterator[subprocess.Popen[bytes]]:
    """An `up` that goes on beside the test, and ends with it."""
    process = pair.start("up", "laptop")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def kill_lab(pair: Pair) -> None:
    """End the lab's server without a word."""
    state = str(pair.state / "lab" / "lab")
    for name in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"serve" in words and state.encode() in words:
            os.kill(int(name), signal.SIGKILL)
            return
    raise AssertionError("no lab runs")


@SWEEP
def test_a_guest_that_is_stopped_in_the_middle_is_told_and_started_again(event: Pair) -> None:
    event.contextualize("level: base", QUICK, "steps: [{scripts: stop}]")
    event.write("stop/10-wait.compute.sh", WAITS.replace("/srv/", "/srv/stop-"))
    event.on(NODES["c02"], "touch /srv/stop-go")
    with started(event) as process:
        wait_for(event, NODES["c01"], "/srv/stop-begun")
        event.api("POST", f"nodes/{event.host(NODES['c01'])}/qemu/{NODES['c01']}/status/stop")
        assert process.wait(DEADLINE_S) == 1
    assert event.on(NODES["c02"], "cat /srv/stop-done") == "done\n"
    status = event.call("status", str(event.file("laptop")))
    assert "c01-n1: is off" in status.stdout
    event.write("stop/10-wait.compute.sh", "#!/bin/sh\necho done >>/srv/stop-done\n")
    event.good("up", "laptop")
    assert event.on(NODES["c01"], "cat /srv/stop-done") == "done\n"
    assert event.call("status", str(event.file("laptop"))).returncode == 0


@SWEEP
def test_a_mirror_that_is_down_stops_the_cluster_that_needs_it_and_no_other(event: Pair) -> None:
    step = "  - {scripts: need, clusters: [c01]}"
    event.contextualize("level: base", QUICK, "steps:", step, "  - {scripts: no-need}")
    event.write("need/10-hello.head.sh", HELLO)
    event.write("no-need/10-note.sh", "#!/bin/sh\necho note >/srv/note\n")
    found = told(event.run("up", "laptop"))
    assert "c01-head: need/10-hello.head.sh: " in found
    assert "10.255.255.10:3142" in found
    assert "c02" not in found
    assert event.on(NODES["c02"], "cat /srv/note") == "note\n"
    with mirror(event.mirror_port):
        event.good("up", "laptop")
    assert event.on(HEADS["c01"], "hello") == "Hello, world!\n"
    assert event.call("status", str(event.file("laptop"))).returncode == 0


@contextmanager
def mirror(port: int) -> Iterator[None]:
    """What guests ask for as `/debian` and `/debian-security`, from where this machine has it."""
    release, security, *_ = [*(line.split()[1] for line in sources("bookworm")), ""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base, path = release, self.path.removeprefix("/debian")
            if path.startswith("-security"):
                base, path = security, path.removeprefix("-security")
            try:
                with urllib.request.urlopen(base + path, timeout=60) as answer:
                    data = answer.read()
            except OSError:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
