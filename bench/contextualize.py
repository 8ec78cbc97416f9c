"""Guests that really run, prepared up to the level `base`; then one changed line.

Measured is `practicum contextualize` as a person types it, for all guests at once. The bound is
bare SSH sessions (asyncssh) that write the same files and run the same scripts, one session a
guest, with nothing asked, compared or remembered. The peer is Ansible with pipelining and kept
connections, whose playbook does the same. Before each of them everything that was given is
spoilt, so that all of it is to be done.

After one changed line `practicum up` finds out which clusters are concerned; beside it the five
sessions that know so beforehand, and Ansible once more with all guests.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.doors import doors
from bench.figures import spread
from bench.peers import installed, variables
from bench.processes import BenchError, run
from bench.results import Arm, Result, Target
from bench.same_work import VERSIONS, write_jobs
from bench.stacks import EVENT, ROOT, SITE, Size, replaced, write_stacks
from lab.engines.lxc.availability import unavailable
from operate.contextualize.applier import agents
from operate.contextualize.carrier import RECORD
from operate.places import Places
from operate.progress import telling
from operate.session import open_session
from operate.stacks import load_event
from plan.contextualize.bundles import all_orders
from plan.contextualize.orders import Orders
from plan.plan import plan_event

CLUSTERS = 26
QUICK_CLUSTERS = 3
FORKS = (8, 50)
MOST_OF_BOUND = 3.0
LEAST_OF_PEER = 10.0
AT_ONCE = 16
LIMIT_S = 3600.0
PEER_ROUNDS = 1
"""Ansible takes minutes; its runs differ by a few percent, and the target is ten times as much."""
CHANGED = "c02"
SPOIL = f"""
import json, os
record = "/{RECORD}"
for path in json.load(open(record))["files"] if os.path.exists(record) else []:
    if "ssh_host_" not in path:  # with which sessions are going to answer
        open(path, "a").write("# spoilt\\n")
if os.path.exists(record):
    os.remove(record)
print("{{}}")
"""
WELCOME = """
import os
folder = os.path.expanduser("~root/.ssh")
os.makedirs(folder, 0o700, exist_ok=True)
open(f"{folder}/authorized_keys", "a").write(KEY)
print("{}")
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An event of the bench's own, with all guests up, and a key that lets root in."""

    folder: Path
    guests: int
    places: Places

    @property
    def file(self) -> Path:
        """The event's stack file."""
        return self.folder / "stacks" / f"Pulumi.{EVENT}.yaml"

    @property
    def key(self) -> Path:
        """The private key."""
        return self.folder / "key"

    @property
    def lab(self) -> Path:
        """State of the lab."""
        return self.places.lab(SITE)

    def practicum(self, *words: str) -> float:
        """Seconds of a verb of the command line, that has to end well."""
        environment = {**os.environ, "PRACTICUM_STATE": str(self.places.state)}
        command = [str(ROOT / "practicum"), words[0], str(self.file), *words[1:]]
        return run(command, folder=ROOT, variables=environment, limit_s=LIMIT_S).wall_s

    def edit(self, pattern: str, put: str) -> None:
        """Change one place of the stack file."""
        self.file.write_text(replaced(self.file.read_text(), {pattern: put}))

    def orders(self) -> list[Orders]:
        """What every guest of a cluster is to get now."""
        stack = load_event(str(self.file), self.places)
        secret = open_session(stack, self.places, telling(json_events=True)).secret()
        clusters = all_orders(plan_event(stack), secret)
        return [guest for each in clusters if each.cluster != "instructor" for guest in each.guests]

    def everywhere(self, guests: Sequence[Orders], program: str) -> None:
        """Run a program of Python on guests, through their agents."""
        stack = load_event(str(self.file), self.places)
        api = open_session(stack, self.places, telling(json_events=True)).api()
        way_of = agents(api, LIMIT_S)

        def one(guest: Orders) -> None:
            way = way_of(guest)
            if way is None:
                raise BenchError(f"{guest.guest} is not there")
            way.wait()
            way.python(program)

        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(one, guests))

    def touched(self, since: int) -> set[str]:
        """VMIDs of guests on which something was run, after so many lines of the request log."""
        lines = (self.lab / "requests.jsonl").read_text().splitlines()[since:]
        paths = [each["path"] for each in map(json.loads, lines)]
        return {path.split("/")[4] for path in paths if path.endswith("/agent/exec")}

    def logged(self) -> int:
        """Lines of the request log."""
        return len((self.lab / "requests.jsonl").read_text().splitlines())


