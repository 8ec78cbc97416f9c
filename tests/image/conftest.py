"""The finished image, built once for this machine; and its root file system, to look into."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from image import mirror
from image.problems import ImageError

ROOT = Path(__file__).resolve().parents[2]
SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))
RECIPES = ["debian-12-plain", *(["debian-13-exercises"] if SWEEP else [])]
"""Between them they have both releases, and the packages of all levels."""

MISSING = "missing; on Debian type"


def cannot(reason: str) -> NoReturn:
    """Skip; but fail where CI is set and Debian's packages would have been enough."""
    packages = MISSING in reason and not os.environ.get("PRACTICUM_NO_PACKAGES")
    if os.environ.get("CI") and packages:
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Finished:
    """The image's file, its record, and its disk without compression."""

    file: Path
    record: dict[str, Any]
    raw: Path

    def _debugfs(self, request: str) -> str:
        place = f"{self.raw}?offset={self.record['rootOffset']}"
        command = ["debugfs", "-R", request, place]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def names(self, folder: str) -> list[str]:
        """What is in a folder, without . and .., links and folders included."""
        rows = re.findall(r"^/\d+/\d+/\d+/\d+/([^/]+)/", self._debugfs(f"ls -p {folder}"), re.M)
        return [name for name in rows if name not in (".", "..")]

    def files(self, folder: str) -> list[str]:
        """Paths of the files below a folder."""
        text = self._debugfs(f"ls -p {folder}")
        found = []
        for mode, name in re.findall(r"^/\d+/(\d+)/\d+/\d+/([^/]+)/", text, re.M):
            if name in (".", "..", "lost+found"):
                continue
            path = f"{folder.rstrip('/')}/{name}"
            found += self.files(path) if mode.startswith("04") else [path]
        return found

    def text(self, path: str) -> str:
        return self._debugfs(f"cat {path}")


def built(*options: str, name: str = "debian-12") -> dict[str, Any]:
    command = [sys.executable, "-m", "image", "build", name, "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        told = (done.stderr.strip().splitlines() or ["the image was not built"])[-1]
        told = told.removeprefix("image: ")
        if "has failed" in told and _mirror_answers():
            pytest.fail(told)
        cannot(told)
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def _mirror_answers() -> bool:
    """Whether the mirror can be reached: without it nothing can be built, and nothing is wrong."""
    try:
        address = mirror.sources("bookworm")[0].split()[1]
        with urllib.request.urlopen(f"{address}/dists/bookworm/Release", timeout=20) as answer:
            return bool(answer.status == 200)
    except (OSError, ImageError):
        return False


@pytest.fixture(scope="session", params=RECIPES)
def image(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Finished]:
    name, _, flavour = request.param.rpartition("-")
    record = built("--flavour", flavour, name=name)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    file = Path(base).expanduser() / "practicum" / "images" / record["file"]
    raw = tmp_path_factory.mktemp("image") / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(file), str(raw)], check=True)
    yield Finished(file, record, raw)
    raw.unlink()
