"""Faults of tasks and locks: see `fault_table`."""

from __future__ import annotations

from tests.engine.striking import Fault, done, undone

HELD = "can't lock file|got timeout|got lock request timeout"

TASKS = (
    Fault(
        name="a clone meets the lock of its storage once",
        number="F9",
        strikes=(
            {
                "kind": "task-error",
                "task": "qmclone",
                "count": 1,
                "text": "can't lock file '/var/lock/pve-manager/pve-storage-shared' - got timeout",
            },
        ),
        ends={"up": done()},
    ),
    Fault(
        name="a clone fails",
        number="F9",
        strikes=(
            {
                "kind": "task-error",
                "task": "qmclone",
                "count": 1,
                "text": "clone failed: copy failed: input/output error",
            },
        ),
        ends={"up": undone("input/output error")},
    ),
    Fault(
        name="a start fails",
        number="F9",
        strikes=({"kind": "task-error", "task": "qmstart", "text": "no memory", "count": 1},),
        ends={"up": undone("no memory")},
    ),
    Fault(
        name="a deletion fails",
        number="F9",
        strikes=({"kind": "task-error", "task": "qmdestroy", "text": "I/O error", "count": 1},),
        ends={"destroy": undone("I/O error")},
    ),
    Fault(
        name="the worker of a clone is killed after the work",
        number="F9",
        strikes=({"kind": "worker-killed", "task": "qmclone", "after": True, "count": 1},),
        ends={"up": undone("unexpected status")},
    ),
    Fault(
        name="the worker of a deletion is killed before the work",
        number="F9",
        strikes=({"kind": "worker-killed", "task": "qmdestroy", "count": 1},),
        ends={"destroy": undone("unexpected status")},
    ),
    Fault(
        name="no worker starts for a clone",
        number="F9",
        strikes=({"kind": "no-worker", "task": "qmclone", "count": 1},),
        ends={"up": undone("worker")},
    ),
    Fault(
        name="tasks end with warnings",
        number="F30",
        strikes=({"kind": "task-warning", "task": "*", "text": "a disk is nearly full"},),
        ends={"up": done(), "destroy": done()},
    ),
    Fault(
        name="a guest takes long to start",
        number="F27",
        strikes=({"kind": "task-delay", "task": "qmstart", "delay": 4.0, "index": "1"},),
        ends={"up": done()},
    ),
)

LOCKS = (
    Fault(
        name="the lock of a guest is held",
        number="F9",
        strikes=({"kind": "lock-held", "vmid": 111},),
        ends={"up": undone(HELD), "refresh": done(), "destroy": undone(HELD)},
    ),
    Fault(
        name="the lock of the storage is held",
        number="F9",
        strikes=({"kind": "lock-held", "storage": "shared"},),
        ends={"up": undone(HELD), "refresh": done(), "destroy": done()},
    ),
    Fault(
        name="the lock of the file of users is held",
        number="F9",
        strikes=({"kind": "lock-held", "file": "user.cfg"},),
        ends={"up": undone(HELD), "refresh": done(), "destroy": undone(HELD)},
    ),
    Fault(
        name="a guest is locked by its backup",
        number="F9",
        strikes=({"kind": "guest-locked", "vmid": 111, "text": "backup"},),
        ends={"refresh": done(), "destroy": undone("locked")},
    ),
)
