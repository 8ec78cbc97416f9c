"""The lab's own mirror of packages: what it fetches and keeps, what it refuses, how it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.network.mirror import PROGRAM, Mirror, choose, free_ports, lacking, settings
from lab.network.system import NetworkError
from tests.image.conftest import cannot

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "debian/pool/main/h/hello/hello_2.10-3_amd64.deb"
DEADLINE_S = 60


@pytest.fixture
def program() -> None:
    if reason := lacking():
        cannot(reason)


class Archive(ThreadingHTTPServer):
    """An archive of the machine's own, which tells what it was asked for."""

    def __init__(self) -> None:
        # The program can reach no port above 32767.
        super().__init__(("127.0.0.1", next(iter(free_ports(str(id(self)))))), Answer)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def sources(self) -> tuple[str, str]:
        return f"{self.url}/debian", f"{self.url}/debian-security"


class Answer(BaseHTTPRequestHandler):
    server: Archive

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = f"content of {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing in the tests' output."""


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def mirror(program: None, tmp_path: Path, archive: Archive) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "mirror", archive.sources)
    yield made
    made.close()


def fetch(port: int, path: str, proxied: str = "") -> tuple[int, bytes]:
    """Status and content of a path, or of an address that is asked for as of a proxy."""
    request = urllib.request.Request(proxied or f"http://127.0.0.1:{port}/{path}")
    if proxied:
        request.set_proxy(f"127.0.0.1:{port}", "http")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_packages_are_fetched_once_and_kept(mirror: Mirror, archive: Archive) -> None:
    port = asyncio.run(mirror.port())
    for path in (PACKAGE, PACKAGE, PACKAGE.replace("debian", "debian-security", 1)):
        assert fetch(port, path) == (200, f"content of /{path}".encode())
    assert archive.asked == [f"/{PACKAGE}", f"/{PACKAGE}".replace("debian", "debian-security", 1)]


def test_nothing_but_the_two_archives_can_be_had_through_it(
    mirror: Mirror, archive: Archive
) -> None:
    """Guests have no way out, and it must not become one."""
    port = asyncio.run(mirror.port())
    elsewhere = archive.url.replace("127.0.0.1", "localhost")
    for path, proxied in (
        ("", ""), ("acng-report.html", ""), (f"localhost:{archive.server_address[1]}/x.deb", ""),
        ("", f"{elsewhere}/secret/x.deb"), ("", f"{archive.url}/other/pool/x.deb"),
    ):  # fmt: skip
        assert fetch(port, path, proxied)[0] in (403, 406), path + proxied
    assert archive.asked == []


def test_one_that_has_ended_is_there_again_for_who_asks_next(mirror: Mirror) -> None:
    asyncio.run(mirror.port())
    mirror.close()
    assert fetch(asyncio.run(mirror.port()), PACKAGE)[0] == 200


def test_it_ends_with_the_process_that_has_started_it(
    program: None, tmp_path: Path, archive: Archive
) -> None:
    script = (
        "import asyncio, sys, time\nfrom pathlib import Path\nfrom lab.network.mirror import Mirror"
        f"\nmirror = Mirror(Path({str(tmp_path)!r}), {archive.sources!r})\n"
        "print(asyncio.run(mirror.port()), flush=True)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert fetch(int(process.stdout.readline()), PACKAGE)[0] == 200
    assert started(tmp_path)
    process.kill()
    process.wait()
    process.stdout.close()
    until = time.monotonic() + DEADLINE_S
    while started(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.05)


def started(folder: Path) -> list[str]:
    """Mirrors that run on a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == PROGRAM.encode() and os.fsencode(folder / "conf") in words:
            found.append(path.parent.name)
    return found


def test_without_the_program_one_is_told_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    mirror = Mirror(tmp_path, ("http://a.example.org/debian", "http://a.example.org/security"))
    with pytest.raises(NetworkError, match="apt install --no-install-recommends apt-cacher-ng"):
        asyncio.run(mirror.port())


def test_upstream_is_what_this_machines_apt_has() -> None:
    rows = [
        ("https://one.example.org/tools/", "stable", "Somebody"),
        ("http://two.example.org/debian/", "bookworm-updates", "Debian"),
        ("http://two.example.org/debian/", "bookworm", "Debian"),
        ("file:/srv/debian", "bookworm", "Debian"),
    ]
    debian = "http://two.example.org/debian"
    assert choose(rows) == (debian, f"{debian}-security")
    updates = ("http://three.example.org/updates/", "bookworm-security", "Debian")
    assert choose([*rows, updates]) == (debian, "http://three.example.org/updates")
    with pytest.raises(NetworkError, match="no Debian mirror"):
        choose(rows[:1])


def test_a_proxy_of_this_machines_apt_is_used(tmp_path: Path) -> None:
    given = (tmp_path, 20000, "http://a.example.org/debian", "http://a.example.org/security")
    assert "Proxy:" not in settings(*given)
    text = settings(*given, proxy="http://b.example.org:3128/")
    assert "Proxy: http://b.example.org:3128/\n" in text


def test_labs_begin_to_look_for_a_port_at_different_ones() -> None:
    assert next(iter(free_ports("one"))) != next(iter(free_ports("two")))
    assert len(set(free_ports("one"))) > 100
