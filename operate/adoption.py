"""Objects of ours that are complete at the site and that the state lacks: taken over, not made.

An answer that was lost, a backup of a state that was put back, or a state that was lost as a whole:
the guests are there, with our mark, the planned names and numbers, and perhaps somebody's work on
their disks. A preview tells how the engine would note each of them. Those notes are put into the
state with the ids that the provider gives, and read again from the site, so that the state has what
is there, and the run that follows changes what differs from the plan and makes nothing twice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from event.problems import RunError
from operate.deployed import Deployed, Inputs
from operate.engine_errors import explain
from operate.event_log import GUEST_TYPES, short_type, urn_name
from operate.leftovers import OF_GUESTS, Leftover
from operate.session import SECRET, Session, has_key
from operate.survey import MARK, Seen, with_description
from operate.unfinished import find_objects
from plan.plan import plan_event, plan_site
from plan.records import EventPlan, SitePlan
from plan.secrets import password

MASKED = "[secret]"
"""What a preview writes for a secret."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What it writes for a value that only the run will tell, such as a new provider's id."""

_SECRET_KEY = "4dabf18193072939515e22adb298388d"  # noqa: S105 - Pulumi's signature key
_IS_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - and what it says of a secret

_IDS: Mapping[str, Callable[[Inputs], str]] = {
    "VmLegacy": lambda given: str(int(given["vmId"])),
    "PoolLegacy": lambda given: str(given["poolId"]),
    "RoleLegacy": lambda given: str(given["roleId"]),
    "GroupLegacy": lambda given: str(given.get("groupId") or given["name"]),
    "UserLegacy": lambda given: str(given["userId"]),
    "Job": lambda given: str(given["resourceId"]),
    "Bridge": lambda given: f"{given['nodeName']}:{given['name']}",
    "RulesLegacy": lambda given: f"rule-{int(given['vmId'])}",  # any name: it has none there
    "IpsetLegacy": lambda given: str(given["name"]),
}
"""How the provider names an object in the state, by its type; without what can be made twice."""

ADOPTABLE = frozenset(_IDS)
"""Types that can be taken over; others that cannot be made twice are deleted and made again."""

Entry = dict[str, Any]


def find_ours(
    plan: EventPlan | SitePlan, state: Deployed | None, seen: Seen, api: Any
) -> tuple[Leftover, ...]:
    """What is to be taken over: complete guests, and with them all that belongs to them.

    A guest is complete when it runs, which is the last step of its making; or when it carries our
    tags, its disk has its limits, which is the last but one, and no run broke off with it in work.
    """
    guests = tuple(_guests(plan, state, seen, api))
    if not guests:
        return ()
    vmids = frozenset(each.guest.vmid for each in guests if each.guest)
    return guests + tuple(find_objects(plan, state, seen, api, taken=vmids))


def _guests(
    plan: EventPlan | SitePlan, state: Deployed | None, seen: Seen, api: Any
) -> Iterator[Leftover]:
    known = state.vmids if state else frozenset()
    begun = {int(each.inputs.get("vmId") or 0) for each in (state.pending if state else ())}
    template = isinstance(plan, SitePlan)
    for vmid, (logical, name) in _planned(plan).items():
        found = seen.guests.get(vmid)
        if found is None or vmid in known or found.kind != "qemu" or found.name != name:
            continue
        if found.template != template or (vmid in begun and not (found.running or template)):
            continue
        if not {MARK, plan.stack} <= found.tags:
            continue
        guest = with_description(api, found)
        if guest.unfinished and not (guest.running or template):
            continue  # `unfinished` clears it up
        if guest.description.startswith(f"{MARK}:{plan.stack}:"):
            path = f"/nodes/{guest.host}/qemu/{vmid}"
            yield Leftover(name=logical, type=GUEST_TYPES[0], path=path, guest=guest)


def _planned(plan: EventPlan | SitePlan) -> dict[int, tuple[str, str]]:
    """Logical and real names of planned guests or templates, by VMID."""
    if isinstance(plan, EventPlan):
        return {guest.vmid: (guest.name, guest.name) for guest in plan.guests}
    return {
        copy.vmid: (f"{copy.name}-{copy.host}", copy.name)
        for image in plan.images
        for copy in image.templates
    }


def larger_disks(plan: EventPlan, found: Iterable[Leftover]) -> dict[str, int]:
    """Sizes in GiB of disks of found guests that are larger than planned, and have to stay so."""
    sizes = {each.name: each.guest.disk_gib for each in found if each.guest}
    return {
        guest.name: sizes[guest.name]
        for guest in plan.guests
        if sizes.get(guest.name, 0) > guest.disk_gib
    }


