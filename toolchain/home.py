"""Put compiled plugins where Pulumi looks for them: PULUMI_HOME/plugins/resource-NAME-vVERSION.

A folder by that name with the executable inside is all that Pulumi asks for; it then takes
nothing from PATH (which it would warn about) and downloads nothing. A note beside the
executable says which of our builds it is; a folder without a note is Pulumi's own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import pins, places

_NOTE = "practicum-build.json"


def _folder(home: Path, plugin: pins.Plugin) -> Path:
    return home / "plugins" / plugin.folder


def has_downloaded(home: Path, plugin: pins.Plugin) -> bool:
    """True when Pulumi itself has put this very version there, and completely."""
    folder = _folder(home, plugin)
    partial = folder.with_name(f"{folder.name}.partial")
    whole = (folder / plugin.executable).is_file() and not partial.exists()
    return whole and not (folder / _NOTE).exists()


def is_current(home: Path, plugin: pins.Plugin, cache: places.Cache) -> bool:
    """True when the plugin there is the one that the cache's mark describes."""
    folder = _folder(home, plugin)
    if not (folder / plugin.executable).is_file():
        return False
    built = places.read_json(cache.mark(plugin.target)).get("digest")
    return built is not None and places.read_json(folder / _NOTE).get("digest") == built


def install(home: Path, plugin: pins.Plugin, cache: places.Cache) -> None:
    """Give the compiled plugin a second name in the home; a copy on another disk.

    A new folder appears by rename with everything in it. In an existing folder the
    executable is exchanged by rename, so that a running engine always finds one.
    """
    folder = _folder(home, plugin)
    note = {"digest": places.read_json(cache.mark(plugin.target)).get("digest")}
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    target = folder if folder.is_dir() else fresh
    if target is fresh:
        shutil.rmtree(fresh, ignore_errors=True)
    places.link_or_copy(cache.set / plugin.target.output, target / plugin.executable)
    places.write_json(target / _NOTE, note)
    if target is fresh:
        try:
            fresh.rename(folder)
        except OSError:  # another process was quicker, with the same content
            shutil.rmtree(fresh, ignore_errors=True)
    folder.with_name(f"{folder.name}.partial").unlink(missing_ok=True)
