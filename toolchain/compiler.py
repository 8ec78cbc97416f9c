"""Compile one target into the set: in a folder of its own, put in place by rename."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from . import golang, pins, places, progress
from .problems import ToolchainError

RETRY_S = 3.0
_TRIES = 3
_SHOWN_LINES = 6
# What the Go command prints when nothing answers at all.
_OFFLINE = re.compile(
    r"no such host|connection refused|network is unreachable|i/o timeout|no route to host"
    r"|proxyconnect|server misbehaving|TLS handshake timeout|module lookup disabled"
)
# What it prints when a server answered badly once; the same call often works next time.
_PASSING = re.compile(
    r"50[0-9] |unexpected EOF|connection reset|verifying module|reading https?://.*: (?!404|410)"
    r"|http2: |stream error"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A Go compiler, the cache it fills, and where to report."""

    go: golang.Go
    cache: places.Cache
    progress: progress.Progress

    def environment(self) -> dict[str, str]:
        """The user's own (module proxy and all), made independent of their habits."""
        drop = {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT", "GO111MODULE"}
        env = {name: value for name, value in os.environ.items() if name not in drop}
        env |= {
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "-trimpath -mod=readonly -buildvcs=false",
            "GOCACHE": str(self.cache.go_build),
            # Without C: no compiler of C is needed, and the files run on any libc.
            "CGO_ENABLED": "0",
        }
        if not self.go.shared:
            env["GOMODCACHE"] = str(self.cache.go_modules)
            env["GOFLAGS"] += " -modcacherw"  # ours to remove later
        return env

    def build(self, target: pins.Target) -> None:
        """Compile and put in place; raises ToolchainError with the reason and the log."""
        began = time.monotonic()
        folder = self.cache.work / f"{target.folder}-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        log = self.cache.logs / f"{target.folder}.log"
        log.unlink(missing_ok=True)
        try:
            copy = self._copy(target, folder / "source")
            for output in target.outputs:
                (folder / output).parent.mkdir(parents=True, exist_ok=True)
            self._compile(target, folder, copy, log)
            place(self.cache, target, folder)
        except OSError as problem:
            raise ToolchainError(f"{target.title}: {problem}") from problem
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        finish(self.cache, target, seconds=time.monotonic() - began)

    def _copy(self, target: pins.Target, folder: Path) -> Path:
        """Compile a copy: the sources may be read-only, and may be edited meanwhile."""
        skipped = shutil.ignore_patterns("*_test.go", "testdata")
        shutil.copytree(pins.SOURCES / target.folder, folder / target.folder, ignore=skipped)
        if pins.digest_of(target, folder) != pins.expected_digest(target):
            raise ToolchainError(
                f"the sources of {target.title} changed since this run began: run it again"
            )
        return folder / target.folder

    def _compile(self, target: pins.Target, folder: Path, copy: Path, log: Path) -> None:
        if target.generated:
            tool = folder / "generate"
            self._go(target, copy, log, "build", "-o", str(tool), target.generated.package)
            self._run(target, copy, log, str(tool), str(copy / target.generated.path))
        main = ["build", "-ldflags", target.linker_flags, "-o", str(folder / target.output)]
        self._go(target, copy, log, *main, target.package)
        if target.module_file:
            self._take(target, target.module_file, folder, copy, log)

    def _take(
        self, target: pins.Target, wanted: pins.ModuleFile, folder: Path, copy: Path, log: Path
    ) -> None:
        """Copy a script out of a module, whose checksum the compilation has verified."""
        answer = copy / "module-folder.log"
        self._go(target, copy, answer, "list", "-m", "-f", "{{.Dir}}", wanted.module)
        lines = answer.read_text(encoding="utf-8").split("\n")
        source = Path(lines[-2]) / wanted.path
        if not source.is_file():
            raise explain(target, f"{wanted.module} has no file {source}", log)
        shutil.copyfile(source, folder / wanted.output)
        (folder / wanted.output).chmod(0o755)

    def _go(self, target: pins.Target, cwd: Path, log: Path, *arguments: str) -> None:
        nice = ["nice", "-n", "10"] if shutil.which("nice") else []
        self._run(target, cwd, log, *nice, str(self.go.path), *arguments)

    def _run(self, target: pins.Target, cwd: Path, log: Path, *command: str) -> None:
        for attempt in range(1, _TRIES + 1):
            seen = log.stat().st_size if log.exists() else 0
            code = progress.run(
                command, cwd=cwd, env=self.environment(), log=log, progress=self.progress
            )
            if code == 0:
                return
            text = log.read_bytes()[seen:].decode(errors="replace")
            if attempt == _TRIES or not (_PASSING.search(text) or _OFFLINE.search(text)):
                raise explain(target, text, log)
            self.progress.say(f"{target.title}: a download failed, trying again ({attempt + 1})")
            time.sleep(RETRY_S)


def explain(target: pins.Target, text: str, log: Path) -> ToolchainError:
    """Turn the compiler's output into one sentence, the last lines and the log's place."""
    if "no space left on device" in text:
        return ToolchainError(f"{target.title}: the disk is full; log: {log}")
    lines = [line for line in text.splitlines() if line.strip()]
    if _OFFLINE.search(text):
        last = next(line for line in reversed(lines) if _OFFLINE.search(line))
        return ToolchainError(
            f"no network: the Go modules of {target.title} cannot be fetched "
            f"(set GOPROXY if this machine has a module proxy): {last.strip()}"
        )
    shown = "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])
    return ToolchainError(
        f"{target.title} {target.version} does not compile; log: {log}; last lines:\n{shown}"
    )


def place(cache: places.Cache, target: pins.Target, folder: Path) -> None:
    """Move finished files from the work folder into the set."""
    for output in target.outputs:
        final = cache.set / output
        final.parent.mkdir(parents=True, exist_ok=True)
        (folder / output).replace(final)


def finish(cache: places.Cache, target: pins.Target, *, seconds: float) -> None:
    """Mark the target as finished; only from now on is it taken."""
    value = {"digest": pins.expected_digest(target), "seconds": round(seconds, 1)}
    places.write_json(cache.mark(target), value)
