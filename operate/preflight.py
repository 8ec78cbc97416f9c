"""Checks before a run that nothing at the site will stop it; each finding says what to type.

Nothing is written. What only the site stack makes (bridges, templates) is told apart from what
somebody has to put right, because `up` makes the former by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from event.problems import EventError, Path, Problem, known_names
from event.stack import SiteStack, Stack
from operate.api import Api, ApiError
from operate.kinds import described_guest
from operate.survey import Seen, SeenGuest, survey, with_description
from plan.records import EventPlan, SitePlan

SHOWN = 6


class PreflightError(EventError):
    """The site is not as the run needs it; `problems` has all that was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """VMIDs that are ours: in the state, or begun by a run that did not hear how it ended."""

    state: frozenset[int] = frozenset()
    begun: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a check has found."""

    problems: list[Problem] = field(default_factory=list)
    site_lacks: list[str] = field(default_factory=list)  # what the site stack would make

    def error(self) -> PreflightError:
        """The error with all problems."""
        return PreflightError(self.problems)

    def stop_if_any(self) -> None:
        """Raise `PreflightError` with all problems."""
        if self.problems:
            raise self.error()


def look(api: Api, site: SiteStack, hosts: Iterable[str]) -> Seen:
    """The site as its API shows it; `PreflightError` when the API does not answer as one."""
    try:
        return survey(api, hosts)
    except ApiError as failure:
        raise PreflightError([unreachable(failure, site)]) from None


def stop_without_quorum(site: SiteStack, seen: Seen) -> None:
    """Raise `PreflightError` when the cluster lets nobody write."""
    if seen.quorate:
        return
    online = sum(state == "online" for state in seen.hosts.values())
    raise PreflightError(
        [
            site.problem(
                ("site", "api", "endpoint"),
                f"has no quorum ({online} of {len(seen.hosts)} hosts are online), so nothing can "
                "be changed",
                found=site.site.api.endpoint,
                hint="bring the other hosts back (pvecm status), and type the same again",
            )
        ]
    )


def stop_if_blind(site: SiteStack, seen: Seen) -> None:
    """Raise `PreflightError` when the token sees nothing: what it does not see may be there."""
    if not seen.shows_storages:
        raise PreflightError([_blind(site)])


def _blind(site: SiteStack) -> Problem:
    return site.problem(
        ("site", "api", "endpoint"),
        "shows this API token no storage at all",
        found=site.site.api.endpoint,
        hint="give it Datastore.Audit and "
        "Datastore.AllocateSpace on /storage; without separated privileges it has its user's",
    )


def unreachable(failure: ApiError, site: SiteStack) -> Problem:
    """What is wrong with the API or the way to it, and what to write or type."""
    path, message, hint = _UNREACHABLE[failure.kind]
    if failure.kind in ("refused", "certificate", "foreign") and site.lab is not None:
        hint = f"type: ./practicum lab status {site.name}"
    return site.problem(
        ("site", "api", path), message.format(text=failure.text, status=failure.status),
        found=site.site.api.endpoint, hint=hint,
    )  # fmt: skip


_UNREACHABLE: dict[str, tuple[str, str, str]] = {
    "name": ("endpoint", "names a machine that cannot be found ({text})", "check the name"),
    "refused": (
        "endpoint",
        "refuses connections",
        "check name and port; Proxmox VE answers on port 8006",
    ),
    "timeout": ("endpoint", "gives {text}", "check the network and the firewall on the way"),
    "unreachable": ("endpoint", "cannot be reached ({text})", "check the network"),
    "certificate": (
        "endpoint",
        "has a certificate that is not trusted ({text})",
        "write caFile: with the site's authority (/etc/pve/pve-root-ca.pem of a host), or for "
        "a lab insecure: true",
    ),
    "tls": (
        "endpoint",
        "does not speak TLS 1.3 ({text}), which the provider insists on",
        "check that the port is Proxmox VE's",
    ),
    "foreign": (
        "endpoint",
        "is not the API of Proxmox VE ({text})",
        "write the address of a host, e.g. https://pve01.example.org:8006",
    ),
    "token": (
        "endpoint",
        "refuses the API token ({text})",
        "check PROXMOX_VE_API_TOKEN or tokenFile: user@realm!name=secret, not expired",
    ),
    "forbidden": (
        "endpoint",
        "forbids the API token to look ({text})",
        "give it a role with Sys.Audit, Datastore.Audit and VM.Audit, e.g. PVEAuditor on /",
    ),
    "answer": ("endpoint", "answers {text}", "see the log of that host"),
}


def check_event(
    stack: Stack, site: SiteStack, plan: EventPlan, seen: Seen, known: Known, api: Api
) -> Findings:
    """Whether the site is ready for an event."""
    findings = Findings()
    _check_hosts(site, {guest.host for guest in plan.guests}, seen, findings)
    storages = {(guest.host, guest.template.storage) for guest in plan.guests}
    _check_storages(site, storages, seen, findings)
    templates = {
        (guest.template.vmid, guest.template.image): guest.template.host for guest in plan.guests
    }
    for (vmid, image), host in sorted(templates.items()):
        _check_template(site, vmid, image, host, seen, findings, api)
    _check_bridges(site, plan, seen, findings)
    wanted = {guest.vmid for guest in plan.guests}
    _check_occupied(stack, wanted, seen, known, findings, api)
    return findings


def check_site(stack: SiteStack, plan: SitePlan, seen: Seen, known: Known, api: Api) -> Findings:
    """Whether a site can be made ready."""
    findings = Findings()
    names = {host.name for host in plan.hosts}
    _check_hosts(stack, names, seen, findings)
    copies = [copy for image in plan.images for copy in image.templates]
    _check_storages(stack, {(copy.host, copy.storage) for copy in copies}, seen, findings)
    exposed = stack.site.network.exposed.bridge
    _lacking_bridges(stack, {(name, exposed) for name in names}, seen, findings)
    _check_occupied(stack, set(plan.template_vmids), seen, known, findings, api)
    if not findings.problems:
        _check_volumes(stack, plan, seen, known, findings, api)
    return findings


def _check_hosts(site: SiteStack, wanted: set[str], seen: Seen, findings: Findings) -> None:
    for host in sorted(wanted - seen.hosts.keys()):
        findings.problems.append(
            site.problem(
                ("site", "hosts"),
                "is no host of this Proxmox VE cluster",
                found=host,
                hint=known_names(host, sorted(seen.hosts)),
            )
        )
    for host in sorted(wanted & seen.hosts.keys()):
        if seen.hosts[host] != "online":
            findings.problems.append(
                site.problem(
                    ("site", "hosts"),
                    f"is {seen.hosts[host] or 'not online'}",
                    found=host,
                    hint="start it, or write drain: true for it so that its guests go elsewhere",
                )
            )


def _check_storages(
    site: SiteStack, wanted: set[tuple[str, str]], seen: Seen, findings: Findings
) -> None:
    if wanted and not seen.shows_storages:
        findings.problems.append(_blind(site))
        return
    online = {host for host, state in seen.hosts.items() if state == "online"}
    lacking: dict[str, list[str]] = {}
    for host, storage in sorted(wanted):
        if host in online and seen.storages.get((host, storage)) not in ("available", ""):
            lacking.setdefault(storage, []).append(host)
    for storage, hosts in lacking.items():
        known = sorted({name for _, name in seen.storages})
        message = f"is not available on {few(hosts)}"
        findings.problems.append(
            site.problem(
                ("site", "storages", storage),
                message,
                found=storage,
                hint=f"check it there (pvesm status); {known_names(storage, known)}"
                if storage not in known
                else "check it there (pvesm status)",
            )
        )


def _check_template(
    site: SiteStack, vmid: int, image: str, host: str, seen: Seen, findings: Findings, api: Api
) -> None:
    found = seen.guests.get(vmid)
    half_made = (
        found is not None
        and not found.template
        and _described(found, site.name, api).is_ours(site.name)
    )
    if found is None or half_made:
        findings.site_lacks.append(f"template {vmid} of image {image} on {host}")
    elif not found.template or found.kind != "qemu":
        described = described_guest(_described(found, site.name, api))
        findings.problems.append(
            site.problem(
                ("site", "images", image, "vmid"),
                f"is the VMID of {found.name or 'a guest'} on {found.host}, which is no template "
                f"of a virtual machine ({described})",
                found=str(vmid),
                hint="write a free VMID",
            )
        )
    elif found.host != host:
        findings.problems.append(
            site.problem(
                ("site", "images", image, "vmid"),
                f"is a template on {found.host}, not on {host}",
                found=str(vmid),
                hint=f"migrate it to {host}, or list {found.host} first in hosts",
            )
        )


def _check_bridges(site: SiteStack, plan: EventPlan, seen: Seen, findings: Findings) -> None:
    wanted = {(guest.host, nic.bridge) for guest in plan.guests for nic in guest.interfaces}
    own = site.site.network.bridge
    _lacking_bridges(site, {pair for pair in wanted if pair[1] != own}, seen, findings)
    for host, bridge in sorted(wanted):
        if bridge == own and host in seen.bridges and bridge not in seen.bridges[host]:
            findings.site_lacks.append(f"bridge {bridge} on {host}")


def _lacking_bridges(
    site: SiteStack, wanted: set[tuple[str, str]], seen: Seen, findings: Findings
) -> None:
    """Bridges that the site has to have before practicum."""
    lacking: dict[str, list[str]] = {}
    for host, bridge in sorted(wanted):
        if host in seen.bridges and bridge not in seen.bridges[host]:
            lacking.setdefault(bridge, []).append(host)
    for bridge, hosts in lacking.items():
        known = sorted(set.intersection(*(set(seen.bridges[host]) for host in hosts)))
        findings.problems.append(
            site.problem(
                ("site", "network", "exposed", "bridge"),
                f"is no bridge of {few(hosts)}",
                found=bridge,
                hint=known_names(bridge, known),
            )
        )


def _check_occupied(
    stack: Stack, wanted: set[int], seen: Seen, known: Known, findings: Findings, api: Api
) -> None:
    """VMIDs that the run would use and that are in use, by others or by lost guests of ours."""
    path: Path = ("site", "images") if isinstance(stack, SiteStack) else ("event", "vmids")
    foreign: list[str] = []
    lost: list[str] = []
    for vmid in sorted(wanted & seen.guests.keys() - known.state):
        guest = _described(seen.guests[vmid], stack.name, api)
        line = f"{vmid} ({guest.name or guest.kind} on {guest.host}"
        if not guest.is_ours(stack.name):
            foreign.append(f"{line}, {described_guest(guest)})")
        elif vmid not in known.begun:
            lost.append(f"{line})")
    if foreign:
        findings.problems.append(
            stack.problem(
                path,
                f"holds VMIDs that others use: {few(foreign)}",
                hint="write a range of free VMIDs; nothing of theirs was changed",
            )
        )
    if lost:
        findings.problems.append(
            stack.problem(
                path,
                f"holds guests with this stack's mark that its state does not know: {few(lost)}",
                hint="the state is another one or was lost: name the right "
                "backend with PULUMI_BACKEND_URL, or delete these guests and type the same again",
            )
        )


def _described(guest: SeenGuest, stack: str, api: Api) -> SeenGuest:
    return guest if guest.is_ours(stack) else with_description(api, guest)


def _check_volumes(
    stack: SiteStack,
    plan: SitePlan,
    seen: Seen,
    known: Known,
    findings: Findings,
    api: Api,
) -> None:
    """Image files that templates are made from and that nobody downloads or uploads."""
    for image in plan.images:
        if image.downloads or image.uploads:
            continue
        for copy in image.templates:
            if copy.vmid in known.state or copy.vmid in seen.guests:
                continue
            storage = copy.volume.partition(":")[0]
            rows = api.get(f"/nodes/{copy.host}/storage/{storage}/content", content="import")
            volumes = sorted(str(row["volid"]) for row in rows)
            if copy.volume not in volumes:
                findings.problems.append(
                    stack.problem(
                        ("site", "images", image.name, "volume"),
                        f"is not on {copy.host}",
                        found=copy.volume,
                        hint="upload it there (content type import), or write url, file or build "
                        f"with sha256 instead; {known_names(copy.volume, volumes)}",
                    )
                )


def few(names: list[str]) -> str:
    """Some names, and how many more there are."""
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
