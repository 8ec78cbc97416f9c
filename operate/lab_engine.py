"""Which engine the guests of a lab get, and the images that they start from, built where absent.

A lab whose file says `auto` runs its guests for real where this machine can do that, and otherwise
says in one sentence why nobody boots them. A lab that has guests keeps the engine that they were
made with. The rooms `lab` and `image` are asked as programs.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from event.problems import RunError
from event.stack import SiteStack
from operate.endings import interruptible
from operate.places import Places
from plan.images import built_images
from plan.records import LEVELS, EventPlan

Tell = Callable[[str], None]
LXC, NONE, AUTO = "lxc", "none", "auto"
PLAIN, EXERCISES = "plain", "exercises"
WITH_PACKAGES = LEVELS[LEVELS.index("nfs") :]
"""Levels whose packages are in the image: installing them on every guest takes longer, and a mirror
that answers."""

IMAGE_PROGRAMS = {"mmdebstrap": "mmdebstrap", "qemu-img": "qemu-utils"}
"""What building an image takes, and Debian's packages that it is in."""

TAKES = {PLAIN: "about a minute", EXERCISES: "about five minutes"}
EVERY_S = 20.0
"""Between two lines that tell that a build goes on."""

Images = Mapping[str, str]
"""Names of images, as their recipes are called, with the flavour that is needed."""


def images_of(site: SiteStack, plan: EventPlan | None = None) -> Images:
    """The images that a lab's guests start from: an event's, or all of the site."""
    there = {each.volume for each in site.lab.volumes} if site.lab else set()
    levels: dict[str, set[str]] = {}
    for guest in plan.guests if plan is not None else ():
        levels.setdefault(guest.template.image, set()).add(guest.level)
    found: dict[str, str] = {}
    for name, image in site.site.images.items():
        if image.volume in there and (plan is None or name in levels):
            stem = str(image.volume).rpartition("/")[2].rsplit(".", 1)[0]
            wanted = EXERCISES if levels.get(name, set()) & set(WITH_PACKAGES) else PLAIN
            found[stem] = EXERCISES if EXERCISES in (wanted, found.get(stem)) else PLAIN
    return found


def engine_for(
    stack: SiteStack, places: Places, images: Images, tell: Tell, *, build: bool = False
) -> str:
    """The engine that a lab which does not run is to be started with: not `auto` any more.

    With `build` the images that it needs are there afterwards. Raises `RunError` when the file
    names an engine that needs them and one cannot be built; what else is missing the lab refuses.
    """
    wanted = stack.lab.engine if stack.lab else NONE
    if wanted != AUTO:
        if build and (wanted == LXC or (wanted != NONE and os.geteuid() == 0)):
            build_images(images, places, tell)
        return wanted
    found = _ask_lab(stack, places)
    kept, absent = found["kept"], _absent(images)
    missing = _missing_programs() if absent and os.geteuid() == 0 else []
    reason = _reason(found, missing)
    if kept is not None:
        if kept == NONE and reason is None:
            tell(_kept_line(stack))
        if kept == LXC and build:
            stop_without_root(images)
        return str(kept)
    if reason is None and build:
        try:
            build_images(images, places, tell)
        except RunError as error:
            reason = str(error)
    if reason is not None:
        tell(none_line(stack, reason))
    return LXC if reason is None else NONE


def none_line(stack: SiteStack, reason: str) -> str:
    """Why nobody boots the guests of a lab."""
    return f"guests of {stack.name} are objects of the API that nobody boots: {reason}"


def _kept_line(stack: SiteStack) -> str:
    return (
        f"guests of {stack.name} stay objects that nobody boots, since they were made so; destroy "
        f"their events and type ./practicum lab stop {stack.name}, and the next ones are real"
    )


def _ask_lab(stack: SiteStack, places: Places) -> dict[str, Any]:
    """What the lab says about its engines: `kept`, `reason`, `packages`."""
    done = _room(places, "lab", "engine", "--state", str(places.lab(stack.name)))
    if done.returncode != 0:
        told = done.stderr.strip().rpartition("\n")[2]
        raise RunError(f"the lab of {stack.name} cannot be started: {told}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _reason(found: Mapping[str, Any], missing: Sequence[str]) -> str | None:
    """Why guests cannot run here; with all packages that are missing in one line."""
    packages = list(dict.fromkeys([*found["packages"], *missing]))
    if packages:
        return f"programs are missing; on Debian type: apt install {' '.join(packages)}"
    return None if found["reason"] is None else str(found["reason"])


def _missing_programs() -> list[str]:
    return [package for name, package in IMAGE_PROGRAMS.items() if shutil.which(name) is None]


def image_folder() -> Path:
    """Where built images are."""
    return Path(built_images(os.environ)).expanduser().absolute()


def _absent(images: Images) -> Images:
    """Those that are not there. One that is there stays as it is, even if its recipe has changed:
    guests that are to be made alike may start from it already."""
    folder, absent = image_folder(), {}
    for name, flavour in images.items():
        files = [name, f"{name}-{EXERCISES}", *([f"{name}-{PLAIN}"] if flavour == PLAIN else [])]
        if not any((folder / f"{each}.qcow2").is_file() for each in files):
            absent[name] = flavour
    return absent


def stop_without_root(images: Images) -> None:
    """Raise `RunError` when guests of a user who is not root cannot become what they are to be."""
    if os.geteuid() == 0:
        return
    if EXERCISES in images.values():
        raise RunError(
            f"level {WITH_PACKAGES[0]} and those that build on it ({', '.join(WITH_PACKAGES[1:])}) "
            "have a file server, which works in guests of root only: type the same as root, or "
            f"write `level: {LEVELS[LEVELS.index(WITH_PACKAGES[0]) - 1]}` at most"
        )
    for name, flavour in _absent(images).items():
        cache = image_folder().parent
        raise RunError(
            f"image {name}-{flavour} is not there, and building it takes root; type once: "
            f"mkdir -p {cache} && sudo env XDG_CACHE_HOME={cache.parent} "
            f"./practicum image build {name} --flavour {flavour}"
        )


def build_images(images: Images, places: Places, tell: Tell) -> None:
    """Build what is absent, and tell how far it is. Raises `RunError` in the image room's words."""
    stop_without_root(images)
    for name, flavour in _absent(images).items():
        tell(f"image {name}-{flavour} is not there yet and is built now, {TAKES[flavour]}")
        _build(name, flavour, places, tell)


def _build(name: str, flavour: str, places: Places, tell: Tell) -> None:
    command = [sys.executable, "-P", "-m", "image", "build", name, "--flavour", flavour]
    started, last = time.monotonic(), ""
    with interruptible(), subprocess.Popen(
        command, cwd=places.root, env=_variables(places), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process, selectors.DefaultSelector() as ready:  # fmt: skip
        assert process.stderr is not None
        ready.register(process.stderr, selectors.EVENT_READ)
        try:
            while True:
                if not ready.select(EVERY_S):
                    tell(f"  {name}-{flavour}: {time.monotonic() - started:.0f} s")
                elif line := process.stderr.readline():
                    last = line.strip()
                    tell(f"  {last}")
                else:
                    break
        except BaseException:
            process.terminate()
            process.wait()  # until nothing of it is left
            raise
    if process.returncode != 0:
        raise RunError(last.removeprefix("image: ") or f"image {name} could not be built")


def _room(places: Places, *words: str) -> subprocess.CompletedProcess[str]:
    """Run another room of the checkout as a program."""
    command = [sys.executable, "-P", "-m", *words]
    return subprocess.run(
        command, cwd=places.root, env=_variables(places), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _variables(places: Places) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(places.root)}
