"""A small program of ours in Go, compiled once and kept beside the engine's cache.

Unlike the targets of `pins` it has no set of its own: it is compiled again when one of its sources
has changed, and put in place by rename.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from . import compiler, golang, lock, places, progress
from .problems import ToolchainError

EXPECTED_S = 20
LINKER_FLAGS = "-s -w"


def programs_folder(cache: places.Cache) -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/practicum/programs: where the lab looks for them."""
    return cache.root.parent / "programs"


def program(source: Path, cache: places.Cache, *, say: progress.Say = progress.to_stderr) -> Path:
    """The program of a folder with go.mod, compiled if need be. Raises `ToolchainError`."""
    if not (source / "go.mod").is_file():
        raise ToolchainError(f"{source} is no Go program: it has no go.mod")
    final = programs_folder(cache) / source.name
    mark = final.with_name(f"{final.name}.json")
    digest = _digest(source)
    if final.is_file() and places.read_json(mark).get("digest") == digest:
        return final
    with lock.held(cache.root / "lock", say):
        _compile(source, final, cache, say)
        places.write_json(mark, {"digest": digest})
    return final


def _compile(source: Path, final: Path, cache: places.Cache, say: progress.Say) -> None:
    work = progress.Progress(expected_s=[EXPECTED_S], say=say)
    worker = compiler.Compiler(go=golang.find(cache, say), cache=cache, progress=work)
    work.begin(final.name)
    final.parent.mkdir(parents=True, exist_ok=True)
    fresh = final.with_name(f".{final.name}.{os.getpid()}")
    log = final.with_name(f"{final.name}.log")
    command = [str(worker.go.path), "build", "-ldflags", LINKER_FLAGS, "-o", str(fresh), "."]
    try:
        code = progress.run(command, cwd=source, env=worker.environment(), log=log, progress=work)
        if code != 0:
            last = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise ToolchainError(f"{final.name} does not compile ({' / '.join(last)}); log: {log}")
        fresh.replace(final)
    finally:
        fresh.unlink(missing_ok=True)


def _digest(source: Path) -> str:
    """Changes with every source of the program; its tests decide nothing."""
    whole = hashlib.sha256(LINKER_FLAGS.encode())
    for path in sorted(source.rglob("*")):
        if path.suffix in (".go", ".mod", ".sum") and not path.name.endswith("_test.go"):
            whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()
