"""`console`: the serial console of one node, by the site's API alone.

No login service, network or agent of the guest has to work for it. It is what the web interface
does for its terminal: a ticket of `termproxy`, and a WebSocket.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlencode

from event.problems import RunError
from event.stack import EventStack
from operate.api import Api
from operate.event_token import session_for_asking
from operate.handouts.entry import find
from operate.places import Places
from operate.progress import Telling
from plan.plan import plan_event

ENDED = 1
"""Exit code when it was the site that ended it."""


def console(stack: EventStack, name: str, places: Places, telling: Telling) -> int:
    """Join this terminal with a guest's console; 0 when it was left by its key.

    `RunError` for an unknown name, without a terminal, and for a guest that is off or absent.
    """
    guest = find(plan_event(stack), name)
    if not os.isatty(0) or not os.isatty(1):
        raise RunError("a console needs a terminal: type the same without a pipe")
    api = session_for_asking(stack, places, telling).api()
    host, running = place_of(api, guest.vmid, guest.name)
    if not running:
        raise RunError(f"{guest.name} is off, and so is its console; switch it on first")
    telling.step(f"console of {guest.name} on {host}: Ctrl-] leaves; Enter shows the login")
    return look(api, host, guest.vmid, guest.name)


def place_of(api: Api, vmid: int, name: str) -> tuple[str, bool]:
    """The host that a guest is on now, and whether it runs; `RunError` for an absent one."""
    for row in api.get("/cluster/resources", type="vm"):
        if row.get("vmid") == vmid:
            return str(row["node"]), row.get("status") == "running"
    raise RunError(f"{name} (VM {vmid}) is not at the site; type: ./practicum up")


def look(api: Api, host: str, vmid: int, name: str) -> int:
    """Join standard input and output with a guest's console until one side ends it."""
    from operate.terminal import attach  # other verbs do without its libraries

    path = f"/nodes/{host}/qemu/{vmid}"
    shown = api.post(f"{path}/termproxy")
    query = urlencode({"port": shown["port"], "vncticket": shown["ticket"]})
    url = f"{api.endpoint.rstrip('/')}/api2/json{path}/vncwebsocket?{query}"
    line = f"{shown['user']}:{shown['ticket']}\n"
    left = attach(url, api.headers, api.context, line)
    said = "left" if left else "ended by the site, as when a guest is switched off"
    print(f"console of {name}: {said}", file=sys.stderr)
    return 0 if left else ENDED
