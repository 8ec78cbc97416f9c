"""The lab beside the engine: its share of an `up`, what it is asked, and how fast it reads.

The bound of a read is a server with the same HTTP library, TLS and answer that does nothing else;
the peer is fakepve, another simulator of the API, with the same guests.

What a site with 1,300 guests takes is measured on a lab of its own (bench/full_site.py).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import full_site
from bench.figures import spread
from bench.labs import Served, served
from bench.programs import prepare
from bench.readers import reads_per_second
from bench.requestlog import Calls, calls, lines
from bench.results import Arm, Result, Target
from bench.servers import FAKEPVE, Reader, Values, beside, peer_arm, rounds
from bench.stacks import NODES, SHIPPED_CLUSTERS, Size

TARGET_SHARE = 0.25
FLUSH_S = 0.6  # seconds; the lab writes its log out five times a second
LOAD_S = 2.0
PATHS = {
    "GET version": "/api2/json/version",
    "GET cluster/resources, 131 guests": "/api2/json/cluster/resources",
}
NO_BOUND = Arm(what="none: zero, if answers took no time")
NO_PEER = Arm(what="none: no other simulator lets this program's `up` end")

Say = Callable[[str], None]


@dataclass(slots=True)
class Ups:
    """What the lab did during each `up`; shares are of its wall time."""

    server_share: list[float] = field(default_factory=list)
    cpu_share: list[float] = field(default_factory=list)
    calls: dict[str, Calls] = field(default_factory=dict)
    peak_mib: float = 0


Rates = dict[str, Values]  # by name of the read


def watch_up(program_up: Callable[[], float], lab: Served, ups: Ups) -> None:
    """Run an `up` and add what the lab's log and process say about it."""
    cpu_s, start = lab.cpu_s, time.time()
    wall_s = program_up()
    end, cpu_s = time.time(), lab.cpu_s - cpu_s
    time.sleep(FLUSH_S)
    ups.calls = calls(lines(lab.state), start, end)
    ups.server_share.append(sum(each.ms for each in ups.calls.values()) / 1000 / wall_s)
    ups.cpu_share.append(cpu_s / wall_s)
    ups.peak_mib = lab.peak_mib


def read_rates(lab: Served, folder: Path, repeats: int) -> tuple[Rates, str]:
    """Reads per second of lab, bare server and peer in turn; and why a peer is missing."""
    names = [f"c{n:02d}-{node}" for n in range(1, SHIPPED_CLUSTERS + 1) for node in NODES]
    rates: Rates = {}
    missing = ""
    for name, path in PATHS.items():
        measure = partial(_rate, path)
        with beside(lab, path, folder, names) as (readers, why):
            rates[name] = rounds(readers, repeats, measure)
        missing = missing or why
    return rates, missing


def _rate(path: str, _server: str, reader: Reader) -> float:
    return reads_per_second(reader.port, path, reader.headers, LOAD_S)


def results(size: Size, ups: Ups, rates: Rates, missing: str) -> Iterator[Result]:
    """Shares of `up`, then rates of reads."""
    counts = {
        name: {"calls": each.count, "ms each": each.ms / each.count}
        for name, each in ups.calls.items()
    }
    counts["all"] = {
        "calls": sum(each.count for each in ups.calls.values()),
        "ms each": sum(each.ms for each in ups.calls.values())
        / sum(each.count for each in ups.calls.values()),
        "lab peak MiB": ups.peak_mib,
    }
    for key, what, values in (
        ("share", "time in the lab's answers ÷ wall time of `up`", ups.server_share),
        ("cpu-share", "CPU time of the lab ÷ wall time of `up`", ups.cpu_share),
    ):
        yield Result(
            id=f"lab.{key}",
            what=f"{what}, {size.clusters} clusters ({size.guests} guests)",
            unit="",
            figure=spread(values),
            bound=NO_BOUND,
            peer=NO_PEER,
            target=Target(limit=TARGET_SHARE),
            more=counts if key == "share" else {},
        )
    for name, servers in rates.items():
        yield Result(
            id=f"lab.reads.{name.split()[1].strip(',')}",
            what=f"{name}, more is better",
            unit="/s",
            figure=spread(servers["lab"]),
            bound=Arm(what="same library and answer, no work", spread=spread(servers["bare"])),
            peer=peer_arm(servers, missing),
        )


def bench(repeats: int, *, say: Say) -> tuple[list[Result], dict[str, str]]:
    """All results of the lab, and the versions of what was measured."""
    size, ups = Size(clusters=SHIPPED_CLUSTERS), Ups()
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        with served(folder / "lab", size) as lab:
            programs = prepare(folder, lab, size)
            for number in range(1, repeats + 1):
                watch_up(lambda: programs.practicum.stage("up").wall_s, lab, ups)
                say(f"{number}/{repeats} share of up {ups.server_share[-1]:.3f}")
                if number < repeats:
                    programs.practicum.stage("destroy")
            rates, missing = read_rates(lab, folder, repeats)
        say(f"a site with {full_site.GUESTS} guests")
        full = full_site.results(folder, repeats)
    used = {"engine": programs.engine_version, "fakepve": FAKEPVE}
    return [*results(size, ups, rates, missing), *full], used
