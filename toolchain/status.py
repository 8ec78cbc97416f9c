"""Say what is there and what `ensure` would use; changes nothing and asks no server."""

from __future__ import annotations

from . import found, golang, pins, places


def status(cache: places.Cache) -> dict[str, object]:
    """Everything that helps to see why an engine was chosen or cannot be built."""
    engine = found.on_path(cache)
    go = golang.on_path()
    need = pins.needed_go()
    return {
        "set": str(cache.set),
        "built": {target.folder: cache.is_built(target) for target in pins.TARGETS},
        "downloaded": (cache.official_bin / "pulumi").is_file(),
        "path": engine.pulumi if engine.usable else f"no: {engine.reason}",
        "go": f"{go.path} {go.version}" if go else "no",
        "go_needed": str(need),
        "disk_mib": _size(cache) >> 20,
    }


def _size(cache: places.Cache) -> int:
    """Bytes below the cache's root; a file with two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in cache.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            info = path.stat()
            seen[info.st_dev, info.st_ino] = info.st_size
    return sum(seen.values())


def text(report: dict[str, object]) -> str:
    """One line per fact."""
    lines = []
    for name, value in report.items():
        if isinstance(value, dict):
            parts = (f"{part} {'yes' if done else 'no'}" for part, done in value.items())
            value = ", ".join(parts)
        lines.append(f"{name + ':':<12} {value}")
    return "\n".join(lines)
