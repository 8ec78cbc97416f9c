"""Who moves along with a service, and who keeps it from a host."""

from __future__ import annotations

from lab.formats import split_list
from lab.ha.config import RULE, STATUS
from lab.store import Store


def motion(store: Store, sid: str, node: str) -> tuple[list[str], list[str]]:
    """The services that a move of `sid` to `node` takes along, and those on `node` that are to
    be kept apart from them."""
    together, moving = _members(store, "positive"), {sid}
    while grown := {m for group in together if group & moving for m in group} - moving:
        moving |= grown
    apart = {m for group in _members(store, "negative") if group & moving for m in group} - moving
    along = sorted(other for other in moving - {sid} if store.get(STATUS, other))
    blocking = sorted(m for m in apart if (store.get(STATUS, m) or {}).get("node") == node)
    return along, blocking


def obstacles(
    store: Store, sid: str | None, nodes: list[str]
) -> tuple[list[str], dict[str, list[dict[str, str]]]]:
    """The services that a move of `sid` takes along, and by host those in its way."""
    if sid is None or not nodes:
        return [], {}
    moves = {node: motion(store, sid, node) for node in nodes}
    blocking = {
        node: [{"sid": other, "cause": "resource-affinity"} for other in there]
        for node, (_, there) in moves.items()
        if there
    }
    return moves[nodes[0]][0], blocking


def _members(store: Store, affinity: str) -> list[set[str]]:
    return [
        set(split_list(rule["resources"]))
        for _, rule in store.items(RULE)
        if rule.get("affinity") == affinity and "disable" not in rule
    ]
