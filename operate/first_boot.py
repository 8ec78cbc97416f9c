"""A lab's guests that really run: `up` ends when one can log in to them.

On a real site a guest of level `none` may have no agent, and `up` does not wait for it; the image
that a lab's guests start from has one, and cloud-init, which makes the login.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from operate import lab_process
from operate.api import CONNECTIONS, Api, ApiError
from operate.lab_engine import NONE
from operate.progress import Tally
from operate.session import Session
from plan.records import EventPlan, Guest

DONE = "/var/lib/cloud/data/result.json"
"""What cloud-init writes last."""
POLL_S, LONGEST_POLL_S = 0.2, 2.0


def boots(session: Session) -> bool:
    """Whether guests of the session's site are systems: all but those of a lab without engine."""
    return session.site.lab is None or _status(session).engine != NONE


def wait_for_first_boots(session: Session, plan: EventPlan, tally: Tally) -> None:
    """Wait until cloud-init has ended in every running guest of a lab; who takes longer than the
    event's `bootTimeoutS` is counted as failed. Guests that are off are left alone."""
    if session.site.lab is None or not boots(session):
        return
    api = session.api()
    rows = api.get("/cluster/resources", type="vm")
    hosts = {int(row["vmid"]): row["node"] for row in rows if row.get("status") == "running"}
    waiting = [guest for guest in plan.guests if guest.vmid in hosts]
    end, pause = time.monotonic() + plan.boot_timeout_s, POLL_S
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        while waiting := [
            guest
            for guest, ended in zip(
                waiting, pool.map(partial(_booted, api, hosts), waiting), strict=True
            )
            if not ended
        ]:
            if time.monotonic() > end:
                break
            if pause == POLL_S:
                session.telling.step(f"waiting until {len(waiting)} guests have booted")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_S)
    for guest in waiting:
        tally.done.discard(guest.name)
        tally.failed[guest.name] = f"its first boot has not ended within {plan.boot_timeout_s} s"


def _booted(api: Api, hosts: Mapping[int, str], guest: Guest) -> bool:
    try:
        api.get(f"/nodes/{hosts[guest.vmid]}/qemu/{guest.vmid}/agent/file-read", file=DONE)
    except ApiError:
        return False
    return True


def _status(session: Session) -> lab_process.LabStatus:
    return lab_process.status(session.site, session.places)
