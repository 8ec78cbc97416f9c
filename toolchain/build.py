"""Complete the set of executables: what is finished stays, what is missing is compiled."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from . import compiler, golang, lock, pins, places, progress
from .problems import ToolchainError

_MIB = 1024 * 1024
# Measured: 3,200 for the compiler's cache and the set, 2,500 for modules, 240 for Go's wheel.
NEEDED_MIB = 6000


def missing(cache: places.Cache, targets: Sequence[pins.Target]) -> list[pins.Target]:
    """The targets that are not finished, in building order."""
    return [target for target in targets if not cache.is_built(target)]


def build(
    cache: places.Cache,
    targets: Sequence[pins.Target] = pins.TARGETS,
    *,
    force: bool = False,
    say: progress.Say = progress.to_stderr,
) -> None:
    """Bring the targets into the set; with `force` all anew. Safe to interrupt and repeat."""
    if not force and not missing(cache, targets):
        return
    with lock.held(cache.root / "lock", say):
        # Nobody else works now: what lies in the work folder was left by a killed build.
        shutil.rmtree(cache.work, ignore_errors=True)
        if not force:
            reuse(cache, missing(cache, targets))
        wanted = list(targets) if force else missing(cache, targets)
        if wanted:
            _build(cache, wanted, say)
        if not missing(cache, pins.TARGETS):
            clear(cache)


def _build(cache: places.Cache, wanted: Sequence[pins.Target], say: progress.Say) -> None:
    work = progress.Progress(expected_s=[target.seconds for target in wanted], say=say)
    check_space(cache, wanted)
    go = golang.find(cache, say)
    worker = compiler.Compiler(go=go, cache=cache, progress=work)
    for target in wanted:
        cache.mark(target).unlink(missing_ok=True)
        work.begin(f"{target.title} {target.version}")
        worker.build(target)


def reuse(cache: places.Cache, wanted: Sequence[pins.Target]) -> None:
    """Take over targets that did not change from sets of other pins, by hard link."""
    for target in wanted:
        digest = pins.expected_digest(target)
        for mark in sorted(cache.root.glob(f"*/built/{target.folder}.json")):
            other = places.Cache(root=cache.root, digest=mark.parent.parent.name)
            if places.read_json(mark).get("digest") != digest or not other.is_built(target):
                continue
            for output in target.outputs:
                places.link_or_copy(other.set / output, cache.set / output)
            compiler.finish(cache, target, seconds=0.0)
            break


def check_space(cache: places.Cache, wanted: Sequence[pins.Target]) -> None:
    """Refuse to start what would fill the disk half an hour later."""
    need = NEEDED_MIB * len(wanted) // len(pins.TARGETS)
    cache.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache.root).free // _MIB
    if free < need:
        raise ToolchainError(
            f"no space: building needs about {need} MiB below {cache.root}, {free} MiB are free; "
            "free some, or set XDG_CACHE_HOME to a larger disk"
        )


def clear(cache: places.Cache) -> None:
    """Drop what only a build needs; a complete set is about 250 MiB."""
    for folder in (cache.go_build, cache.go_modules, golang.wheel_folder(cache), cache.work):
        shutil.rmtree(folder, ignore_errors=True)
