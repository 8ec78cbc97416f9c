"""Build an image: packages, settings, disk, checksum and package list, put in place as one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import disk, mirror, places, tree
from .confined import CONFINED
from .problems import ImageError
from .recipes import Recipe

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "mke2fs": "e2fsprogs",
    "apt-get": "apt",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
WORK = "work."
"""How the folders of unfinished builds begin."""

Tell = Callable[[str], None]


def missing() -> str | None:
    """Why this machine cannot build images, with what to do; None when it can."""
    if sys.platform != "linux" or not hasattr(os, "geteuid"):
        return "images are built on Debian or a relative of it"
    if os.geteuid() != 0:
        return "building an image needs root: packages are installed with their owners and rights"
    absent = dict.fromkeys(package for tool, package in TOOLS.items() if not shutil.which(tool))
    if absent:
        return f"programs are missing; on Debian type: apt install {' '.join(absent)}"
    if subprocess.run([*CONFINED, "true"], capture_output=True).returncode != 0:
        return (
            "this machine does not let root mount anything in namespaces, which installing "
            "packages needs"
        )
    return None


def epoch_of(recipe: Recipe) -> int:
    """Second that an image is dated: SOURCE_DATE_EPOCH, or the recipe's."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return recipe.epoch
    if not text.isdigit() or not 0 < int(text) < 2**32:
        raise ImageError(f"SOURCE_DATE_EPOCH is {text!r}; write seconds since 1970, or unset it")
    return int(text)


def build(
    recipe: Recipe,
    folder: Path,
    *,
    force: bool = False,
    from_mirror: str | None = None,
    tell: Tell = lambda _text: None,
) -> dict[str, Any]:
    """The record of the finished image, built unless the present recipe's is there.

    Raises `ImageError` when this machine cannot build it or something fails.
    """
    with places.locked(folder):
        epoch = epoch_of(recipe)
        digest = places.inputs_digest(recipe, epoch)
        found = places.record(folder, recipe)
        if found is not None and found.get("inputs") == digest and not force:
            return found
        if reason := missing():
            raise ImageError(reason)
        sources = mirror.sources(recipe.suite, from_mirror)
        for left in folder.glob(f"{WORK}*"):  # by a build that was killed: ours has the lock
            subprocess.run(["rm", "-rf", "--one-file-system", str(left)], check=False)
        with tempfile.TemporaryDirectory(prefix=WORK, dir=folder) as work:
            return _build(recipe, folder, Path(work), sources, epoch, digest, tell)


def _build(
    recipe: Recipe,
    folder: Path,
    work: Path,
    sources: list[str],
    epoch: int,
    digest: str,
    tell: Tell,
) -> dict[str, Any]:
    started = time.time()
    root, log = work / "root", folder / f"{recipe.file}.log"
    log.unlink(missing_ok=True)
    tell(f"{recipe.file}: installing {len(recipe.packages)} packages and what they need")
    tree.make(root, recipe, sources, epoch, log)
    installed = tree.packages(root)
    tell(f"{recipe.file}: {len(installed)} packages; writing the disk")
    tree.tidy(root)
    fresh = work / places.disk_file(folder, recipe).name
    disk.make(root, fresh, recipe, built=started, epoch=epoch)
    record = {
        "name": recipe.name,
        "flavour": recipe.flavour,
        "suite": recipe.suite,
        "file": fresh.name,
        "bytes": fresh.stat().st_size,
        "diskBytes": recipe.size_gib * 1024**3,
        "rootOffset": disk.root_offset(),
        "sha256": places.sha256(fresh),
        "epoch": epoch,
        "inputs": digest,
        "sources": sources,
        "packages": installed,
    }
    written = work / places.record_file(folder, recipe).name
    written.write_text(json.dumps(record, indent=1) + "\n")
    # Without its record an image is none: the old record goes first, the new one comes last.
    places.record_file(folder, recipe).unlink(missing_ok=True)
    fresh.replace(places.disk_file(folder, recipe))
    written.replace(places.record_file(folder, recipe))
    return record
