"""Contextualization of one cluster: a command that runs again when its orders have changed.

One command for a cluster, not for a guest: a registration costs the program about ten
milliseconds. The command is practicum's own, and talks to the guests' agents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pulumi
import pulumi_command as command

from components.guest import Guest
from plan.contextualize.bundles import orders_for
from plan.records import EventPlan

COMMAND = "exec ./practicum contextualize-cluster"
"""The engine starts plugins, and so this command, in the folder of Pulumi.yaml."""

Contextualize = Callable[[str, Sequence[Guest], Sequence[pulumi.Resource], pulumi.Resource], None]
"""Prepares a cluster: its name, its guests, what has to be there before, the parent."""


def contextualization(plan: EventPlan) -> Contextualize:
    """A function that registers the command of a cluster whose guests are to be prepared.

    A guest that is made anew has lost what was put on it: its id is among the triggers, so that
    the command is replaced with it. Guests that are not started cannot be prepared.
    """
    secret = pulumi.Config().get("secret")
    token = pulumi.Config().get("apiToken")

    def prepare(
        name: str,
        guests: Sequence[Guest],
        after: Sequence[pulumi.Resource],
        parent: pulumi.Resource,
    ) -> None:
        wanted = [each for each in guests if each.planned.prepared and each.planned.start]
        if not wanted:
            return
        given = {"secret": secret or "", **({"token": token} if token else {})}
        digest = orders_for(plan, name, secret).digest if secret else "no secret yet"
        command.local.Command(
            f"{name}-contextualization",
            command.local.CommandArgs(
                create=f"{COMMAND} {plan.stack} {name}",
                stdin=pulumi.Output.secret(json.dumps(given)),
                triggers=[digest, *(guest.id for guest in wanted)],
                logging=command.local.Logging.NONE,
            ),
            opts=pulumi.ResourceOptions(
                parent=parent, depends_on=[*guests, *after], delete_before_replace=True
            ),
        )

    return prepare
