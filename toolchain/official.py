"""Take the engine and the plugins from Pulumi's own releases, where those are reachable.

A machine without that access is found out by one probe of a few seconds, whatever the
network does with it (refuse, unknown name, silence), and is not asked again for an hour.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import lock, pins, places, progress
from .problems import ToolchainError

if TYPE_CHECKING:
    import http.client

RELEASES = "https://get.pulumi.com/releases/sdk"
# What a Python program needs of the archive; the other language hosts stay away.
_WANTED = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """Pulumi's download server and our patience with it. Tests put their own in its place."""

    cache: places.Cache
    say: progress.Say
    releases: str = RELEASES
    probe_s: float = 3.0
    forget_s: float = 3600.0
    idle_s: float = 20.0
    plugin_s: float = 300.0
    now: Callable[[], float] = time.time

    @property
    def _memory(self) -> Path:
        return self.cache.root / "unreachable.json"

    def reachable(self) -> bool:
        """True when the list of checksums can be had now; a no is kept for an hour."""
        if not self.releases:
            return False
        known = places.read_json(self._memory)
        until = known.get("until")
        same = known.get("releases") == self.releases
        # The upper bound: a clock that was set back must not keep the no for ever.
        if same and isinstance(until, float | int) and 0 < until - self.now() <= self.forget_s:
            return False
        found = self._probe()
        if found:
            self._memory.unlink(missing_ok=True)
        else:
            self.avoid()
        return found

    def avoid(self) -> None:
        """Ask nothing of the server for the next hour."""
        value = {"releases": self.releases, "until": self.now() + self.forget_s}
        places.write_json(self._memory, value)

    def _probe(self) -> bool:
        """Fetch the small file in a thread: a name lookup has no time limit of its own."""
        answered: list[bytes] = []

        def ask() -> None:
            try:
                answered.append(self._small(self._sums, self.probe_s))
            except (OSError, ValueError):
                return

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.probe_s)
        return bool(answered)

    @property
    def _sums(self) -> str:
        return f"pulumi-{pins.ENGINE_VERSION}-checksums.txt"

    @property
    def _archive(self) -> str | None:
        system = _SYSTEMS.get(platform.system())
        machine = _MACHINES.get(platform.machine())
        if system is None or machine is None:
            return None
        return f"pulumi-v{pins.ENGINE_VERSION}-{system}-{machine}.tar.gz"

    def _small(self, name: str, timeout_s: float) -> bytes:
        with self._open(name, timeout_s) as answer:
            return bytes(answer.read(_CHUNK))

    def _open(self, name: str, timeout_s: float) -> http.client.HTTPResponse:
        # Imported here: a run that finds everything in place must not pay 20 ms for it.
        import urllib.request

        url = f"{self.releases}/{name}"
        if not url.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError(f"{url} is neither https nor on this machine")
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=timeout_s)  # noqa: S310
        return answer

    def has_engine(self) -> bool:
        """True when the engine was downloaded before."""
        return all((self.cache.official_bin / name).is_file() for name in _WANTED)

    def fetch_engine(self) -> bool:
        """Download, verify and unpack the engine; False when that is not possible here."""
        archive = self._archive
        if archive is None or not self.reachable():
            return False
        with lock.held(self.cache.root / "lock", self.say):
            if self.has_engine():  # whoever had the lock before has fetched it
                return True
            folder = self.cache.work / "official"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                self._fetch(archive, folder)
            except OSError as problem:
                self.say(f"the engine cannot be downloaded ({problem})")
                self.avoid()
                return False
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return True

    def _fetch(self, archive: str, folder: Path) -> None:
        expected = self._expected(archive)
        file = folder / archive
        found = self._download(archive, file)
        if found != expected:
            raise ToolchainError(
                f"{archive} from {self.releases} has the checksum {found}, its list says "
                f"{expected or 'nothing'}: not used; try again, or use --built"
            )
        self._unpack(file, folder)

    def _expected(self, archive: str) -> str:
        text = self._small(self._sums, self.idle_s).decode("ascii", errors="replace")
        pairs = (line.split() for line in text.splitlines())
        return next((pair[0] for pair in pairs if len(pair) == 2 and pair[1] == archive), "")

    def _download(self, archive: str, file: Path) -> str:
        """Write the archive to the file and give back its SHA-256."""
        digest, done, said = hashlib.sha256(), 0, time.monotonic()
        with self._open(archive, self.idle_s) as answer, file.open("wb") as output:
            size = int(answer.headers.get("Content-Length") or 0)
            self.say(f"downloading {archive} ({size >> 20} MiB)")
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                output.write(chunk)
                done += len(chunk)
                if time.monotonic() - said >= progress.EVERY_S:
                    said = time.monotonic()
                    self.say(f"downloading {archive}: {done >> 20} of {size >> 20} MiB")
        return digest.hexdigest()

    def _unpack(self, file: Path, folder: Path) -> None:
        """Take the wanted files out of the archive, by exact name; OSError if it has not all."""
        import tarfile  # as above

        fresh = folder / "bin"
        fresh.mkdir()
        try:
            with tarfile.open(file) as archive:
                for name in _WANTED:
                    member = next((one for one in archive if one.name == f"pulumi/{name}"), None)
                    content = archive.extractfile(member) if member else None
                    if content is None:
                        raise OSError(f"{file.name} has no file pulumi/{name}")
                    with content, (fresh / name).open("wb") as output:
                        shutil.copyfileobj(content, output)
                    (fresh / name).chmod(0o755)
        except tarfile.TarError as problem:
            raise OSError(f"{file.name}: {problem}") from problem
        final = self.cache.official_bin
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(final, ignore_errors=True)
        fresh.rename(final)

    def fetch_plugin(self, plugin: pins.Plugin, engine: str, home: Path) -> bool:
        """Let the engine download the plugin into the home; False when it cannot."""
        if not self.reachable():
            return False
        command = [engine, "plugin", "install", "resource", plugin.name, plugin.version]
        if plugin.server:
            command += ["--server", plugin.server]
        env = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        self.say(f"downloading plugin {plugin.name} {plugin.version}")
        try:
            subprocess.run(
                command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=self.plugin_s, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as problem:
            self.say(f"plugin {plugin.name} cannot be downloaded ({problem})")
            self.avoid()
            return False
        return (home / "plugins" / plugin.folder / plugin.executable).is_file()
