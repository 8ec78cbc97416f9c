"""Comparing two plans of an event, in the event's own terms: what an edit means for the day.

What the engine would do with the guests follows the provider (bpg/proxmox 0.111, resource vm):
another VMID, template or way of cloning makes a guest anew; another host alone migrates it; the
rest is changed in place. Cores, memory and what cloud-init sets (login, addresses, name servers)
need a restart, NICs and disks do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from event.names import INSTRUCTOR
from event.problems import Path, Problem, path_text
from event.stack import Locate
from plan.hosts import MIB_PER_GIB
from plan.loads import Totals
from plan.phrases import few, number
from plan.records import EventPlan, FirewallRule, Guest, Interface, SecurityGroup

Kind = Literal["added", "removed", "replaced", "moved", "changed"]

# Storages whose disks are files: there the provider takes a linked clone's disk for the
# template's and refuses to enlarge it ("is not owned by this VM").
FILE_STORAGES = frozenset({"dir", "nfs", "cifs", "btrfs", "cephfs"})

_RESTARTING = frozenset({"cores", "memory", "login", "SSH keys", "name servers", "addresses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestChange:
    """What happens to one guest; `details` say from what to what."""

    name: str
    cluster: str | None
    kind: Kind
    details: tuple[str, ...] = ()
    restarts: bool = False  # whether a running guest is restarted, its disk kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """What a security group allows or no longer allows, in one line each."""

    group: str
    cluster: str | None  # None for the event's common group
    opened: tuple[str, ...]
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that differs; `refusals` are edits that cannot be carried out."""

    clusters_added: tuple[str, ...]
    clusters_removed: tuple[str, ...]
    guests: tuple[GuestChange, ...]
    vlans_used: tuple[int, ...]
    vlans_freed: tuple[int, ...]
    rules: tuple[RuleChange, ...]
    before: Totals
    after: Totals
    refusals: tuple[Problem, ...]

    @property
    def nothing(self) -> bool:
        """Whether the two plans make the same."""
        return not (self.guests or self.rules or self.clusters_added or self.clusters_removed)


def compare(before: EventPlan, after: EventPlan, *, locate: Locate | None = None) -> Comparison:
    """What it means to go from one plan to another. `locate` finds lines of the second's file."""
    old = {cluster.name: cluster for cluster in before.clusters}
    new = {cluster.name: cluster for cluster in after.clusters}
    vlans_before = {cluster.network.vlan for cluster in before.clusters}
    vlans_after = {cluster.network.vlan for cluster in after.clusters}
    return Comparison(
        clusters_added=tuple(name for name in new if name not in old),
        clusters_removed=tuple(name for name in old if name not in new),
        guests=_guest_changes(before.guests, after.guests),
        vlans_used=tuple(sorted(vlans_after - vlans_before)),
        vlans_freed=tuple(sorted(vlans_before - vlans_after)),
        rules=_rule_changes(before, after),
        before=before.totals,
        after=after.totals,
        refusals=_refusals(before.guests, after.guests, locate or _nowhere),
    )


def lines(comparison: Comparison) -> list[str]:
    """The comparison as sentences, one a line; none if nothing differs."""
    text = []
    for name in comparison.clusters_added:
        text.append(f"cluster {name} is added")
    for name in comparison.clusters_removed:
        text.append(f"cluster {name} is removed")
    text += _guest_lines(comparison.guests)
    for word, vlans in (("used", comparison.vlans_used), ("freed", comparison.vlans_freed)):
        if vlans:
            text.append(f"VLANs {word}: {', '.join(map(str, vlans))}")
    for rule in comparison.rules:
        whose = f"cluster {rule.cluster}" if rule.cluster else "exposed nodes"
        text += [f"opened for {whose}: {line}" for line in rule.opened]
        text += [f"closed for {whose}: {line}" for line in rule.closed]
    return text + _capacity_lines(comparison.before, comparison.after)


def _guest_lines(changes: Iterable[GuestChange]) -> list[str]:
    """One line for all guests to which the same happens."""
    alike: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for change in changes:
        alike.setdefault((change.kind, change.details, change.restarts), []).append(change.name)
    text = []
    for (kind, details, restarts), names in alike.items():
        why = f": {'; '.join(details)}" if details else ""
        restart = " (restart)" if restarts else ""
        subject = "guest" if len(names) == 1 else f"{len(names)} guests"
        verb = "is" if len(names) == 1 else "are"
        text.append(f"{subject} {few(names)} {verb} {kind}{why}{restart}")
    return text


