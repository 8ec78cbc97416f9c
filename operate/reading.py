"""A refresh after which the state is right about what was not read, and about what is gone.

The provider hands on what it had read of a guest when its host stopped answering, and the engine
keeps that: a guest without its cloud-init drive, say. The next run would call it somebody's change,
and `up` would change the guest. So the state gets back what it had of each that failed.

The firewall of a machine goes with it, but the API answers for one that is not there as for one
without settings, and the provider takes that for no change. It would not be made again with the
machine, which would be open. So what is deleted with a machine that is gone leaves the state too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from operate.deployed import Deployed, deployed
from operate.event_log import spoken
from operate.progress import Tally
from operate.run import Outcome, engine_run
from operate.session import Session


def read_again(
    session: Session, state: Deployed, options: Sequence[str], title: str, tally: Tally
) -> Outcome:
    """Refresh the stack, of which `state` is what was known before."""
    outcome = engine_run(session, "refresh", options, title, tally)
    if not (tally.failed or tally.gone):
        return outcome
    if (after := deployed(session.engine)) is not None:
        read = with_unread(state.raw, after.raw, tally.failed)
        export = without_companions(state.raw, read)
        if export != after.raw:
            session.engine.told(
                "stack", "import", "--stack", session.stack.name, stdin=json.dumps(export)
            )
    return outcome


def with_unread(
    before: dict[str, Any], after: dict[str, Any], failed: Collection[str]
) -> dict[str, Any]:
    """The later of two exports, but from the earlier one what failed (as people call it)."""
    known = {each["urn"]: each for each in before["deployment"].get("resources") or []}
    resources = [
        known.get(each["urn"], each) if spoken(each["urn"]) in failed else each
        for each in after["deployment"].get("resources") or []
    ]
    return {**after, "deployment": {**after["deployment"], "resources": resources}}


def without_companions(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The later of two exports, without what was deleted with something that is not in it.

    The earlier one says what goes with what: the engine forgets it with the machine.
    """
    found = after["deployment"].get("resources") or []
    there = {each["urn"] for each in found}
    owners = {
        each["urn"]: each["deletedWith"]
        for each in before["deployment"].get("resources") or []
        if each.get("deletedWith")
    }
    resources = [each for each in found if owners.get(each["urn"], each["urn"]) in there]
    return {**after, "deployment": {**after["deployment"], "resources": resources}}
