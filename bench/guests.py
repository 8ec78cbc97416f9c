"""sc09 with guests that really run: from `./practicum up` to the last answer, and back to nothing.

Each round is a first run: no state, no lab, no site; engine and image are there. Its bound is what
all of it needs of the cores. Beside it the event's network alone, by the lab, by `ip -batch`, which
is the bound, and by Mininet. Mininet has namespaces with a shell for guests, and neither systems
nor an API: it is a peer for the network, and context for the rest.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench import networks
from bench.answers import Answers
from bench.cards import Card, cards, planned
from bench.figures import Spread, spread
from bench.processes import TICKS, BenchError, Run, run, usage_of
from bench.results import Arm, Result, Target
from bench.stacks import EVENT, ROOT, SITE, Size, replaced, write_stacks
from lab.engines.lxc.availability import unavailable
from lab.engines.lxc.holder import Holder
from operate.api import Api
from plan.records import EventPlan

SIZE = Size(clusters=26)
LIMIT_S = 900
TARGET_S = 180.0
AIM_S = 90.0
TARGET_MIB = 6 * 1024.0
NETWORK_RATIO = 1.5
REAL = {r"(?m)^    engine: auto$": "    engine: lxc"}
OWN = re.compile(r"^(PULUMI|PRACTICUM|PROXMOX_VE)_")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One round of the event: seconds, MiB, and CPU seconds by who used them."""

    heads_s: float
    agents_s: float
    up_s: float
    memory_mib: float
    destroy_s: float
    cpu_s: dict[str, float]

    @property
    def all_s(self) -> float:
        """Until everybody has answered."""
        return max(self.heads_s, self.agents_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The event, and its network alone by each arm: seconds up and down."""

    event: Built
    lab: networks.Times
    ip: networks.Times
    mininet: tuple[float, float, float] | None


@dataclass(slots=True)
class Ground:
    """A person's folder with nothing in it but the two stack files."""

    folder: Path
    port: int

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def lab(self) -> Path:
        return self.state / "lab" / SITE

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not OWN.match(name)}
        return {**kept, "PRACTICUM_STATE": str(self.state)}

    def practicum(self, *words: str) -> Run:
        """Run the command line to its end."""
        command = [str(ROOT / "practicum"), *words]
        return run(command, folder=self.folder, variables=self.variables, limit_s=LIMIT_S)

    def file(self, stack: str) -> str:
        return str(self.folder / "stacks" / f"Pulumi.{stack}.yaml")

    def api(self) -> Api | None:
        """The lab's API as root, once there is one."""
        with suppress(OSError):
            token, trust = (self.lab / "token").read_text().strip(), self.lab / "ca.pem"
            if trust.stat().st_size:
                return Api(f"https://127.0.0.1:{self.port}", token, ca_file=trust)
        return None


@contextmanager
def ground() -> Iterator[Ground]:
    """A ground whose lab leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            made = Ground(folder=Path(scratch), port=probe.getsockname()[1])
        write_stacks(made.folder / "stacks", SIZE, endpoint=f"https://127.0.0.1:{made.port}")
        site = Path(made.file(SITE))
        site.write_text(replaced(site.read_text(), REAL))
        try:
            yield made
        finally:
            command = [str(ROOT / "practicum"), "lab", "reset", made.file(SITE), "--yes"]
            subprocess.run(command, env=made.variables, capture_output=True, check=False)


def build(plan: EventPlan) -> Built:
    """One first run, and `destroy`."""
    with ground() as made:
        answers = Answers(state=made.lab, guests=plan.guests, api=made.api)
        answers.start()
        try:
            up = made.practicum("up", made.file(EVENT), "--yes")
            answers.wait(LIMIT_S)
        finally:
            answers.stop()
        cpu_s = cpu_of(made, up)
        destroyed = made.practicum("destroy", made.file(EVENT), "--yes")
        return Built(
            heads_s=answers.heads or 0.0,
            agents_s=answers.agents or 0.0,
            up_s=up.wall_s,
            memory_mib=answers.memory_mib,
            destroy_s=destroyed.wall_s,
            cpu_s=cpu_s,
        )


def cpu_of(made: Ground, up: Run) -> dict[str, float]:
    """CPU seconds until everybody has answered, of the lab with the programs that it has run, of
    guests by their control group."""
    holder = Holder(made.lab / "guests")
    guests = 0.0
    if holder.adopt():
        rows = dict(line.split() for line in (holder.groups / "cpu.stat").read_text().splitlines())
        guests = int(rows["usage_usec"]) / 1e6
    pid = int((made.lab / "lab.pid").read_text())
    lab = usage_of(pid)
    return {
        "command line and engine": up.cpu_s,
        "lab": lab[1] if lab else 0.0,
        "lab's programs": waited_for_s(pid),
        "guests": guests,
    }


def waited_for_s(pid: int) -> float:
    """CPU seconds of children that a process has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / TICKS


