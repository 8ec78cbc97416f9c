"""The lab as a process: started from a site's stack file, found again, stopped, emptied.

The lab is `python -m lab serve`; practicum knows it by its state folder and by what it answers
on its port, and imports nothing of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from event.problems import RunError
from event.stack import SiteStack, Stack
from operate.lab_engine import AUTO, LXC, NONE, Images, Tell, engine_for, images_of, none_line
from operate.lab_seed import seed
from operate.places import Places, own_folder, write_private
from operate.stacks import site_of

START_S = 30.0
STOP_S = 15.0
POLL_S = 0.02
SAID = "serve.out"
CANNOT = "the lab's engine lxc cannot run here: "
"""Before the reason, in the words of a lab that does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """A lab as it is now; `pid` is None when it does not run."""

    site: str
    state: Path
    pid: int | None
    endpoint: str

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.pid is not None

    @property
    def down(self) -> str:
        """What a person is told who needs a lab that does not run."""
        return f"lab {self.site} does not run; type: ./practicum lab start {self.site}"

    def stop_if_down(self) -> None:
        """Raise `RunError` when it does not run."""
        if not self.running:
            raise RunError(self.down)

    @property
    def token_file(self) -> Path:
        """File with the API token of the lab's administrator."""
        return self.state / "token"

    @property
    def ca_file(self) -> Path:
        """The authority that signed the lab's certificate."""
        return self.state / "ca.pem"

    @property
    def requests(self) -> Path:
        """Log of the requests that the lab has answered, one JSON object a line."""
        return self.state / "requests.jsonl"

    @property
    def lacks(self) -> list[str]:
        """What guests of a running lab will not find, and why, in sentences."""
        if not self.running:
            return []
        ready: dict[str, Any] = json.loads((self.state / SAID).read_text())
        return [str(each) for each in ready.get("lacks", ())]

    @property
    def engine(self) -> str:
        """What its guests are: `none`, `lxc` or `qemu`. A lab that is older than the file `engine`
        has a folder for disks if its guests run."""
        try:
            return (self.state / "engine").read_text().strip()
        except OSError:
            return LXC if (self.state / "guests").is_dir() else NONE

    def as_record(self) -> dict[str, Any]:
        """For `lab status --json`."""
        return {
            "site": self.site,
            "running": self.running,
            "pid": self.pid,
            "endpoint": self.endpoint,
            "engine": self.engine,
            "state": str(self.state),
        }


def status(stack: SiteStack, places: Places) -> LabStatus:
    """How the lab of a site is; `RunError` for a site that has none."""
    if stack.lab is None:
        raise RunError(
            f"{stack.name} is a real site: its stack file has no `practicum:lab`, so there is no "
            "lab to start or stop"
        )
    state = places.lab(stack.name)
    return LabStatus(
        site=stack.name, state=state, pid=_holder(state), endpoint=stack.site.api.endpoint
    )


def stop_if_down(stack: Stack, places: Places) -> None:
    """Raise `RunError` when a stack's site is a lab that does not run."""
    site = site_of(stack)
    if site.lab is not None:
        status(site, places).stop_if_down()


def start(
    stack: SiteStack,
    places: Places,
    *,
    realistic: bool = False,
    images: Images | None = None,
    tell: Tell = lambda _text: None,
) -> tuple[LabStatus, list[str]]:
    """Start the lab unless it runs; its status, and what its seed has added.

    `realistic` asks for Proxmox VE's real limits even if the stack file does not. `images` are to
    be there if guests really run, and are built; without them nothing is built.

    Raises `RunError` with the lab's own words when it refuses.
    """
    before = status(stack, places)
    if before.running:
        return before, []
    address = urlsplit(before.endpoint)
    if address.hostname not in ("127.0.0.1", "localhost"):
        problem = stack.problem(
            ("site", "api", "endpoint"), "is not on this machine, where its lab runs",
            found=before.endpoint, hint="write https://127.0.0.1:PORT, or take practicum:lab out",
        )  # fmt: skip
        raise RunError(str(problem))
    state = own_folder(before.state)
    write_private(state / "seed.json", json.dumps(seed(stack), indent=1))
    needed = images_of(stack) if images is None else images
    engine = engine_for(stack, places, needed, tell, build=images is not None)
    limits = _limits(stack, realistic)
    try:
        ready = _serve_with(engine, stack, places, limits)
    except RunError as error:
        _, cannot, reason = str(error).partition(CANNOT)
        if not cannot or stack.lab is None or stack.lab.engine != AUTO:
            raise
        ready = _serve_with(NONE, stack, places, limits)  # which a lab with other guests refuses
        tell(none_line(stack, reason))
    return status(stack, places), [str(item) for item in ready.get("added", [])]


