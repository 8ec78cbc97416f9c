"""The kinds of faults, and which settings each of them takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What a fault is about: one answer, one task, or the state of the cluster."""

    REQUEST = "request"
    TASK = "task"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault: `needed` and `taken` are names of settings beside those of its scope."""

    scope: Scope
    what: str
    needed: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()


REQUEST_SETTINGS = frozenset({"method", "path", "host", "index", "chance", "seed", "count"})
TASK_SETTINGS = frozenset({"task", "about", "host", "index", "chance", "seed", "count"})
STATE_SETTINGS = frozenset({"seconds"})
_AFTER = frozenset({"after"})


def _request(what: str, *needed: str, taken: frozenset[str] = frozenset()) -> Kind:
    return Kind(scope=Scope.REQUEST, what=what, needed=frozenset(needed), taken=taken)


def _task(what: str, *needed: str, taken: frozenset[str] = frozenset()) -> Kind:
    return Kind(scope=Scope.TASK, what=what, needed=frozenset(needed), taken=taken)


def _state(what: str, *needed: str, taken: frozenset[str] = frozenset()) -> Kind:
    return Kind(scope=Scope.STATE, what=what, needed=frozenset(needed), taken=taken)


KINDS = {
    "status": _request(
        "answers with --status and --text, in place of the work or --after it",
        "status",
        taken=frozenset({"text", "after"}),
    ),
    "delay": _request("waits --delay seconds before the work", "delay"),
    "drop": _request("closes the connection before the work, or --after it", taken=_AFTER),
    "reset": _request("resets the connection before the work, or --after it", taken=_AFTER),
    "half": _request("does the work and sends half of the answer"),
    "hang": _request("never answers, neither before the work nor --after it", taken=_AFTER),
    "field": _request("adds --field NAME=VALUE to the objects of an answer", "field"),
    "task-error": _task(
        "ends a task with --text, in place of its work or --after it",
        "text",
        taken=_AFTER,
    ),
    "task-delay": _task("waits --delay seconds before a task's work", "delay"),
    "task-warning": _task("lets a task end as WARNINGS, with --text in its log", "text"),
    "worker-killed": _task("kills a task's worker before the work, or --after it", taken=_AFTER),
    "no-worker": _task("refuses a task: got no worker upid - start worker failed"),
    "lock-held": _state(
        "holds the lock of guest --vmid, of --storage (on --host when it is local), or of the "
        "cluster's file --file",
        taken=frozenset({"vmid", "storage", "file", "host"}),
    ),
    "guest-locked": _state(
        "marks guest --vmid as locked by --text: backup, clone, migrate, …", "vmid", "text"
    ),
    "no-quorum": _state("the cluster has no quorum: reads answer, writes are refused"),
    "host-offline": _state(
        "the link of --host is down; with --crash the host itself, and its guests are off after",
        "host",
        taken=frozenset({"crash"}),
    ),
    "service-down": _state("pvedaemon of --host is down: what it does is refused", "host"),
    "filesystem-down": _state("the cluster's file system is down: every call is refused"),
    "storage-full": _state(
        "nothing more fits on --storage, on every host or on --host",
        "storage",
        taken=frozenset({"host"}),
    ),
    "slow-pvestatd": _state("lists of the cluster tell of guests as they were up to 10 s ago"),
}  # fmt: skip


def settings_of(kind: Kind) -> frozenset[str]:
    """All settings that a fault of this kind may have."""
    common = {
        Scope.REQUEST: REQUEST_SETTINGS,
        Scope.TASK: TASK_SETTINGS,
        Scope.STATE: STATE_SETTINGS,
    }[kind.scope]
    return common | kind.needed | kind.taken | STATE_SETTINGS
