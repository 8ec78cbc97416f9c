"""Ansible's report to practicum: which task failed where, and what became of each guest.

Loaded by Ansible, with Ansible's own Python; `PRACTICUM_RELAY` names the socket to tell.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: practicum_report
    type: aggregate
    short_description: tells practicum what became of each guest
    description: Tells practicum, which started Ansible, what failed and why.
"""


class CallbackModule(CallbackBase):
    """What is hidden by `no_log` is hidden here as well: Ansible's results come without it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "practicum_report"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task has failed on a guest."""
        if not ignore_errors:
            self._failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A guest did not answer."""
        self._failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end: each guest that was in a play."""
        for guest in stats.processed:
            counts = stats.summarize(guest)
            good = not counts["failures"] and not counts["unreachable"]
            _tell(do="stats", guest=guest, good=good)

    def _failed(self, result: Any) -> None:
        told = result._result
        why = told.get("msg") or told.get("stderr") or told.get("reason") or "no reason given"
        more = str(told.get("stderr") or "").strip().splitlines()[-1:]
        words = " / ".join([str(why), *(line for line in more if line not in str(why))])
        _tell(
            do="failed",
            guest=result._host.get_name(),
            task=result._task.get_name(),
            why=words[:2000],
        )


def _tell(**what: Any) -> None:
    with socket.socket(socket.AF_UNIX) as relay:
        relay.connect(os.environ["PRACTICUM_RELAY"])
        relay.sendall(json.dumps(what).encode() + b"\n")
        relay.recv(1 << 16)