def with_ours(session: Session, export: dict[str, Any], found: Iterable[Leftover]) -> list[str]:
    """Put entries for what was found into an exported state; the URNs of those put in."""
    steps = [each["newState"] for each in _preview(session) if each["op"] == "create"]
    body = export["deployment"]
    there = body.setdefault("resources", [])
    known = {each["urn"] for each in there}
    wanted = {(each.name, each.type): each for each in found if each.type in _IDS}
    chosen = {
        step["urn"]: wanted[key]
        for step in steps
        if (key := (urn_name(step["urn"]), short_type(step["type"]))) in wanted
    }
    needed = _with_ancestors(steps, set(chosen))
    provider = str(uuid.uuid4())
    secrets = _passwords(session)
    for step in steps:
        if step["urn"] not in needed:
            continue
        entry = _entry(step, chosen.get(step["urn"]), provider, secrets)
        _keep_known(entry, known)
        there.append(entry)
        known.add(entry["urn"])
    return list(chosen)


def _host(kind: str, found: Leftover) -> Entry:
    """The host in a path, for what is bound to one: it may be another than the planned."""
    if kind in (*OF_GUESTS, *GUEST_TYPES) and found.path.startswith("/nodes/"):
        return {"nodeName": found.path.split("/")[2]}
    return {}


def _preview(session: Session) -> list[Entry]:
    """The steps that the engine would do, with the complete notes of each."""
    engine = session.engine
    answer = engine.ask("preview", "--json", "--stack", engine.stack.name, config=True)
    try:
        found: list[Entry] = json.loads(answer.out[answer.out.index("{") :])["steps"]
    except (ValueError, KeyError):
        raise RunError(explain(answer.err or answer.out, engine.stack.name)) from None
    return found


def _with_ancestors(steps: list[Entry], urns: set[str]) -> set[str]:
    """The URNs with those of their parents and providers that the state lacks as well."""
    by_urn = {step["urn"]: step for step in steps}
    needed: set[str] = set()
    waiting = list(urns)
    while waiting:
        urn = waiting.pop()
        if urn in needed or urn not in by_urn:
            continue
        needed.add(urn)
        step = by_urn[urn]
        waiting += [step.get("parent") or "", str(step.get("provider") or "").rpartition("::")[0]]
    return needed


def _entry(step: Entry, found: Leftover | None, provider: str, secrets: Mapping[str, str]) -> Entry:
    """A resource of a state, as the engine would have written it after making the object."""
    entry = {key: value for key, value in step.items() if key not in ("stackTrace", "outputs")}
    kind = short_type(entry["type"])
    if entry["type"].startswith("pulumi:providers:"):
        entry["id"] = provider
    elif found is not None:
        entry["inputs"] = entry["inputs"] | _host(kind, found)
        entry["id"] = _IDS[kind](entry["inputs"])
    used = str(entry.get("provider") or "")
    if used.endswith(UNKNOWN):
        entry["provider"] = used.removesuffix(UNKNOWN) + provider
    if not entry.get("custom"):
        return entry
    entry["inputs"] = _unmasked(entry.get("inputs") or {}, secrets.get(urn_name(entry["urn"])))
    entry["outputs"] = _plain(entry["inputs"])
    if found is not None:
        entry["outputs"]["id"] = entry["id"]
    return entry


def _keep_known(entry: Entry, known: set[str]) -> None:
    """Leave out what the entry depends on and the state lacks: the next run notes it anew."""
    if "dependencies" in entry:
        entry["dependencies"] = [urn for urn in entry["dependencies"] if urn in known]
    for name, urns in (entry.get("propertyDependencies") or {}).items():
        entry["propertyDependencies"][name] = [urn for urn in urns or () if urn in known]
    if entry.get("deletedWith") and entry["deletedWith"] not in known:
        del entry["deletedWith"]


def _passwords(session: Session) -> dict[str, str]:
    """Passwords by logical name; none when the stack has lost its secret as well."""
    if not has_key(session.stack.path, SECRET):
        return {}
    secret = session.secret()
    stack: Any = session.stack
    if session.stack is session.site:
        labels = {user.user_id: user.password_label for user in plan_site(stack).users}
    else:
        labels = {each.name: each.login.password_label for each in plan_event(stack).guests}
    return {name: password(secret, label) for name, label in labels.items()}


def _unmasked(value: Any, secret: str | None) -> Any:
    """Inputs with the secret in its place, which the engine encrypts; without it, left out."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if secret or each != MASKED}
        return {key: _unmasked(each, secret) for key, each in kept.items()}
    if isinstance(value, list):
        return [_unmasked(each, secret) for each in value]
    if value == MASKED:
        return {_SECRET_KEY: _IS_SECRET, "plaintext": json.dumps(secret)}
    return value


def _plain(value: Any) -> Any:
    """Inputs without the engine's own keys."""
    if isinstance(value, dict) and _SECRET_KEY not in value:
        return {key: _plain(each) for key, each in value.items() if not key.startswith("__")}
    return [_plain(each) for each in value] if isinstance(value, list) else value
