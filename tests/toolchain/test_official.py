"""Pulumi's own download is taken where it can be had, and costs seconds where it cannot."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolchain import official, pins, places
from toolchain.official import Official
from toolchain.problems import ToolchainError

from .conftest import Machine


class Releases:
    """A download server on loopback with one archive and its list of checksums."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        handler = self._handler()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        releases = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                releases.asked.append(self.path)
                body = releases.files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        return Handler

    def offer(self, archive: str, members: dict[str, bytes], digest: str | None = None) -> None:
        """Serve the archive; a given digest stands in the list instead of the true one."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as output:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                output.addfile(member, io.BytesIO(content))
        body = buffer.getvalue()
        self.files[f"/{archive}"] = body
        listed = f"{digest or hashlib.sha256(body).hexdigest()}  {archive}\n"
        self.files[f"/pulumi-{pins.ENGINE_VERSION}-checksums.txt"] = (
            b"00  other\n" + listed.encode()
        )


ARCHIVE = f"pulumi-v{pins.ENGINE_VERSION}-linux-x64.tar.gz"
MEMBERS = {
    "pulumi/pulumi": b"#!/bin/sh\necho v3.259.0\n",
    "pulumi/pulumi-language-python": b"#!/bin/sh\n",
    "pulumi/pulumi-language-python-exec": b"#!/bin/sh\n",
    "pulumi/pulumi-language-go": b"not wanted",
    "../outside": b"never",
}


@pytest.fixture
def releases() -> Iterator[Releases]:
    server = Releases()
    yield server
    server.server.shutdown()


@pytest.fixture
def downloads(machine: Machine, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> Official:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return Official(cache=machine.cache, say=machine.say, releases=releases.url, probe_s=2.0)


def test_the_engine_is_downloaded_verified_and_unpacked(
    downloads: Official, releases: Releases, machine: Machine
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    assert downloads.fetch_engine()
    assert downloads.has_engine()
    names = {path.name for path in machine.cache.official_bin.iterdir()}
    assert names == {"pulumi", "pulumi-language-python", "pulumi-language-python-exec"}
    assert (machine.cache.official_bin / "pulumi").stat().st_mode & 0o111
    assert not (machine.root / "outside").exists()
    assert not list(machine.cache.work.iterdir())


def test_an_archive_with_another_checksum_is_never_used(
    downloads: Official, releases: Releases
) -> None:
    releases.offer(ARCHIVE, MEMBERS, digest="ab" * 32)
    with pytest.raises(ToolchainError, match="checksum"):
        downloads.fetch_engine()
    assert not downloads.has_engine()


def test_an_archive_that_the_list_does_not_name_is_never_used(
    downloads: Official, releases: Releases
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    releases.files[f"/pulumi-{pins.ENGINE_VERSION}-checksums.txt"] = b"00  other\n"
    with pytest.raises(ToolchainError, match="its list says nothing"):
        downloads.fetch_engine()


def test_an_archive_without_the_engine_leads_to_the_next_way(
    downloads: Official, releases: Releases, machine: Machine
) -> None:
    releases.offer(ARCHIVE, {"pulumi/README": b"?"})
    assert not downloads.fetch_engine()
    assert "cannot be downloaded" in machine.lines[-1]


def test_a_missing_archive_leads_to_the_next_way_and_is_not_asked_for_again(
    downloads: Official, releases: Releases
) -> None:
    releases.files[f"/pulumi-{pins.ENGINE_VERSION}-checksums.txt"] = f"00  {ARCHIVE}\n".encode()
    assert not downloads.fetch_engine()
    asked = len(releases.asked)
    assert not downloads.fetch_engine()
    assert len(releases.asked) == asked


def test_a_machine_without_an_archive_asks_nothing(
    downloads: Official, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert not downloads.fetch_engine()
    assert releases.asked == []


def _silent() -> socket.socket:
    """A server that takes connections and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    server.listen(8)
    return server


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_refused_connection_is_a_quick_no(downloads: Official) -> None:
    began = time.monotonic()
    assert not replace(downloads, releases=f"http://127.0.0.1:{_closed_port()}").reachable()
    assert time.monotonic() - began < 1.5


def test_silence_is_a_no_within_the_limit(downloads: Official) -> None:
    with _silent() as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        assert not replace(downloads, releases=url, probe_s=0.3).reachable()
        assert time.monotonic() - began < 1.5


def test_a_name_lookup_that_hangs_is_a_no_within_the_limit(
    downloads: Official, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        released.wait(20)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    assert not replace(downloads, releases="https://downloads.invalid", probe_s=0.3).reachable()
    assert time.monotonic() - began < 1.5
    released.set()


def test_a_no_is_kept_for_an_hour_and_then_asked_again(
    downloads: Official, releases: Releases
) -> None:
    clock = [1000.0]
    away = replace(downloads, now=lambda: clock[0])
    away.avoid()
    releases.offer(ARCHIVE, MEMBERS)
    clock[0] += 3599
    assert not away.reachable()
    assert releases.asked == []
    clock[0] += 2
    assert away.reachable()


def test_a_no_of_a_clock_that_was_wrong_does_not_last(
    downloads: Official, releases: Releases
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    replace(downloads, now=lambda: 4e9).avoid()
    assert replace(downloads, now=lambda: 1e9).reachable()


def test_a_no_about_one_server_says_nothing_about_another(
    downloads: Official, releases: Releases
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    replace(downloads, releases="https://downloads.invalid").avoid()
    assert downloads.reachable()


def test_only_https_or_loopback_is_asked(downloads: Official) -> None:
    assert not replace(downloads, releases="http://downloads.invalid").reachable()
    assert official.RELEASES.startswith("https://")


@pytest.mark.parametrize("plugin", pins.PLUGINS, ids=lambda plugin: plugin.name)
def test_the_engine_itself_downloads_plugins_into_the_home(
    downloads: Official, releases: Releases, machine: Machine, plugin: pins.Plugin
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    home = machine.root / "home"
    home.mkdir()
    engine = machine.put_engine()
    assert downloads.fetch_plugin(plugin, str(engine), home)
    assert (home / "plugins" / plugin.folder / plugin.executable).is_file()


def test_a_plugin_download_that_hangs_is_given_up(
    downloads: Official, releases: Releases, machine: Machine
) -> None:
    releases.offer(ARCHIVE, MEMBERS)
    home = machine.root / "home"
    home.mkdir()
    engine = machine.put("pulumi", "#!/bin/sh\nexec sleep 30\n")
    patient = replace(downloads, plugin_s=0.3)
    assert not patient.fetch_plugin(pins.COMMAND, str(engine), home)
    assert places.read_json(machine.cache.root / "unreachable.json")
    assert not patient.reachable()


def test_nothing_is_written_outside_the_cache_and_the_home(
    downloads: Official, releases: Releases, machine: Machine, tmp_path: Path
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    releases.offer(ARCHIVE, MEMBERS)
    downloads.fetch_engine()
    assert {path.name for path in tmp_path.iterdir()} - before == {"cache"}
