"""A site with 1,300 guests: how long the list of all of them takes, reads per second, memory.

Ten times the tutorial of SC09. The bound is a server that does nothing but send the same answer;
the peer is fakepve with as many guests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

from bench.figures import spread
from bench.labs import Served, served
from bench.processes import BenchError, usage_of
from bench.readers import read_once, reads_per_second, seconds_of_a_read
from bench.results import Arm, Result, Target
from bench.servers import Reader, Values, beside, peer_arm, reader_of, rounds
from bench.stacks import ROOT, SHIPPED_CLUSTERS, Size
from lab.population import FIRST_VMID
from operate.api import Api

GUESTS = 1300
LIST = "/api2/json/cluster/resources"
LISTS = 100
"""How often the list is asked for in a round."""

LOAD_S = 2.0
MOST_LIST_MS = 5.0
MOST_READ_MS = 0.5  # 2,000 a second
MOST_MIB = 150.0


def results(folder: Path, repeats: int) -> list[Result]:
    """Three results, all of one lab that was filled beforehand."""
    where, size = folder / "full", Size(clusters=SHIPPED_CLUSTERS)
    with served(where, size) as lab:
        state = lab.state
    _fill(state)  # which takes a lab that does not run
    with served(where, size) as lab:
        host = _host(lab)
        lists, memory, missing = _lists(lab, host, where, repeats)
        reads = _reads(lab, host, where, repeats)
        memory["lab"] = [lab.peak_mib]
    return [
        _result("list", f"GET cluster/resources, {GUESTS} guests, one of them just changed",
                "ms", lists, MOST_LIST_MS, missing),
        _result("read", f"ms for each GET of a guest's status, {GUESTS} guests, eight connections",
                "ms", reads, MOST_READ_MS, "measured with the list of all guests"),
        _result("memory", f"peak memory, {GUESTS} guests", "MiB", memory, MOST_MIB, missing),
    ]  # fmt: skip


def _fill(state: Path) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "lab", "fill", "--state", state, "--guests", str(GUESTS)],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _host(lab: Served) -> str:
    """The host of the first guest."""
    own = reader_of(lab)
    rows = json.loads(read_once(own.port, LIST, own.headers))["data"]
    return next(str(row["node"]) for row in rows if row.get("vmid") == FIRST_VMID)


def _lists(lab: Served, host: str, folder: Path, repeats: int) -> tuple[Values, Values, str]:
    """Milliseconds of the list, MiB of the other servers, and why a peer is missing.

    Before each answer of the lab a guest has changed, so that none is a copy of the last one.
    """
    api, numbers = Api(lab.endpoint, lab.token, insecure=True), count()

    def change() -> None:
        config = f"/nodes/{host}/qemu/{FIRST_VMID}/config"
        api.put(config, tags=f"n{next(numbers)}")

    def measure(name: str, reader: Reader) -> float:
        before = change if name == "lab" else None
        return 1000 * seconds_of_a_read(reader.port, LIST, reader.headers, LISTS, before)

    names = [f"guest{number}" for number in range(1, GUESTS)]
    with beside(lab, LIST, folder, names) as (readers, missing):
        found = rounds(readers, repeats, measure)
        return found, {name: _peak(each) for name, each in readers.items()}, missing


def _reads(lab: Served, host: str, folder: Path, repeats: int) -> Values:
    """Milliseconds that a server takes for one read when there are always more to come."""
    path = f"/api2/json/nodes/{host}/qemu/{FIRST_VMID}/status/current"

    def measure(_name: str, reader: Reader) -> float:
        return 1000 / reads_per_second(reader.port, path, reader.headers, LOAD_S)

    with beside(lab, path, folder) as (readers, _):
        return rounds(readers, repeats, measure)


def _peak(reader: Reader) -> list[float]:
    usage = usage_of(reader.pid)
    if usage is None:
        raise BenchError("a server has ended early")
    return [usage[2]]


def _result(name: str, what: str, unit: str, values: Values, most: float, missing: str) -> Result:
    return Result(
        id=f"lab.full.{name}",
        what=what,
        unit=unit,
        figure=spread(values["lab"]),
        bound=Arm(what="same library and answer, no work", spread=spread(values["bare"])),
        peer=peer_arm(values, missing),
        target=Target(limit=most),
    )
