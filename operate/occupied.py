"""What others have in the places that a run would use, of every kind that practicum makes.

The provider takes some of it over without a word (a machine made from an image on a VMID that is
in use, the firewall's policies of the cluster), and later destroys it with the event; the rest it
meets in the middle of a run. So everything that a plan is going to make, and that the state does
not know, is looked for before the first write. What tells ours from theirs is data, in
`operate.kinds`;
docs/occupied.md has the same as a table, and a test holds the two against what components make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from event.problems import Path, Problem, RunError
from event.stack import SiteStack, Stack
from operate.api import CONNECTIONS, Api, ApiError
from operate.deployed import Deployed, Inputs
from operate.kinds import FILES, KINDS, Kind, Row, identity, marked, whose_object
from operate.survey import MARK, Seen
from plan.phrases import few
from plan.records import Download, EventPlan, SitePlan, Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An object that a plan makes: its kind, its inputs as far as they place it, its setting."""

    kind: Kind
    inputs: Inputs
    setting: Path
    hint: str

    @property
    def id(self) -> str:
        """What names it at the API."""
        last = str(self.inputs[self.kind.given[-1]])
        is_file = self.kind.type in FILES
        return f"{self.inputs['datastoreId']}:import/{last}" if is_file else last

    @property
    def listing(self) -> str:
        """Where the API lists it."""
        return self.kind.listing.format(**self.inputs)

    @property
    def words(self) -> str:
        """`pool practicum-sc09`, `network interface vmbr1 on pve03`."""
        host = self.inputs.get("nodeName")
        return f"{self.kind.called} {self.id}" + (f" on {host}" if host else "")


def find_occupied(
    stack: Stack, plan: EventPlan | SitePlan, state: Deployed | None, seen: Seen, api: Api
) -> list[Problem]:
    """A problem for each place of the plan that somebody else's object is in. Only reads.

    Guests are not among them (`preflight`), except those that this token may not see.
    """
    fresh = state is None or not (state.resources or state.pending)
    known = {identity(kind, inputs) for kind, inputs in (state.objects if state else ())}
    places = [each for each in _places(plan) if identity(each.kind.type, each.inputs) not in known]
    if not fresh:  # a file carries no mark: one that a run of ours has begun is not told apart
        places = [each for each in places if each.kind.type not in FILES]
    rows = _rows(api, {each.listing for each in places})
    found = []
    for place in places:
        row = next(
            (row for row in rows[place.listing] if row.get(place.kind.key) == place.id), None
        )
        problem = row and _problem(stack, place, row, lost=state is None)
        found += [problem] if problem else []
    if isinstance(plan, SitePlan) and fresh:
        found += _settings(stack, plan, api)
    return found + _hidden(stack, _vmids(plan) - seen.guests.keys(), api)


def _problem(stack: Stack, place: Place, row: Row, *, lost: bool) -> Problem | None:
    whose = whose_object(stack.name, place.kind, place.inputs, row)
    if whose == "theirs":
        message = f"is there already, {marked(str(row.get(place.kind.mark) or ''))}"
        hint = f"{place.hint}; it was not touched"
        return stack.problem(place.setting, message, found=place.words, hint=hint)
    if not lost:
        return None  # a run of ours did not hear that it was made: `unfinished` clears it up
    return stack.problem(
        place.setting, "carries this stack's mark, and there is no state that knows it",
        found=place.words, hint="the state is another one or was lost: name the right backend "
        "with PULUMI_BACKEND_URL, or delete it and type the same again",
    )  # fmt: skip


def _places(plan: EventPlan | SitePlan) -> Iterator[Place]:
    return _event(plan) if isinstance(plan, EventPlan) else _site(plan)


def _kind(called: str) -> Kind:
    return next(each for each in KINDS if each.called == called)


def _event(plan: EventPlan) -> Iterator[Place]:
    hint = "delete it if nobody needs it, or give the stack file another name"
    access = plan.access
    groups = [plan.security_group, *(each.security_group for each in plan.clusters)]
    places: list[tuple[str, Inputs]] = [
        ("security group", {"name": group.name}) for group in groups if group
    ]
    if not access.by_site:
        role = {"roleId": access.role, "privileges": list(access.privileges)}
        own = (("pool", {"poolId": access.pool}), ("group", {"groupId": access.group}))
        places = [*own, ("role", role), *places]
    for called, inputs in places:
        yield Place(kind=_kind(called), inputs=inputs, setting=("event",), hint=hint)


def _listed(plan: SitePlan) -> Iterator[Place]:
    """What a site makes for the events that it lists."""
    places: list[tuple[str, Inputs]] = [
        ("role", {"roleId": each.name, "privileges": list(each.privileges)}) for each in plan.roles
    ]
    if plan.templates_pool:
        places.append(("pool", {"poolId": plan.templates_pool.name}))
    for each in plan.events:
        places += [
            ("pool", {"poolId": each.access.pool}),
            ("group", {"groupId": each.access.group}),
            ("user", {"userId": each.user_id}),
        ]
    for called, inputs in places:
        yield Place(
            kind=_kind(called), inputs=inputs, setting=("site", "events"),
            hint="if the event made it by itself, destroy the event first; delete it if nobody "
            "needs it",
        )  # fmt: skip


def _site(plan: SitePlan) -> Iterator[Place]:
    yield from _listed(plan)
    for host in plan.hosts:
        yield Place(
            kind=_kind("network interface"), inputs={"nodeName": host.name, "name": host.bridge},
            setting=("site", "network", "bridge"),
            hint="write a name that is free on all hosts, or delete it if nobody needs it",
        )  # fmt: skip
    for number, user in enumerate(plan.users):
        yield Place(
            kind=_kind("user"), inputs={"userId": user.user_id}, setting=("site", "users", number),
            hint="write another login, or take it out: it can be used without us",
        )  # fmt: skip
    for job in plan.backups:
        name = job.job_id.removeprefix(f"{MARK}-{plan.stack}-")
        yield Place(
            kind=_kind("backup job"), inputs={"resourceId": job.job_id},
            setting=("site", "backups", name), hint="write another name, or delete that job",
        )  # fmt: skip
    yield from _files(plan)