def _capacity_lines(before: Totals, after: Totals) -> list[str]:
    text = [
        f"{what}: {number(old.need / unit)} of {number(old.have / unit)} → "
        f"{number(new.need / unit)} of {number(new.have / unit)}"
        for what, old, new, unit in (
            ("cores", before.cores, after.cores, 1),
            ("memory GiB", before.memory_mib, after.memory_mib, MIB_PER_GIB),
            ("disk GiB", before.disk_gib, after.disk_gib, 1),
        )
        if old != new
    ]
    if before.survives_loss_of_any_host != after.survives_loss_of_any_host:
        can = "survives" if after.survives_loss_of_any_host else "no longer survives"
        text.append(f"the event {can} the loss of any host")
    return text


def _guest_changes(before: Sequence[Guest], after: Sequence[Guest]) -> tuple[GuestChange, ...]:
    old = {guest.name: guest for guest in before}
    new = {guest.name: guest for guest in after}
    changes = [
        GuestChange(name=name, cluster=guest.cluster, kind="added", details=(f"on {guest.host}",))
        for name, guest in new.items()
        if name not in old
    ]
    changes += [
        GuestChange(
            name=name, cluster=guest.cluster, kind="removed", details=(f"from {guest.host}",)
        )
        for name, guest in old.items()
        if name not in new
    ]
    kept = (_change(old[name], guest) for name, guest in new.items() if name in old)
    return (*(change for change in kept if change), *changes)


def _change(old: Guest, new: Guest) -> GuestChange | None:
    """What happens to a guest that is in both plans."""
    if old == new:
        return None
    anew = _anew(old, new)
    moved = [f"{old.host} → {new.host}"] if old.host != new.host else []
    fields = _fields(old, new)
    kind: Kind = "replaced" if anew else "moved" if moved else "changed"
    return GuestChange(
        name=new.name,
        cluster=new.cluster,
        kind=kind,
        details=(*moved, *anew, *(text for _, text in fields)),
        restarts=not anew and any(name in _RESTARTING for name, _ in fields),
    )


def _anew(old: Guest, new: Guest) -> list[str]:
    """Why a guest is made anew, losing its disk; nothing if it is not."""
    reasons = []
    if old.vmid != new.vmid:
        reasons.append(f"VMID {old.vmid} → {new.vmid}")
    if old.template.image != new.template.image:
        reasons.append(f"image {old.template.image} → {new.template.image}")
    elif old.template.vmid != new.template.vmid:
        per_host = not new.template.shared and old.host != new.host
        reasons.append(
            "its template is the host's own"
            if per_host
            else f"template {old.template.vmid} → {new.template.vmid}"
        )
    if old.clone != new.clone:
        reasons.append(f"clone {old.clone} → {new.clone}")
    elif new.clone == "full" and old.template.storage != new.template.storage:
        reasons.append(f"storage {old.template.storage} → {new.template.storage}")
    return reasons


def _fields(old: Guest, new: Guest) -> list[tuple[str, str]]:
    """Names of what is changed in place, each with its sentence."""
    pairs: tuple[tuple[str, object, object], ...] = (
        ("cores", old.cores, new.cores),
        ("memory", f"{old.memory_mib} MiB", f"{new.memory_mib} MiB"),
        ("disk", f"{old.disk_gib} GiB", f"{new.disk_gib} GiB"),
        ("security group", old.security_group or "none", new.security_group or "none"),
        ("login", old.login.user, new.login.user),
    )
    changed = [(name, f"{name} {a} → {b}") for name, a, b in pairs if a != b]
    nics = _nics(old, new)
    changed += [("NICs", nics)] if nics else []
    for name, differs in (
        ("addresses", _addresses(old) != _addresses(new)),
        ("SSH keys", old.login.ssh_keys != new.login.ssh_keys),
        ("name servers", old.dns != new.dns),
        ("description", old.description != new.description or old.tags != new.tags),
        ("documents", old.documents != new.documents),
        ("start", old.start != new.start),
    ):
        changed += [(name, name)] if differs else []
    return changed


def _addresses(guest: Guest) -> list[object]:
    """What cloud-init sets on each NIC that it sets anything on."""
    return [
        (nic.address, nic.gateway, nic.dhcp) for nic in guest.interfaces if nic.address or nic.dhcp
    ]


def _nics(old: Guest, new: Guest) -> str:
    """Which NICs differ; those of a guest keep their order."""
    before = [_network(nic, old) for nic in old.interfaces]
    after = [_network(nic, new) for nic in new.interfaces]
    parts = []
    for nic in range(max(len(before), len(after))):
        if nic >= len(before):
            parts.append(f"net{nic} added ({after[nic]})")
        elif nic >= len(after):
            parts.append(f"net{nic} removed ({before[nic]})")
        elif old.interfaces[nic] != new.interfaces[nic]:
            same = before[nic] == after[nic]
            names = after[nic] if same else f"{before[nic]} → {after[nic]}"
            parts.append(f"net{nic} changed ({names})")
    return ", ".join(parts)


