"""Which engine a lab gets, what is told about it, and images that are built before it starts."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from event.problems import RunError
from event.stack import EventStack, SiteStack
from image.build import TOOLS
from operate import lab_engine
from operate.lab_engine import build_images, engine_for, images_of
from operate.places import ROOT, Places
from operate.stacks import load
from plan.plan import plan_event

LAB = """
import json, sys
assert sys.argv[1] == "engine"
print(json.dumps({"kept": %r, "reason": %r, "packages": %r}))
"""
IMAGE = """
import os, pathlib, signal, sys, time
name, flavour = sys.argv[2], sys.argv[4]
if pathlib.Path("works-on").exists():
    pathlib.Path("works-on").write_text(str(os.getpid()))
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(130)))
    time.sleep(600)
if not pathlib.Path("works").exists():
    print("image: the mirror does not answer", file=sys.stderr)
    sys.exit(1)
print("installing", file=sys.stderr)
folder = pathlib.Path(os.environ["XDG_CACHE_HOME"], "practicum/images")
folder.mkdir(parents=True, exist_ok=True)
(folder / f"{name}-{flavour}.qcow2").write_text("")
"""


class Machine:
    """A checkout whose rooms `lab` and `image` are programs of the test."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(root=folder / "checkout", state=folder / "state")
        self.told: list[str] = []
        for room in ("lab", "image"):
            (self.places.root / room).mkdir(parents=True)
        (self.places.root / "image" / "__main__.py").write_text(IMAGE)
        (self.places.root / "works").touch()
        self.images = folder / "practicum" / "images"
        self.needed = {"debian-12": "plain"}
        self.lab()

    def lab(
        self, *, kept: str | None = None, reason: str | None = None, packages: tuple[str, ...] = ()
    ) -> None:
        text = LAB % (kept, reason, list(packages))
        (self.places.root / "lab" / "__main__.py").write_text(text)

    def engine(self, wanted: str, *, build: bool = True) -> str:
        self.told.clear()
        site = load("lab", Places(root=ROOT, state=self.places.state))
        assert isinstance(site, SiteStack)
        assert site.lab is not None
        object.__setattr__(site, "lab", site.lab.model_copy(update={"engine": wanted}))
        return engine_for(site, self.places, self.needed, self.told.append, build=build)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine where root asks and everything is there but the image."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    return Machine(tmp_path)


def test_where_guests_can_run_they_do_and_their_image_is_built_first(machine: Machine) -> None:
    assert machine.engine("auto") == "lxc"
    assert (machine.images / "debian-12-plain.qcow2").exists()
    assert machine.told == [
        "image debian-12-plain is not there yet and is built now, about a minute",
        "  installing",
    ]
    assert machine.engine("auto") == "lxc"
    assert machine.told == []


def test_without_an_event_nothing_is_built(machine: Machine) -> None:
    assert machine.engine("auto", build=False) == "lxc"
    assert not machine.images.exists()
    assert machine.told == []


@pytest.mark.parametrize(
    ("root", "tools", "packages", "reason", "told"),
    [
        (True, True, ("lxc", "nftables"), "x", "programs are missing; on Debian type: "
         "apt install lxc nftables"),
        (True, False, ("lxc", "qemu-utils"), "x", "programs are missing; on Debian type: "
         "apt install lxc qemu-utils mmdebstrap"),
        (True, False, (), None, "programs are missing; on Debian type: "
         "apt install mmdebstrap qemu-utils"),
        (False, True, (), "users may not", "users may not"),
        (False, False, ("lxc", "uidmap"), "x", "programs are missing; on Debian type: "
         "apt install lxc uidmap"),
        (True, True, (), "/state cannot hold guests' disks", "/state cannot hold guests' disks"),
    ],
)  # fmt: skip
def test_where_they_cannot_run_one_sentence_says_why_and_what_to_install(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    root: bool,
    tools: bool,
    packages: tuple[str, ...],
    reason: str | None,
    told: str,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if tools else None)
    machine.lab(reason=reason, packages=packages)
    assert machine.engine("auto") == "none"
    assert machine.told == [f"guests of lab are objects of the API that nobody boots: {told}"]


