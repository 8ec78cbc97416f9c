"""The peer of planning: `netlab create` on a topology of the same shape.

netlab (package networklab) is the closest tool that renders a whole fleet from one file.
"""

from __future__ import annotations

from pathlib import Path

from bench.peers import installed, variables
from bench.processes import Run, run
from bench.stacks import NODES

VERSION = "26.10"
MAX_NODES = 2000
"""netlab numbers at most 150 nodes unless its setting defaults.const.MAX_NODE_ID is raised."""


def topology(clusters: int) -> str:
    """A topology file: per cluster five Linux nodes on one LAN."""
    names = [[f"c{number:02d}-{node}" for node in NODES] for number in range(1, clusters + 1)]
    return "\n".join(
        [
            "provider: clab",
            "defaults.device: linux",
            f"defaults.const.MAX_NODE_ID: {MAX_NODES}",
            "addressing.mgmt.ipv4: 172.20.0.0/16",
            "nodes:",
            *(f"  {name}: {{}}" for cluster in names for name in cluster),
            "links:",
            *(f"- {{{', '.join(f'{name}: {{}}' for name in cluster)}}}" for cluster in names),
            "",
        ]
    )


def ready() -> Path:
    """The folder of netlab's programs; `BenchError` when it cannot be installed."""
    return installed("networklab", VERSION)


def create(programs: Path, folder: Path, clusters: int) -> Run:
    """`netlab create` for so many clusters, in `folder`."""
    (folder / "topology.yml").write_text(topology(clusters))
    command = [str(programs / "netlab"), "create", "topology.yml"]
    return run(command, folder=folder, variables=variables(programs))