def _network(nic: Interface, guest: Guest) -> str:
    """The network of a NIC; `private` is that of the guest's own cluster."""
    return "private" if nic.network == guest.cluster else nic.network


def _rule_changes(before: EventPlan, after: EventPlan) -> tuple[RuleChange, ...]:
    """What each group opens and closes. A cluster without a group of its own has the common one."""
    old, new = _groups(before), _groups(after)
    changes = []
    for cluster in dict.fromkeys([*old, *new]):
        if cluster is not None and (cluster not in _names(before) or cluster not in _names(after)):
            continue
        was, now = old.get(cluster, old[None]), new.get(cluster, new[None])
        opened = [_sentence(rule) for rule in now.rules if rule not in was.rules]
        closed = [_sentence(rule) for rule in was.rules if rule not in now.rules]
        if opened or closed:
            changes.append(
                RuleChange(
                    group=now.name, cluster=cluster, opened=tuple(opened), closed=tuple(closed)
                )
            )
    return tuple(changes)


def _groups(plan: EventPlan) -> dict[str | None, SecurityGroup]:
    groups: dict[str | None, SecurityGroup] = {None: plan.security_group}
    groups.update((each.name, each.security_group) for each in plan.clusters if each.security_group)
    return groups


def _names(plan: EventPlan) -> set[str]:
    return {cluster.name for cluster in plan.clusters}


def _sentence(rule: FirewallRule) -> str:
    """`to 192.0.2.10/32 tcp 443`, `from everywhere tcp 22`."""
    far = rule.dest if rule.direction == "out" else rule.source
    words = ["to" if rule.direction == "out" else "from", str(far or "everywhere")]
    words.append(rule.protocol or "every protocol")
    words += [str(rule.port)] if rule.port else []
    return " ".join(words)


def _refusals(
    before: Sequence[Guest], after: Sequence[Guest], locate: Locate
) -> tuple[Problem, ...]:
    """Disks that would shrink, or that the provider can neither enlarge nor move."""
    new = {guest.name: guest for guest in after}
    alike: dict[tuple[Path, str, str, str], list[str]] = {}
    for old in before:
        guest = new.get(old.name)
        if guest is None or _anew(old, guest):
            continue
        refusal = _refusal(old, guest)
        if refusal:
            alike.setdefault(refusal, []).append(guest.name)
    return tuple(
        Problem(
            where=locate(path),
            path=path_text(path),
            found=found,
            message=f"{message} ({few(names, shown=1)})",
            hint=hint,
        )
        for (path, found, message, hint), names in alike.items()
    )


def _refusal(old: Guest, new: Guest) -> tuple[Path, str, str, str] | None:
    """Path, what was found, why it is refused and what to write; None if it is not."""
    group: Path = ("event", "nodeGroups", new.node_group)
    if new.node_group == INSTRUCTOR:
        group = ("event", "instructor")
    if len(new.interfaces) < len(old.interfaces):
        return _lost_nic(old, new, group)
    size, storage = (*group, "diskGib"), new.template.storage_type
    if new.disk_gib < old.disk_gib:
        message = f"disks cannot shrink from {old.disk_gib} GiB"
        return size, str(new.disk_gib), message, f"write {old.disk_gib} or more"
    if new.clone == "full":
        return None
    if old.template.storage != new.template.storage:
        message = f"linked clones cannot move from storage {old.template.storage}"
        hint = "give the image on the other storage another name and VMID"
        return (*group, "image"), new.template.image, message, hint
    if new.disk_gib == old.disk_gib or storage not in FILE_STORAGES:
        return None
    message = f"linked clones on a {storage} storage cannot grow from {old.disk_gib} GiB"
    hint = f"write {old.disk_gib}"
    if new.node_group != INSTRUCTOR:
        hint += ", or clone: full as well, which makes these guests anew"
    return size, str(new.disk_gib), message, hint


def _nowhere(_: Path) -> None:
    """Locates nothing: the plans came from no file."""


def _lost_nic(old: Guest, new: Guest, group: Path) -> tuple[Path, str, str, str]:
    """The provider removes a NIC and leaves its address, which it then corrects at every run."""
    message = "a guest that loses a NIC cannot be changed in place"
    if new.node_group != INSTRUCTOR:
        hint = f"write retire: [{new.number}], type up, and take it out again"
        return (*group, "exposed"), "false", message, hint
    hint = "take instructor out, type up, and put it back"
    if new.interfaces[-1].network != "trunk":
        lost = ", ".join(str(nic) for nic in range(len(new.interfaces), len(old.interfaces)))
        hint = f"write count: {len(old.interfaces) - 1}, retire: [{lost}]"
    return ("event", "clusters", "count"), str(len(new.interfaces) - 1), message, hint
