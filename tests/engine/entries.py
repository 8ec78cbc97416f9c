"""Entries of the engine's state, so that two states can be compared by what decides a run.

On the same site, what the engine does to a resource depends on its entry alone. So a state whose
entries were all seen in states that one more run left alone needs no such run of its own.
"""

from __future__ import annotations

import json
from typing import Any


def entries(state: dict[str, Any]) -> set[str]:
    """The resources of a state, without what differs from run to run and decides nothing."""
    return {json.dumps(_lasting(each), sort_keys=True) for each in state["resources"]}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        own = {"created", "modified", "ciphertext", "provider"}
        if str(value.get("type")).startswith("pulumi:providers:"):
            own.add("id")
        return {key: _lasting(each) for key, each in value.items() if key not in own}
    if isinstance(value, list):
        # The order of URNs among dependencies is the order in which they came.
        texts = all(isinstance(each, str) for each in value)
        return sorted(value) if texts else [_lasting(each) for each in value]
    return value
