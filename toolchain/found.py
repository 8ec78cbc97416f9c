"""Judge the engine that a shell would start: new enough, with a Python language host?"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from . import pins, places, versions

_ASK_S = 20
_PORT_S = 10.0
_HOST = "pulumi-language-python"
# A language host dials its engine; nothing listens on this address, which is enough to
# see whether it starts.
_NOBODY = "127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found: usable, or the reason why not (empty `pulumi`: there is none)."""

    pulumi: str
    version: str
    reason: str

    @property
    def usable(self) -> bool:
        """True when this engine can run our program."""
        return bool(self.pulumi) and not self.reason


NONE = Verdict(pulumi="", version="", reason="pulumi is not on PATH")


def on_path(cache: places.Cache, environment: Mapping[str, str] = os.environ) -> Verdict:
    """Judge the `pulumi` on PATH; the verdict is kept for as long as the files are the same."""
    search = environment.get("PATH")
    engine = shutil.which("pulumi", path=search)
    if engine is None or Path(engine).resolve().is_relative_to(cache.root.resolve()):
        return NONE
    host = _neighbour(engine, _HOST) or shutil.which(_HOST, path=search)
    stamp = _stamp(engine, host or "")
    memory = cache.set / "path-engine.json"
    known = places.read_json(memory)
    if known.get("stamp") == stamp:
        fields = (str(known.get(name, "")) for name in ("pulumi", "version", "reason"))
        return Verdict(**dict(zip(("pulumi", "version", "reason"), fields, strict=True)))
    verdict = judge(engine, host, _quiet(cache, environment))
    places.write_json(memory, {"stamp": stamp, **asdict(verdict)})
    return verdict


def judge(engine: str, host: str | None, environment: Mapping[str, str]) -> Verdict:
    """Ask the engine for its version and let the language host start once."""
    version = engine_version(engine, environment)
    reason = ""
    number = versions.parse(version)
    if number is None:
        reason = f"{engine} does not tell its version"
    elif number < pins.OLDEST_ENGINE:
        reason = f"{engine} is {version}, older than {pins.OLDEST_ENGINE}"
    elif number >= pins.FIRST_UNKNOWN_ENGINE:
        reason = f"{engine} is {version}, newer than this program knows"
    elif host is None:
        reason = f"{engine} has no {_HOST} beside it or on PATH"
    elif not (_neighbour(host, f"{_HOST}-exec") or shutil.which(f"{_HOST}-exec")):
        reason = f"{host} has no {_HOST}-exec beside it"
    elif not answers(host, environment):
        reason = f"{host} does not start"
    return Verdict(pulumi=engine, version=version, reason=reason)


def engine_version(engine: str, environment: Mapping[str, str]) -> str:
    """`3.259.0`, without the leading v; empty when the engine does not answer."""
    try:
        answer = subprocess.run(
            [engine, "version"], env=dict(environment), cwd="/", capture_output=True,
            text=True, timeout=_ASK_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip().removeprefix("v")


def answers(
    host: str, environment: Mapping[str, str], clock: Callable[[], float] = time.monotonic
) -> bool:
    """True when the language host starts and prints the port that it listens on."""
    try:
        process = subprocess.Popen(
            [host, _NOBODY], env=dict(environment), cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return False
    with process:
        try:
            if process.stdout is None:
                return False
            line, deadline = b"", clock() + _PORT_S
            while not line.endswith(b"\n") and (left := deadline - clock()) > 0:
                if not select.select([process.stdout], [], [], left)[0]:
                    break
                if not (part := os.read(process.stdout.fileno(), 64)):
                    break
                line += part
            return line.strip().isdigit()
        finally:
            process.kill()


def _neighbour(executable: str, name: str) -> str | None:
    """The program of that name in the folder where the executable really lies."""
    return shutil.which(name, path=str(Path(executable).resolve().parent))


def _stamp(*files: str) -> list[list[object]]:
    """Identity of the files: a changed, replaced or removed one gives another stamp."""
    result: list[list[object]] = []
    for file in files:
        try:
            seen = os.stat(file)
            result.append([file, seen.st_ino, seen.st_size, seen.st_mtime_ns])
        except OSError:
            result.append([file, 0, 0, 0])
    return result


def _quiet(cache: places.Cache, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which an engine writes nothing to the user's home and asks nobody."""
    extra = {"PULUMI_HOME": str(cache.idle_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    return {**environment, **extra}