@pytest.mark.parametrize("engine", ["auto", "lxc"])
def test_a_user_is_told_once_how_root_builds_the_image_and_then_has_real_guests(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cache = machine.images.parent.parent
    line = (
        "image debian-12-plain is not there, and building it takes root; type once: "
        f"mkdir -p {cache}/practicum && sudo env XDG_CACHE_HOME={cache} "
        "./practicum image build debian-12 --flavour plain"
    )
    if engine == "auto":
        assert machine.engine(engine) == "none"
        assert machine.told == [f"guests of lab are objects of the API that nobody boots: {line}"]
    else:
        with pytest.raises(RunError) as refused:
            machine.engine(engine)
        assert str(refused.value) == line
    assert not machine.images.exists()
    machine.images.mkdir(parents=True)
    (machine.images / "debian-12-plain.qcow2").touch()
    assert machine.engine(engine) == "lxc"
    assert machine.told == []


def test_a_user_is_refused_levels_with_a_file_server_before_anything_starts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.needed = {"debian-12": "exercises"}
    machine.images.mkdir(parents=True)
    (machine.images / "debian-12-exercises.qcow2").touch()
    why = (
        "level nfs and those that build on it (mpi, scheduler, monitoring) have a file server, "
        "which works in guests of root only: type the same as root, or write `level: ssh` at most"
    )
    assert machine.engine("auto") == "none"
    assert machine.told == [f"guests of lab are objects of the API that nobody boots: {why}"]
    with pytest.raises(RunError) as refused:
        machine.engine("lxc")
    assert str(refused.value) == why
    machine.lab(kept="lxc")
    with pytest.raises(RunError, match="level nfs"):
        machine.engine("auto")
    assert machine.engine("auto", build=False) == "lxc"
    with pytest.raises(RunError, match="level nfs"):  # the lab runs already
        build_images(machine.needed, machine.places, machine.told.append)


def test_an_image_that_cannot_be_built_leaves_the_guests_as_objects(machine: Machine) -> None:
    (machine.places.root / "works").unlink()
    assert machine.engine("auto") == "none"
    assert machine.told[-1] == (
        "guests of lab are objects of the API that nobody boots: the mirror does not answer"
    )
    with pytest.raises(RunError, match="the mirror does not answer"):
        machine.engine("lxc")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_build_ends_with_who_has_asked_for_it(machine: Machine, number: signal.Signals) -> None:
    note = machine.places.root / "works-on"
    note.touch()
    before = signal.getsignal(number)

    def end() -> None:
        while not note.read_text():
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        machine.engine("lxc")
    thread.join()
    assert not Path(f"/proc/{note.read_text()}").exists()
    assert signal.getsignal(number) == before


def test_guests_that_are_there_keep_their_engine(machine: Machine) -> None:
    machine.lab(kept="none")
    assert machine.engine("auto") == "none"
    assert "lab stay objects that nobody boots, since they were made so" in machine.told[0]
    machine.lab(kept="none", reason="programs", packages=("lxc",))
    assert machine.engine("auto") == "none"
    assert machine.told == []
    machine.lab(kept="lxc", reason="programs", packages=("lxc",))
    assert machine.engine("auto") == "lxc"  # the lab says why it cannot start


@pytest.mark.parametrize("name", ["none", "lxc", "qemu"])
def test_a_file_that_names_an_engine_gets_it(machine: Machine, name: str) -> None:
    machine.lab(kept="lxc", reason="a reason")
    assert machine.engine(name) == name  # the lab says why it cannot start, if it cannot
    assert machine.images.exists() == (name != "none")


def test_an_image_that_is_there_is_not_built_again(machine: Machine) -> None:
    machine.images.mkdir(parents=True)
    (machine.images / "debian-12-exercises.qcow2").touch()
    (machine.places.root / "works").unlink()
    build_images({"debian-12": "plain"}, machine.places, machine.told.append)
    build_images({"debian-12": "exercises"}, machine.places, machine.told.append)
    (machine.images / "debian-12-exercises.qcow2").rename(machine.images / "debian-12.qcow2")
    build_images({"debian-12": "exercises"}, machine.places, machine.told.append)
    assert machine.told == []
    with pytest.raises(RunError):
        build_images({"debian-13": "plain"}, machine.places, machine.told.append)


@pytest.mark.parametrize(
    ("level", "flavour"),
    [("none", "plain"), ("ssh", "plain"), ("nfs", "exercises"), ("monitoring", "exercises")],
)
def test_levels_decide_which_flavour_an_event_needs(
    tmp_path: Path, level: str, flavour: str
) -> None:
    event = (ROOT / "stacks" / "Pulumi.laptop.yaml").read_text()
    assert event.count("    on: lab\n") == 1
    level_line = f"    contextualize: {{level: {level}}}\n"
    event = event.replace("    on: lab\n", f"    on: lab\n{level_line}")
    (tmp_path / "Pulumi.laptop.yaml").write_text(event)
    stack = load(str(tmp_path / "Pulumi.laptop.yaml"), Places(root=ROOT, state=tmp_path))
    assert isinstance(stack, EventStack)
    assert images_of(stack.site, plan_event(stack)) == {"debian-12": flavour}
    assert images_of(stack.site) == {"debian-12": "plain"}


def test_the_programs_for_images_are_those_of_the_image_room() -> None:
    assert lab_engine.IMAGE_PROGRAMS.items() <= TOOLS.items()