def _files(plan: SitePlan) -> Iterator[Place]:
    for image in plan.images:
        for each in image.downloads:
            yield _file("file", each, "url")
        for sent in image.uploads:
            yield _file("uploaded file", sent, "file" if sent.file else "build")


def _file(called: str, file: Download | Upload, source: str) -> Place:
    inputs = {"nodeName": file.host, "datastoreId": file.storage, "fileName": file.file_name}
    return Place(
        kind=_kind(called), inputs=inputs, setting=("site", "images", file.image, source),
        hint=f"to use it, write volume: {file.storage}:import/{file.file_name} instead of "
        f"{source}; or delete it",
    )  # fmt: skip


def _rows(api: Api, listings: Iterable[str]) -> dict[str, list[Row]]:
    """What the API lists; nothing where this token may not look."""

    def rows(path: str) -> list[Row]:
        try:
            found = api.get(path)
        except ApiError as failure:
            if failure.kind in ("answer", "forbidden"):
                return []
            raise
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    wanted = sorted(listings)
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        return dict(zip(wanted, threads.map(rows, wanted), strict=True))


def _settings(stack: Stack, plan: SitePlan, api: Api) -> Iterator[Problem]:
    """Firewall settings of the site that practicum would overrule, which nobody could undo."""
    options = _options(api, "/cluster/firewall/options")
    # Proxmox VE: without a word of its own, the policy for what comes in is DROP.
    policies = {"policy_in": "DROP", "policy_out": "ACCEPT", "policy_forward": "ACCEPT"}
    closed = [
        f"{name}: {policy}"
        for name, default in policies.items()
        if (policy := str(options.get(name) or default)) != "ACCEPT"
    ]
    if _on(options.get("enable"), False) and closed:
        yield stack.problem(
            ("site", "network"), f"is on at this site with {', '.join(closed)}; practicum would "
            "open it", found="the cluster firewall", hint="let your own rules drop, then type: "
            "pvesh set /cluster/firewall/options --policy_in ACCEPT --policy_out ACCEPT "
            "--policy_forward ACCEPT; it was not touched",
        )  # fmt: skip
    off = [
        host.name
        for host in plan.hosts
        if not _on(_options(api, f"/nodes/{host.name}/firewall/options").get("enable"), True)
    ]
    if off:
        yield stack.problem(
            ("site", "hosts"), f"has been switched off on {few(off)}; practicum would switch it on",
            found="the firewall of the host", hint="if nobody minds, type: pvesh set "
            f"/nodes/{off[0]}/firewall/options --delete enable; it was not touched",
        )  # fmt: skip


def _options(api: Api, path: str) -> Row:
    try:
        found = api.get(path)
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return {}
        raise
    return found if isinstance(found, dict) else {}


def _on(value: object, default: bool) -> bool:
    return default if value is None else str(value) not in ("0", "")


def _vmids(plan: EventPlan | SitePlan) -> set[int]:
    if isinstance(plan, EventPlan):
        return {guest.vmid for guest in plan.guests}
    return set(plan.template_vmids)


def _hidden(stack: Stack, vmids: set[int], api: Api) -> list[Problem]:
    """VMIDs in use by guests that this token does not see: only the next free number tells."""
    if not vmids or sees_all_guests(api):
        return []
    hidden = taken(sorted(vmids), api)
    if not hidden:
        return []
    path: Path = ("site", "images") if isinstance(stack, SiteStack) else ("event", "vmids")
    return [
        stack.problem(
            path, "holds VMIDs of guests that this API token may not see: "
            f"{few([str(vmid) for vmid in hidden])}", hint="write a range of free VMIDs, or, if "
            "they are this stack's, put them back into its pool; they were not touched",
        )
    ]  # fmt: skip


def stop_if_hidden(stack: Stack, state: Deployed, seen: Seen, api: Api) -> None:
    """`RunError` when a guest of the state is not gone, but out of this token's sight.

    Else a `destroy` would take it for gone and forget it.
    """
    unseen = sorted(state.vmids - seen.guests.keys() - {0})
    hidden = taken(unseen, api) if unseen and not sees_all_guests(api) else []
    if hidden:
        raise RunError(
            f"{stack.path}: this API token may not see what is on the VMIDs "
            f"{few([str(vmid) for vmid in hidden])} of {stack.name}; nothing was changed. If they "
            "are its guests, put them back into its pool, or use a token that sees all"
        )


def sees_all_guests(api: Api) -> bool:
    """Whether the token may look at every guest; True as well where the API does not say."""
    try:
        rights = api.get("/access/permissions", path="/vms")
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return True
        raise
    here = rights.get("/vms") if isinstance(rights, dict) else None
    return isinstance(here, dict) and bool(here.get("VM.Audit"))


def taken(vmids: Iterable[int], api: Api) -> list[int]:
    """Those VMIDs that the cluster says are in use, by whomever."""

    def in_use(vmid: int) -> bool:
        try:
            api.get("/cluster/nextid", vmid=str(vmid))
        except ApiError as failure:
            if failure.status == 400:
                return True
            if failure.kind in ("answer", "forbidden"):
                return False
            raise
        return False

    wanted = list(vmids)
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        return [v for v, used in zip(wanted, threads.map(in_use, wanted), strict=True) if used]