@contextmanager
def stage(clusters: int, say: Say) -> Iterator[Stage]:
    """Boot an event of so many clusters; nothing of it is left at the end."""
    if reason := unavailable():
        raise BenchError(f"guests cannot run here: {reason}")
    size = Size(clusters=clusters)
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        made = Stage(
            folder=folder,
            guests=clusters * 5,
            places=Places(root=ROOT, state=folder / "state"),
        )
        write_stacks(folder / "stacks", size, endpoint=f"https://127.0.0.1:{_free_port()}")
        site = folder / "stacks" / f"Pulumi.{SITE}.yaml"
        site.write_text(replaced(site.read_text(), {"engine: auto": "engine: lxc"}))
        made.edit("(?m)^    vmids:", "    contextualize:\n      level: none\n    vmids:")
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made.key)]
        subprocess.run(command, check=True)
        try:
            say(f"{made.guests + 1} guests are made: {made.practicum('up', '--yes'):.0f} s")
            yield made
        finally:
            subprocess.run(
                [str(ROOT / "practicum"), "lab", "reset", str(site), "--yes"],
                env={**os.environ, "PRACTICUM_STATE": str(made.places.state)},
                stdout=subprocess.DEVNULL,
                check=False,
            )


@dataclass(slots=True, kw_only=True)
class Figures:
    """Seconds of all rounds, by arm."""

    practicum: list[float] = field(default_factory=list)
    sessions: list[float] = field(default_factory=list)
    ansible: dict[int, list[float]] = field(default_factory=lambda: {each: [] for each in FORKS})


def sessions(folder: Path) -> float:
    """Seconds of bare sessions with the jobs of a folder."""
    programs = installed("asyncssh", VERSIONS["asyncssh"])
    command = [programs / "python", ROOT / "bench" / "sessions.py", folder / "jobs.json"]
    return run(command, folder=folder, variables=variables(programs), limit_s=LIMIT_S).wall_s


def ansible(folder: Path, forks: int) -> float:
    """Seconds of Ansible with the inventory and playbook of a folder."""
    programs = installed("ansible-core", VERSIONS["ansible-core"])
    command: list[str | Path] = [programs / "ansible-playbook", "--forks", str(forks)]
    command += ["-i", folder / "inventory.json", folder / "main.json"]
    own = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_SSH_RETRIES": "3", "HOME": str(folder)}
    done = run(
        command,
        folder=folder,
        variables=variables(programs) | own,
        limit_s=LIMIT_S,
    )
    return done.wall_s


def one_round(
    made: Stage, guests: Sequence[Orders], figures: Figures, say: Say, *, peer: bool
) -> None:
    """Every arm once, after everything was spoilt; Ansible only if `peer`."""
    arms: dict[str, tuple[list[float], Callable[[], float]]] = {
        "practicum": (figures.practicum, partial(made.practicum, "contextualize")),
        "bare sessions": (figures.sessions, partial(sessions, made.folder)),
    }
    for forks in FORKS[::-1] if peer else ():
        measured = partial(ansible, made.folder, forks)
        arms[f"Ansible, {forks} forks"] = (figures.ansible[forks], measured)
    for name, (found, measure) in arms.items():
        made.everywhere(guests, SPOIL)
        found.append(measure())
        say(f"{name}: {found[-1]:.1f} s")


