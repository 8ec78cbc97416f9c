"""The faults that a run is put under, as data; numbers are those of the catalogue of faults.

`docs/faults.md` tells for people what this table tells for tests. Killed programs (F1) and lost
states (F3 to F5) have tests of their own.
"""

from __future__ import annotations

from tests.engine import by_hand
from tests.engine.fault_table_tasks import LOCKS, TASKS
from tests.engine.striking import ByHand, Fault, done, either, refused, stopped, undone

ALL = ("up", "refresh", "destroy")
CLONE = "/nodes/*/qemu/*/clone"
CONFIG = "/nodes/*/qemu/*/config"
STATUS = "/nodes/*/qemu/*/status/*"
GUEST = "/nodes/*/qemu/*"
RULES = "/nodes/*/qemu/*/firewall/rules"
GROUPS = "/cluster/firewall/groups"
LOST = {"kind": "drop", "after": True, "count": 1}
THERE = dict.fromkeys(ALL, "there")
MOVED = r"on another host at the site: c01-n1"

ANSWERS = (
    Fault(
        name="a host of the API breaks off in a configuration",
        number="F7",
        strikes=(
            {
                "kind": "status",
                "status": 596,
                "text": "Broken pipe",
                "count": 1,
                "path": CONFIG,
                "method": "PUT",
            },
        ),
        ends={"up": undone("596")},
    ),
    Fault(
        name="the API fails for a while",
        number="F7",
        strikes=({"kind": "status", "status": 500, "index": "12-20"},),
        ends=dict.fromkeys(ALL, either()),
    ),
    Fault(
        name="the API is overloaded when guests are read",
        number="F7",
        strikes=({"kind": "status", "status": 503, "method": "GET", "path": STATUS, "count": 2},),
        ends=dict.fromkeys(ALL, either()),
    ),
    Fault(
        name="the API does not find the way to a host when guests are read",
        number="F7",
        strikes=({"kind": "status", "status": 595, "method": "GET", "path": CONFIG, "count": 2},),
        ends={"up": either(), "refresh": either()},
    ),
    Fault(
        name="half of an answer comes",
        number="F7",
        strikes=({"kind": "half", "path": "/nodes/*/qemu/**", "index": "3,8"},),
        ends=dict.fromkeys(ALL, either()),
    ),
    Fault(
        name="connections are reset",
        number="F7",
        strikes=({"kind": "reset", "path": "/nodes/*/qemu/**", "index": "2,5,9"},),
        ends=dict.fromkeys(ALL, either()),
    ),
    Fault(
        name="answers stall for seconds",
        number="F7",
        strikes=({"kind": "delay", "delay": 4.0, "path": "/nodes/*/qemu/**", "index": "1,6"},),
        ends=dict.fromkeys(ALL, done()),
    ),
)

LOST_ANSWERS = tuple(
    Fault(
        name=f"the answer to {what} is lost",
        number="F8",
        strikes=({**LOST, "method": method, "path": path, "index": str(index)},),
        ends={verb: either()},
    )
    for verb, what, method, path, index in (
        ("up", "a clone", "POST", CLONE, 2),
        ("up", "the first configuration", "PUT", CONFIG, 1),
        ("up", "the configuration of a disk", "PUT", CONFIG, 5),
        ("up", "a start", "POST", f"{GUEST}/status/start", 1),
        ("up", "the pool", "POST", "/pools", 1),
        ("up", "the group", "POST", "/access/groups", 1),
        ("up", "the role", "POST", "/access/roles", 1),
        ("up", "the rights", "PUT", "/access/acl", 1),
        ("up", "the security group", "POST", GROUPS, 1),
        ("up", "a rule of the security group", "POST", f"{GROUPS}/*", 2),
        ("up", "the rule of the head", "POST", RULES, 1),
        ("destroy", "a stop", "POST", f"{GUEST}/status/stop", 1),
        ("destroy", "a guest's deletion", "DELETE", GUEST, 1),
        ("destroy", "the pool's deletion", "DELETE", "/pools", 1),
        ("destroy", "the group's deletion", "DELETE", "/access/groups/*", 1),
        ("destroy", "the role's deletion", "DELETE", "/access/roles/*", 1),
        ("destroy", "the rights' deletion", "PUT", "/access/acl", 1),
        ("destroy", "a rule's deletion", "DELETE", f"{GROUPS}/*/*", 1),
        ("destroy", "the security group's deletion", "DELETE", f"{GROUPS}/*", 1),
    )
)


CLUSTER = (
    Fault(
        name="the quorum is gone",
        number="F10",
        strikes=({"kind": "no-quorum"},),
        ends={"up": refused("quorum"), "refresh": done(), "destroy": refused("quorum")},
    ),
    Fault(
        name="the quorum goes in the middle",
        number="F10",
        strikes=({"kind": "delay", "delay": 2.0, "path": CLONE, "count": 2},),
        then=({"kind": "no-quorum"},),
        ends={"up": undone("quorum|Permission denied")},
    ),
    Fault(
        name="the cluster's file system is down",
        number="F10",
        strikes=({"kind": "filesystem-down"},),
        ends=dict.fromkeys(ALL, refused("Unable to load access control list")),
    ),
    Fault(
        name="a host is down",
        number="F11",
        strikes=({"kind": "host-offline", "host": "pve02"},),
        ends={
            "up": refused("pve02 is offline"),
            "refresh": undone("595"),
            "destroy": undone("595"),
        },
    ),
    Fault(
        name="a host goes down for a moment and all on it is off",
        number="F11",
        strikes=({"kind": "delay", "delay": 1.0, "path": CLONE, "count": 2},),
        then=({"kind": "host-offline", "host": "pve02", "crash": True, "seconds": 5.0},),
        ends={"up": either()},
    ),
    Fault(
        name="the service of a host is down",
        number="F11",
        strikes=({"kind": "service-down", "host": "pve02"},),
        ends={"refresh": undone("595"), "destroy": undone("595")},
    ),
    Fault(
        name="the storage is full",
        number="F6",
        strikes=({"kind": "storage-full", "storage": "shared"},),
        ends={"up": undone("No space left"), "refresh": done(), "destroy": done()},
    ),
    Fault(
        name="lists are seconds old",
        number="F30",
        strikes=({"kind": "slow-pvestatd"},),
        ends=dict.fromkeys(ALL, done()),
    ),
)


