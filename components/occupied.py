"""The program's own look at the site, for updates that no preflight has gone before.

The provider takes a machine that is on a template's VMID for its own success and adopts it (issue
1711 of its repository). So an update by plain `pulumi up` asks for the site's machines first, and
ends before anything is registered. docs/occupied.md says what this cannot see.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.naming import tags
from plan.phrases import few

CHECKED = "PRACTICUM_CHECKED"
"""Set by the command line, whose preflight sees more: descriptions and the state."""


def stop_if_occupied(stack: str, vmids: Iterable[int], provider: pulumi.ProviderResource) -> None:
    """`RunError` when a machine or container without the stack's tags is on one of the VMIDs.

    A preview makes no connection, so it does not look.
    """
    if pulumi.runtime.is_dry_run() or os.environ.get(CHECKED):
        return
    options = pulumi.InvokeOptions(provider=provider)
    there: list[Any] = [
        *proxmoxve.get_vms_legacy(opts=options).vms,
        *proxmoxve.get_containers_legacy(opts=options).containers,
    ]
    mark, planned = set(tags(stack)), set(vmids)
    foreign = [
        f"{found.vm_id} ({found.name} on {found.node_name})"
        for found in sorted(there, key=lambda each: each.vm_id)
        if found.vm_id in planned and not mark <= set(found.tags or ())
    ]
    if foreign:
        raise pulumi.RunError(
            f"planned VMIDs are in use by guests without the tags {' and '.join(sorted(mark))}: "
            f"{few(foreign)}; nothing was changed. Write VMIDs that are free, or type "
            f"./practicum up {stack}, which tells guests that lost their tags from others'"
        )