def changed_line(made: Stage, say: Say) -> tuple[float, int, float, float]:
    """`up` after one changed line, guests that it touched; five sessions; Ansible with 50 forks."""
    made.practicum("up", "--yes")
    made.edit(
        "(?m)^      level: base\n", f"      level: base\n      clusters: {{{CHANGED}: ssh}}\n"
    )
    since = made.logged()
    took_s = made.practicum("up", "--yes")
    touched = len(made.touched(since))
    say(f"one changed line: up {took_s:.1f} s, {touched} guests touched")
    guests = made.orders()
    with doors(made.lab, [each.vmid for each in guests]) as ports:
        few = [each for each in guests if each.guest.startswith(f"{CHANGED}-")]
        write_jobs(made.folder, few, ports, made.key)
        bare_s = sessions(made.folder)
        write_jobs(made.folder, guests, ports, made.key)
        peer_s = ansible(made.folder, FORKS[-1])
    say(f"one changed line: 5 bare sessions {bare_s:.1f} s, Ansible {peer_s:.1f} s")
    return took_s, touched, bare_s, peer_s


def results(
    guests: int, figures: Figures, changed: Sequence[tuple[float, int, float, float]]
) -> list[Result]:
    """Time of all guests against the bound and against both Ansibles, and of one changed line."""
    name, what = f"contextualize.base.{guests}", f"`contextualize` of {guests} guests, level base"
    bare = Arm(what="bare SSH sessions, the same work", spread=spread(figures.sessions))
    whole = [
        Result(
            id=f"{name}.{'bound' if bounded else f'ansible{forks}'}",
            what=f"{what}, beside {'bare sessions' if bounded else 'Ansible'}",
            unit="s",
            figure=spread(figures.practicum),
            bound=bare,
            peer=Arm(what=f"Ansible, {forks} forks", spread=spread(figures.ansible[forks])),
            target=Target(limit=MOST_OF_BOUND, of="bound")
            if bounded
            else Target(limit=1 / LEAST_OF_PEER, of="peer"),
        )
        for bounded, forks in ((True, FORKS[0]), *((False, each) for each in FORKS))
    ]
    ups, touched, bares, peers = zip(*changed, strict=True)
    return [
        *whole,
        Result(
            id=f"{name}.changed",
            what=f"whole `up` after one changed line for one cluster, {guests} guests",
            unit="s",
            figure=spread(ups),
            bound=Arm(what="5 bare SSH sessions, known beforehand", spread=spread(bares)),
            peer=Arm(what=f"Ansible, {FORKS[-1]} forks, all guests again", spread=spread(peers)),
        ),
        Result(
            id=f"{name}.touched",
            what="guests on which something runs after one changed line for one cluster",
            unit="guests",
            figure=spread(touched),
            bound=Arm(what="the cluster's guests", spread=spread([5.0])),
            peer=Arm(what="Ansible: all"),
            target=Target(limit=5.0),
        ),
    ]


def bench(repeats: int, *, quick: bool, say: Say) -> tuple[list[Result], dict[str, str]]:
    """All results, and the versions of the others."""
    figures = Figures()
    for name, version in VERSIONS.items():
        installed(name, version)
    with stage(QUICK_CLUSTERS if quick else CLUSTERS, say) as made:
        made.edit("level: none", "level: base")
        guests = made.orders()
        key = Path(f"{made.key}.pub").read_text()
        made.everywhere(guests, f"KEY = {key!r}\n{WELCOME}")
        with doors(made.lab, [each.vmid for each in guests]) as ports:
            write_jobs(made.folder, guests, ports, made.key)
            for number in range(1, repeats + 1):
                say(f"round {number} of {repeats}")
                one_round(made, guests, figures, say, peer=number <= PEER_ROUNDS)
        changed = [changed_line(made, say)]
    return results(made.guests, figures, changed), dict(VERSIONS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
