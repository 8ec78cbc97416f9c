"""Where firewall settings live: datacenter, security group, host, guest.

One row of kind `firewall` per scope: `cluster`, `group/NAME`, `node/NAME`, `vm/ID`, each with
`options`, `rules`, `aliases` and `ipset` as far as the scope has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.store import Store, Value

CLUSTER = "cluster"
EMPTY: Value = {"options": {}, "rules": [], "aliases": {}, "ipset": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One place of firewall settings in the tree.

    - `env`: how messages about rules call it
    - `path`: where it hangs; `key`: its row, from the parameters of a call
    - `directions`: types of rules it takes
    - `rules`: the folder of its rules below `path`
    """

    env: str
    path: str
    key: Callable[[dict[str, Any]], str]
    directions: tuple[str, ...]
    rules: str = "/rules"

    def read(self, call: Call) -> Value:
        """The settings; empty ones when nothing was written yet."""
        return load(call.lab.store, self.key(call.params))

    def write(self, call: Call, **changes: Any) -> None:
        """Replace parts of the settings; settings that are empty again are forgotten."""
        key = self.key(call.params)
        row = {**self.read(call), **changes}
        if row == EMPTY:
            call.lab.store.delete("firewall", key)
        else:
            call.lab.store.put("firewall", key, row)


def load(store: Store, key: str) -> Value:
    """A scope's settings, complete."""
    return {**EMPTY, **(store.get("firewall", key) or {})}


def _group_key(params: dict[str, Any]) -> str:
    return f"group/{params['group']}"


class GroupScope(Scope):
    """A security group, which has to exist."""

    __slots__ = ()

    def read(self, call: Call) -> Value:
        """The group's settings; 500 when there is no such group."""
        key = self.key(call.params)
        if call.lab.store.get("firewall", key) is None:
            raise failure(f"no such security group '{call.params['group']}'")
        return load(call.lab.store, key)

    def write(self, call: Call, **changes: Any) -> None:
        """Replace parts of the group; it stays when it has no rules."""
        call.lab.store.put("firewall", self.key(call.params), {**self.read(call), **changes})


DATACENTER = Scope(
    env="cluster",
    path="/cluster/firewall",
    key=lambda _params: CLUSTER,
    directions=("in", "out", "forward", "group"),
)
GROUP = GroupScope(
    env="group",
    path="/cluster/firewall/groups/{group}",
    key=_group_key,
    directions=("in", "out", "forward"),
    rules="",
)
HOST = Scope(
    env="host",
    path="/nodes/{node}/firewall",
    key=lambda params: f"node/{params['node']}",
    directions=("in", "out", "forward", "group"),
)
CONTAINER = Scope(
    env="ct",
    path="/nodes/{node}/lxc/{vmid}/firewall",
    key=lambda params: f"vm/{params['vmid']}",
    directions=("in", "out", "group"),
)
GUEST = Scope(
    env="vm",
    path="/nodes/{node}/qemu/{vmid}/firewall",
    key=lambda params: f"vm/{params['vmid']}",
    directions=("in", "out", "group"),
)
