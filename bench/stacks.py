"""Stack files to measure with: the shipped event and site, alone or grown to more clusters.

At 26 clusters the event is `stacks/Pulumi.sc09.yaml` as it is. Larger events keep its shape (one
head, four compute nodes, an instructors' node) and get a site that grows in step, so that only
the size differs between the points of a curve.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from bench.processes import BenchError

ROOT = Path(__file__).resolve().parent.parent
SHIPPED_CLUSTERS = 26
HOSTS_PER_CLUSTER = 6 / SHIPPED_CLUSTERS
SITE = "lab"
EVENT = "sc09"
GROWN_EXPOSED = IPv4Network("198.18.0.0/16")  # for benchmarks, RFC 2544
NODES = ("head", "n1", "n2", "n3", "n4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """An event of `clusters` clusters of five guests, and what its site needs for it.

    With `local` each host has a storage of its own, and a template on it.
    """

    clusters: int
    at_hosts: int | None = None
    local: bool = False

    @property
    def guests(self) -> int:
        """Guests with the instructors' node."""
        return self.clusters * len(NODES) + 1

    @property
    def hosts(self) -> int:
        """Hosts of the site: six for the shipped event, unless `at_hosts` says another number."""
        return self.at_hosts or math.ceil(self.clusters * HOSTS_PER_CLUSTER)


LOCAL = re.compile(
    r"^(?:encryptionsalt|secretsprovider|encryptedkey):.*\n"
    r"|^  [\w-]+:(?:secret|apiToken):(?: .*)?\n(?:    .*\n)*",
    re.MULTILINE,
)
"""What the command line adds to a stack file once the stack was used on this machine."""


def shipped(name: str) -> str:
    """The text of the stack file that comes with the checkout, without what was added since."""
    try:
        return LOCAL.sub("", (ROOT / "stacks" / f"Pulumi.{name}.yaml").read_text())
    except OSError as error:
        raise BenchError(f"stacks/Pulumi.{name}.yaml cannot be read: {error.strerror}") from None


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with each pattern replaced; `BenchError` for one that is not there exactly once."""
    for pattern, put in changes.items():
        text, count = re.subn(pattern, put, text)
        if count != 1:
            raise BenchError(f"{pattern} is {count} times in a shipped stack file, not once")
    return text


LOCAL_STORAGE = {
    r"local: \{type: dir, content: \[iso,": "local: {type: dir, content: [images, iso,",
    r"(?m)^      shared: .*\n": "",
    r"shared:(import/debian-12\.qcow2\", storage:) shared": r"local:\1 local",
    r"volume: \"shared:": 'volume: "local:',
}
"""The site's guests on the hosts' own storages."""
LARGE_HOSTS = "cores: 128, memoryGib: 256, diskGib: 4000"


def site_text(size: Size) -> str:
    """The shipped site, with room for `size`."""
    text = shipped(SITE)
    if size.clusters != SHIPPED_CLUSTERS:
        text = replaced(
            text,
            {
                r"sizeGib: 4000": f"sizeGib: {8 * (size.guests + 10)}",
                r"198\.51\.100\.0/24": str(GROWN_EXPOSED),
                r"gateway: 198\.51\.100\.1": f"gateway: {GROWN_EXPOSED[1]}",
                r"dns: \[198\.51\.100\.2\]": f"dns: [{GROWN_EXPOSED[2]}]",
            },
        )
    if size.local:
        text = replaced(text, LOCAL_STORAGE)
    if size.at_hosts:
        text = replaced(text, {r"cores: 40, memoryGib: 32, diskGib: 400": LARGE_HOSTS})
    return replaced(text, {r"pve\[01-06\]": f"pve[01-{size.hosts:02d}]"})


def event_text(size: Size) -> str:
    """The shipped event, with the clusters of `size` and ranges that are wide enough."""
    text = shipped(EVENT)
    if size.clusters == SHIPPED_CLUSTERS:
        return text
    return replaced(
        text,
        {
            r"count: 26": f"count: {size.clusters}",
            r"vlans: 100-199": f"vlans: 100-{100 + size.clusters}",
            r"198\.51\.100\.10-198\.51\.100\.99": f"{GROWN_EXPOSED[10]}-{GROWN_EXPOSED[1000]}",
            r"vmids: 100000-109999": f"vmids: 100000-{100_099 + 100 * size.clusters}",
        },
    )


def site(size: Size) -> Any:
    """The decoded configuration of the site: its keys `practicum:site` and `practicum:lab`."""
    return yaml.load(site_text(size), Loader=yaml.CSafeLoader)["config"]


def write_stacks(folder: Path, size: Size, *, endpoint: str | None = None) -> None:
    """Write the site and the event into `folder`, with another endpoint if one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    text = site_text(size)
    if endpoint:
        text = replaced(text, {r"endpoint: \S+": f"endpoint: {endpoint}"})
    for name, each in ((SITE, text), (EVENT, event_text(size))):
        (folder / f"Pulumi.{name}.yaml").write_text(each)