def one_round(plan: EventPlan, plugged: list[Card], say: Say, said: str) -> Round:
    """All arms once."""
    event = build(plan)
    used = ", ".join(f"{name} {value:.0f}" for name, value in event.cpu_s.items())
    say(
        f"{said} up: heads {event.heads_s:.1f} s, agents {event.agents_s:.1f} s, `up` "
        f"{event.up_s:.1f} s, {event.memory_mib:.0f} MiB, destroy {event.destroy_s:.1f} s; "
        f"CPU s: {used}"
    )
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        ours, bare = networks.by_the_lab(folder, plugged), networks.by_ip(plugged)
        peer = networks.by_mininet(folder, plugged) if networks.mininet_version() else None
    say(f"{said} network alone: lab {ours[0]:.2f} s, ip {bare[0]:.2f} s, Mininet "
        f"{peer[0] if peer else 0:.1f} s")  # fmt: skip
    return Round(event=event, lab=ours, ip=bare, mininet=peer)


def results(rounds: list[Round]) -> list[Result]:
    """What the rounds say."""
    events = [each.event for each in rounds]
    floors = [
        Arm(what="`ip -batch`, network alone", spread=spread([each.ip[place] for each in rounds]))
        for place in (0, 1)
    ]
    shells = "Mininet 2.3, shells without systems"
    return [
        _up(events, _mininet(rounds, 0, shells)),
        Result(
            id="guests.memory.131",
            what="memory in use beyond the begin, most of it",
            unit="MiB",
            figure=spread([each.memory_mib for each in events]),
            bound=Arm(what="none: systems use what they use"),
            peer=_mininet(rounds, 2, shells),
            target=Target(limit=TARGET_MIB),
        ),
        Result(
            id="guests.destroy.131",
            what="`destroy sc09`",
            unit="s",
            figure=spread([each.destroy_s for each in events]),
            bound=floors[1],
            peer=_mininet(rounds, 1, shells),
        ),
        *_network(rounds, *floors),
    ]


def _up(events: list[Built], peer: Arm) -> Result:
    """The whole first run, against what it needs of the cores."""
    least = [sum(each.cpu_s.values()) / len(os.sched_getaffinity(0)) for each in events]
    used = {name: _median([each.cpu_s[name] for each in events]) for name in events[0].cpu_s}
    return Result(
        id="guests.up.131",
        what="`up sc09`, first run, until 26 heads answer SSH and 131 agents answer",
        unit="s",
        figure=spread([each.all_s for each in events]),
        bound=Arm(what="CPU seconds of all / cores", spread=spread(least)),
        peer=peer,
        target=Target(limit=TARGET_S),
        more={
            "CPU seconds": used | {"all": sum(used.values())},
            "seconds": {
                "last head": _median([each.heads_s for each in events]),
                "last agent": _median([each.agents_s for each in events]),
                "`up` ends": _median([each.up_s for each in events]),
                "aim": AIM_S,
            },
        },
    )


def _network(rounds: list[Round], up: Arm, down: Arm) -> list[Result]:
    sides = ((0, "up", "made", up, NETWORK_RATIO), (1, "down", "removed", down, None))
    return [
        Result(
            id=f"guests.network.{name}",
            what=f"the event's network alone, {word} by the lab",
            unit="s",
            figure=spread([each.lab[place] for each in rounds]),
            bound=bound,
            peer=_mininet(rounds, place, "Mininet 2.3"),
            target=Target(limit=limit, of="bound") if limit else None,
        )
        for place, name, word, bound, limit in sides
    ]


def _mininet(rounds: list[Round], place: int, what: str) -> Arm:
    found = [each.mininet[place] for each in rounds if each.mininet is not None]
    if not found:
        return Arm(what="none: Debian's packages mininet and bridge-utils are not installed")
    return Arm(what=what, spread=spread(found))


def _median(values: list[float]) -> float:
    figure: Spread = spread(values)
    return figure.median


def bench(repeats: int, *, say: Say) -> tuple[list[Result], dict[str, str]]:
    """All results, and the versions of the peers."""
    if reason := unavailable():
        raise BenchError(reason)
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        write_stacks(Path(scratch), SIZE)
        plan = planned(Path(scratch))
    plugged = cards(plan)
    begun = time.perf_counter()
    rounds = []
    for number in range(1, repeats + 1):
        rounds.append(one_round(plan, plugged, say, f"round {number}/{repeats}"))
    say(f"{repeats} rounds in {time.perf_counter() - begun:.0f} s")
    peer = networks.mininet_version()
    return results(rounds), {"mininet": peer} if peer else {}
