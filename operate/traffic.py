"""`traffic`: what each cluster has sent and received, and what its firewall has dropped.

Both come from calls that every Proxmox VE has: the list of guests with their counters, and the
firewall's log of each exposed guest. The counters start anew when a guest does. A lab whose guests
really run counts packets as well, accepted and dropped, at each card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from event.names import INSTRUCTOR
from event.problems import RunError, nearest
from event.stack import EventStack
from operate import lab_process
from operate.api import CONNECTIONS, Api, ApiError
from operate.event_token import session_for_asking
from operate.lab_control import ask
from operate.places import Places
from operate.progress import Telling
from plan.plan import plan_event
from plan.records import EventPlan, Guest

LINES = 5000
"""Lines of a guest's log that are read, from its begin."""

SHOWN = 3  # drops that are told for one cluster
_WORD = re.compile(r"\b(SRC|DST|PROTO|DPT)=(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """What a guest was not allowed, and how often the log tells of it."""

    guest: str
    source: str
    dest: str
    what: str  # tcp/22, icmp, …
    times: int


@dataclass(slots=True, kw_only=True)
class Count:
    """Packets, and their bytes."""

    packets: int = 0
    bytes: int = 0

    def add(self, row: Mapping[str, int]) -> None:
        """Take in figures of one card."""
        self.packets += row["packets"]
        self.bytes += row["bytes"]


@dataclass(slots=True, kw_only=True)
class Counted:
    """What the rules of a lab have counted at all cards of a cluster. Accepted is what guests have
    received, and what they have sent without what was dropped of it."""

    accepted: Count = field(default_factory=Count)
    dropped: Count = field(default_factory=Count)


@dataclass(slots=True, kw_only=True)
class Traffic:
    """One cluster's account: bytes over all cards of its guests, and what was dropped."""

    cluster: str
    running: int = 0
    received: int = 0
    sent: int = 0
    drops: list[Drop] = field(default_factory=list)
    counted: Counted | None = None  # by a lab

    @property
    def dropped(self) -> int:
        """Lines of the log; it notes one packet a second at most."""
        return sum(each.times for each in self.drops)


def traffic(
    stack: EventStack, cluster: str | None, places: Places, telling: Telling, *, as_json: bool
) -> None:
    """Tell of all clusters, or of one; `RunError` for one that the event does not have."""
    plan = plan_event(stack)
    guests = chosen(plan, cluster)
    api = session_for_asking(stack, places, telling).api()
    rows = api.get("/cluster/resources", type="vm")
    accounts = account(guests, rows, logs(guests, rows, api), _counters(stack, places))
    if as_json:
        shown = [asdict(each) | {"dropped": each.dropped} for each in accounts]
        print(json.dumps(shown, indent=1, ensure_ascii=False))
    else:
        print("\n".join(as_text(accounts)))


def _counters(stack: EventStack, places: Places) -> list[dict[str, Any]]:
    """Figures of all cards, from the lab's own orders; none of a real site."""
    if stack.site.lab is None:
        return []
    found: list[dict[str, Any]] = ask(lab_process.status(stack.site, places), "counters")
    return found


def chosen(plan: EventPlan, cluster: str | None) -> list[Guest]:
    """The guests of a cluster, or all."""
    names = list(dict.fromkeys(guest.cluster or INSTRUCTOR for guest in plan.guests))
    if cluster is not None and cluster not in names:
        near = nearest(cluster, names)
        hint = f"did you mean {near}?" if near else f"known: {', '.join(names[:12])}"
        raise RunError(f"{plan.stack} has no cluster {cluster}; {hint}")
    return [guest for guest in plan.guests if cluster in (None, guest.cluster or INSTRUCTOR)]


def logs(
    guests: Iterable[Guest], rows: Iterable[Mapping[str, Any]], api: Api
) -> dict[int, list[str]]:
    """Lines of the firewall's log by VMID, of guests that have a firewall, from the hosts that
    they are on; none where this token may not read it or the guest is not there."""
    hosts = {int(row["vmid"]): str(row.get("node", "")) for row in rows if "vmid" in row}

    def read(guest: Guest) -> list[str]:
        path = f"/nodes/{hosts.get(guest.vmid) or guest.host}/qemu/{guest.vmid}/firewall/log"
        try:
            return [str(line["t"]) for line in api.get(path, limit=str(LINES))]
        except ApiError as failure:
            if failure.kind in ("answer", "forbidden"):
                return []
            raise

    exposed = [guest for guest in guests if guest.exposed]
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        return dict(zip((guest.vmid for guest in exposed), threads.map(read, exposed), strict=True))


def account(
    guests: Iterable[Guest],
    rows: Iterable[Mapping[str, Any]],
    lines: Mapping[int, Sequence[str]],
    counters: Iterable[Mapping[str, Any]] = (),
) -> list[Traffic]:
    """One account for each cluster, in the plan's order. `counters` are a lab's, one a card."""
    seen = {int(row["vmid"]): row for row in rows if "vmid" in row}
    cards: dict[int, list[Mapping[str, Any]]] = {}
    for card in counters:
        cards.setdefault(int(card["vmid"]), []).append(card)
    found: dict[str, Traffic] = {}
    for guest in guests:
        name = guest.cluster or INSTRUCTOR
        one = found.setdefault(name, Traffic(cluster=name))
        row = seen.get(guest.vmid, {})
        one.running += row.get("status") == "running"
        one.received += int(row.get("netin") or 0)
        one.sent += int(row.get("netout") or 0)
        one.drops += drops(guest, lines.get(guest.vmid, ()))
        for card in cards.get(guest.vmid, ()):
            one.counted = one.counted or Counted()
            _count(one.counted, card)
    return list(found.values())


def _count(counted: Counted, card: Mapping[str, Any]) -> None:
    """Take in one card: of what its guest sent, what was dropped is not accepted."""
    for name in ("received", "sent"):
        counted.accepted.add(card[name])
    for name in ("spoofed", "droppedSent", "droppedReceived"):
        counted.dropped.add(card[name])
    for name in ("spoofed", "droppedSent"):
        counted.accepted.add({key: -number for key, number in card[name].items()})


def drops(guest: Guest, lines: Iterable[str]) -> list[Drop]:
    """What the lines of a guest's log tell of drops, the most frequent first."""
    counted: dict[tuple[str, str, str], int] = {}
    for line in lines:
        if "DROP" not in line and "REJECT" not in line:
            continue
        words = dict(_WORD.findall(line))
        port = f"/{words['DPT']}" if "DPT" in words else ""
        what = f"{words.get('PROTO', 'other').lower()}{port}"
        key = (words.get("SRC", "-"), words.get("DST", "-"), what)
        counted[key] = counted.get(key, 0) + 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [
        Drop(guest=guest.name, source=source, dest=dest, what=what, times=times)
        for (source, dest, what), times in ordered
    ]


def as_text(accounts: Sequence[Traffic]) -> list[str]:
    """A table, and below each cluster the most frequent of what was dropped."""
    counted = any(each.counted for each in accounts)
    head = f"{'cluster':<12} {'running':>7} {'received':>10} {'sent':>10} {'drops noted':>12}"
    lines = [head + (f" {'accepted':>20} {'dropped':>20}" if counted else "")]
    for each in accounts:
        line = (
            f"{each.cluster:<12} {each.running:>7} {size(each.received):>10} "
            f"{size(each.sent):>10} {each.dropped:>12}"
        )
        if each.counted is not None:
            line += f" {packets(each.counted.accepted):>20} {packets(each.counted.dropped):>20}"
        lines.append(line)
        lines += [
            f"  {drop.guest}: {drop.source} → {drop.dest} {drop.what}"
            + (f" ({drop.times} times)" if drop.times > 1 else "")
            for drop in each.drops[:SHOWN]
        ]
        if len(each.drops) > SHOWN:
            lines.append(f"  and {len(each.drops) - SHOWN} other kinds")
    return lines


def packets(count: Count) -> str:
    """Packets and their bytes."""
    return f"{count.packets} ({size(count.bytes)})"


def size(number: int) -> str:
    """Bytes in a unit that leaves few digits."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
