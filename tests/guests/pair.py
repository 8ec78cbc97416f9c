"""An event of two clusters of a head and a node, on guests that really run."""

from __future__ import annotations

import re

from tests.engine.practice import Practice, free_port
from tests.guests.test_event import run

HEADS = {"c01": "200101", "c02": "200201"}
NODES = {"c01": "200111", "c02": "200211"}
INSTRUCTOR = "200001"
BLOCK = re.compile(r"(?:    contextualize:.*\n(?:      .*\n)*)?(?=    vmids:)")


class Pair(Practice):
    """Its modules are stories, each of which begins with an `up` of its own settings."""

    mirror_port: int = 0

    def prepare(self) -> None:
        """Let guests run, and make two small clusters of the shipped event. Where their mirror
        should be, on `mirror_port`, there is nobody yet."""
        self.edit("lab", "engine: none", "engine: lxc")
        self.mirror_port = free_port()
        self.edit("lab", "    mirror: apt-cacher-ng\n", "")
        self.edit("lab", "to: 127.0.0.1}", f"to: 127.0.0.1, toPort: {self.mirror_port}}}")
        self.edit("laptop", "clusters: {count: 1}", "clusters: {count: 2}")
        self.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")

    def contextualize(self, *lines: str) -> None:
        """Put these lines below `contextualize:`, in the place of what stood there."""
        block = "".join(f"      {line}\n" for line in lines)
        text, count = BLOCK.subn(f"    contextualize:\n{block}", self.file("laptop").read_text(), 1)
        assert count == 1
        self.file("laptop").write_text(text)

    def write(self, name: str, text: str) -> None:
        """A file beside the stack files."""
        path = self.stacks / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def host(self, vmid: str) -> str:
        """Where a guest is."""
        return str(next(each["node"] for each in self.guests() if str(each["vmid"]) == vmid))

    def on(self, vmid: str, script: str) -> str:
        """Output of a script on a guest, as soon as it ends well."""
        return run(self, self.host(vmid), vmid, script)