def _expired(first: int, *verbs: str) -> Fault:
    return Fault(
        name=f"the token expires at request {first}",
        number="F13",
        strikes=({"kind": "status", "status": 401, "text": "token expired", "index": f"{first}-"},),
        ends=dict.fromkeys(verbs, undone("401|token")),
    )


RIGHTS = (
    _expired(30, "up", "destroy"),
    _expired(14, "refresh"),
    Fault(
        name="the token may not write",
        number="F13",
        strikes=(
            {"kind": "status", "status": 403, "text": "Permission check failed", "method": "POST"},
        ),
        ends={
            "up": undone("Permission check failed"),
            "refresh": done(),
            "destroy": undone("Permission check failed"),
        },
    ),
    Fault(
        name="the token may see nothing",
        number="F13",
        by_hand=by_hand.take_rights,
        mend=by_hand.give_rights,
        ends=dict.fromkeys(ALL, refused("token")),
        start={"up": "there"},
    ),
)

SITE = (
    Fault(
        name="the template is gone",
        number="F12",
        by_hand=by_hand.delete_template,
        of_site=True,
        ends={"up": done()},
    ),
    Fault(
        name="the template is on another host",
        number="F12",
        by_hand=by_hand.move_template,
        mend=by_hand.move_template_back,
        ends={"up": refused("is a template on pve04, not on pve01")},
    ),
    Fault(
        name="agents never answer",
        number="F27",
        strikes=(
            {
                "kind": "status",
                "status": 500,
                "text": "QEMU guest agent is not running",
                "path": "/nodes/*/qemu/*/agent/**",
            },
        ),
        ends=dict.fromkeys(ALL, done()),
    ),
    Fault(
        name="answers have fields that nobody knows",
        number="F30",
        strikes=({"kind": "field", "field": "novelty=7"},),
        ends=dict.fromkeys(ALL, done()),
    ),
    Fault(
        name="guests have a status that nobody knows",
        number="F30",
        strikes=(
            {
                "kind": "field",
                "field": "qmpstatus=prelaunch",
                "path": "/nodes/*/qemu/*/status/current",
            },
        ),
        ends=dict.fromkeys(ALL, done()),
    ),
)


def _others(name: str, what: ByHand, verbs: tuple[str, ...] = ALL) -> Fault:
    """What others do to a guest before a run, which bears it."""
    return Fault(
        name=name,
        number="F15",
        by_hand=what,
        start=THERE,
        ends=dict.fromkeys(verbs, done()),
    )


OTHERS = (
    _others("somebody has deleted a guest", by_hand.delete),
    _others("somebody has deleted a head", by_hand.delete_head),
    _others("somebody has moved a guest", by_hand.move),
    _others("somebody has switched a guest off", by_hand.switch_off),
    _others("somebody has renamed a guest", by_hand.rename),
    _others("somebody has taken the tags from a guest", by_hand.untag),
    # An `up` compares the list of guests; what only a guest's own settings tell, a refresh finds.
    _others(
        "somebody has deleted the rule of a head", by_hand.delete_rules, ("refresh", "destroy")
    ),
    _others("somebody has deleted the pool", by_hand.delete_pool),
)

KEPT = (
    Fault(
        name="a guest is protected",
        number="F31",
        by_hand=by_hand.protect,
        mend=by_hand.unprotect,
        ends={"destroy": undone("protect")},
    ),
    Fault(
        name="a guest has a snapshot",
        number="F31",
        by_hand=by_hand.snapshot,
        ends={"destroy": done()},
    ),
    Fault(
        name="a guest has become a template with a linked clone",
        number="F31",
        by_hand=by_hand.link_child,
        mend=by_hand.delete_child,
        ends={"destroy": undone("linked clone")},
    ),
    Fault(
        name="the HA manager looks after a guest",
        number="F31",
        by_hand=by_hand.manage_by_ha,
        ends={"destroy": done()},
    ),
)

INTERRUPTS = tuple(
    Fault(
        name=f"somebody interrupts {times}",
        number="F2",
        strikes=({"kind": "delay", "delay": 5.0, "path": "/nodes/*/qemu/**", "index": "2-3"},),
        interrupts=number,
        ends=dict.fromkeys(ALL, stopped()),
    )
    for times, number in (("once", 1), ("twice", 2))
)

FAULTS = (
    *ANSWERS, *LOST_ANSWERS, *TASKS, *LOCKS, *CLUSTER, *RIGHTS, *SITE, *OTHERS, *KEPT, *INTERRUPTS,
)  # fmt: skip

CASES = tuple((fault, verb) for fault in FAULTS for verb in fault.ends)
"""Every fault with every verb that it makes sense for."""