def _serve_with(engine: str, stack: SiteStack, places: Places, limits: list[str]) -> dict[str, Any]:
    lab = status(stack, places)
    if engine != NONE:
        _make_programs(places)
    port = urlsplit(lab.endpoint).port or 8006
    return _serve(stack, lab.state, port, places, ["--engine", engine, *limits])


def _make_programs(places: Places) -> None:
    """Compile what the lab puts into guests that really run. Without Go they do without it: then
    /home cannot be shared, which contextualization says where it is asked for."""
    command = [sys.executable, "-P", "-m", "toolchain", "program", "lab/mount-nfs"]
    environment = {**os.environ, "PYTHONPATH": str(places.root)}
    subprocess.run(
        command, cwd=places.root, env=environment, stdout=subprocess.DEVNULL, check=False
    )


def _limits(stack: SiteStack, realistic: bool) -> list[str]:
    """Options of the lab for how its cluster waits."""
    if stack.lab is None:
        return []
    options = ["--realistic"] if realistic or stack.lab.realistic else []
    if stack.lab.clone_seconds is not None:
        options += ["--clone-seconds", str(stack.lab.clone_seconds)]
    return options


def _serve(
    stack: SiteStack, state: Path, port: int, places: Places, options: list[str]
) -> dict[str, Any]:
    """Start the process by itself and wait for its line; the line as a record."""
    said, refused = state / SAID, state / "serve.err"
    command = [sys.executable, "-P", "-m", "lab", "serve", "--state", str(state)]
    command += ["--seed", str(state / "seed.json"), "--port", str(port), "--auth-delay", "0.2"]
    command += options
    with said.open("wb") as out, refused.open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=places.root,
            env={**os.environ, "PYTHONPATH": str(places.root)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        line = said.read_text()
        if line.endswith("\n"):
            ready: dict[str, Any] = json.loads(line)
            return ready
        if process.poll() is not None:
            raise RunError(_refusal(stack, state, port, refused.read_text()))
        time.sleep(POLL_S)
    process.terminate()
    raise RunError(
        f"the lab of {stack.name} did not answer within {START_S:.0f} s; see {state / 'lab.log'}"
    )


def _refusal(stack: SiteStack, state: Path, port: int, text: str) -> str:
    """The lab's last words, with our next step where we know one."""
    last = text.strip().splitlines()[-1] if text.strip() else "it ended without a word"
    if f"port {port}" in last:
        problem = stack.problem(
            ("site", "api", "endpoint"), f"cannot be the lab's: port {port} is in use by another "
            "program", hint="stop that program, or write another port in the stack file",
            found=stack.site.api.endpoint,
        )  # fmt: skip
        return str(problem)
    if "Traceback" in text:
        return f"the lab of {stack.name} failed: {last} (details: {state / 'serve.err'})"
    return f"the lab of {stack.name} cannot be started: {last}"


def stop(stack: SiteStack, places: Places) -> bool:
    """Stop the lab, and guests that run; False if it did not run. What it holds is kept."""
    lab = status(stack, places)
    if lab.pid is None:
        _power_off(lab, places)
        return False
    os.kill(lab.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_S
    while _holder(lab.state) == lab.pid:
        if time.monotonic() > end:
            raise RunError(
                f"the lab of {stack.name} (process {lab.pid}) does not end; see "
                f"{lab.state / 'lab.log'}, or end it with: kill -9 {lab.pid}"
            )
        time.sleep(POLL_S)
    _power_off(lab, places)
    return True


def _power_off(lab: LabStatus, places: Places) -> None:
    """End guests that go on without the lab's process, and their networks."""
    if (lab.state / "guests").is_dir():
        _end(lab, places, "power-off")


def _end(lab: LabStatus, places: Places, verb: str) -> None:
    command = [sys.executable, "-P", "-m", "lab", verb, "--state", str(lab.state)]
    variables = {**os.environ, "PYTHONPATH": str(places.root)}
    done = subprocess.run(command, cwd=places.root, env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        told = done.stderr.strip().rpartition("\n")[2]
        raise RunError(f"guests of the lab of {lab.site} cannot be switched off: {told}")


def reset(stack: SiteStack, places: Places) -> None:
    """Stop the lab and forget all that it holds; the next start fills it anew."""
    stop(stack, places)
    lab = status(stack, places)
    if os.geteuid() != 0 and (lab.state / "guests").is_dir():
        _end(lab, places, "forget")  # files of guests belong to others than their user
    elif lab.state.exists():
        shutil.rmtree(lab.state)


def _holder(state: Path) -> int | None:
    """The process that holds the state folder's lock: the running lab. None if nobody does."""
    path = state / "lab.pid"
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = path.read_text().strip()
        return int(text) if text.isdigit() else None
    except OSError:
        return None
    return None
