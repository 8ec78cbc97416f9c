"""References: everything that a stack file names exists – images, hosts, storages, clusters, nodes.

Whether it all fits (numbers, addresses, capacity) is decided in `plan/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from event.hosts import MAX_HOSTS, expand_hosts
from event.model import ClusterOverride, Clusters, Event, Image, Lab, Site
from event.names import INSTRUCTOR, cluster_name, node_names
from event.problems import Path, known_names, quoted, shown
from event.services_model import MIRROR


class Finding(NamedTuple):
    """Something wrong at a path that starts with `site`, `lab` or `event`."""

    path: Path
    found: str | None
    message: str
    hint: str


def host_names(site: Site) -> tuple[str, ...]:
    """All hosts of a site, rows expanded, in the order of declaration."""
    return tuple(name for host in site.hosts for name in expand_hosts(host.name))


# ---------------------------------------------------------------- site


def site_findings(site: Site, lab: Lab | None) -> Iterator[Finding]:
    """What a site names in vain, or twice."""
    yield from _hosts(site)
    if site.network.bridge == site.network.exposed.bridge:
        path: Path = ("site", "network", "bridge")
        hint = "write a name that no host has in use, e.g. vmbr1"
        message = "is the bridge of the exposed network, and this one is made by practicum"
        yield Finding(path, quoted(site.network.bridge), message, hint)
    for name, image in site.images.items():
        yield from _image(site, name, image)
    for name, job in site.backups.items():
        path = ("site", "backups", name, "storage")
        yield from _storage(site, path, job.storage, "backup")
    known = host_names(site)
    for name in site.ssh.hosts if site.ssh else ():
        if name not in known:
            path = ("site", "ssh", "hosts", name)
            yield Finding(path, quoted(name), "is no host of this site", known_names(name, known))
    yield from _twice(("site", "users"), [user.name for user in site.users], "name")
    yield from _twice(("site", "events"), site.events, None)
    volumes = lab.volumes if lab else []
    for position, volume in enumerate(volumes):
        path = ("lab", "volumes", position, "volume")
        yield from _storage(site, path, _storage_of(volume.volume), None, volume.volume)
    yield from _twice(("lab", "volumes"), [volume.volume for volume in volumes], "volume")
    if lab and lab.mirror and MIRROR not in site.services:
        message = "answers behind the site's service mirror, which the site does not have"
        hint = "under site.services: mirror: {address: 10.255.255.10, port: 3142, to: 127.0.0.1}"
        yield Finding(("lab", "mirror"), quoted(lab.mirror), message, hint)


def _hosts(site: Site) -> Iterator[Finding]:
    """Hosts that are declared twice, told at both places."""
    places: dict[str, int] = {}
    for position, host in enumerate(site.hosts):
        path = ("site", "hosts", position, "name")
        yield from _twice((*path[:3], "ports"), list(host.ports), None)
        for name in expand_hosts(host.name):
            first = places.setdefault(name, position)
            if first == position:
                continue
            for here, there in ((first, position), (position, first)):
                yield Finding(
                    ("site", "hosts", here, "name"),
                    quoted(site.hosts[here].name),
                    f"names {name}, which hosts[{there}] names as well",
                    "declare every host once",
                )
    if len(places) > MAX_HOSTS:
        yield Finding(
            ("site", "hosts"),
            f"{len(places)} hosts",
            "are too many",
            f"declare at most {MAX_HOSTS}",
        )


SOURCES = ("volume", "url", "file", "build")
"""Where an image can come from."""


def _image(site: Site, name: str, image: Image) -> Iterator[Finding]:
    path: Path = ("site", "images", name)
    yield from _storage(site, (*path, "storage"), image.storage, "images")
    given = [name for name in SOURCES if getattr(image, name) is not None]
    if len(given) > 1:
        yield Finding(path, None, f"has both {given[0]} and {given[1]}", "keep one of them")
    elif image.volume is not None:
        storage = _storage_of(image.volume)
        yield from _storage(site, (*path, "volume"), storage, "import", image.volume)
        for key in ("sha256", "importStorage"):
            if (image.sha256 if key == "sha256" else image.import_storage) is not None:
                hint = "leave it out, or write url instead of volume"
                yield Finding((*path, key), None, "belongs to url, which is not given", hint)
    elif not given:
        hint = (
            "write volume: <storage>:import/<file>; or url, file or build with sha256 and "
            "importStorage"
        )
        yield Finding(path, None, "has neither volume nor url", hint)
    else:
        yield from _sent(site, path, image, given[0])


def _sent(site: Site, path: Path, image: Image, source: str) -> Iterator[Finding]:
    """An image whose file comes to a storage of the site."""
    if image.sha256 is None:
        hint = "write what sha256sum prints for the file"
        if source == "build":
            hint = "write what ./practicum image list shows for it"
        yield Finding((*path, "sha256"), None, f"is missing beside {source}", hint)
    if image.import_storage is None:
        near = _with_content(site, "import")
        hint = f"write a storage of content import: {', '.join(near) or 'none is declared'}"
        yield Finding((*path, "importStorage"), None, f"is missing beside {source}", hint)
    else:
        target = image.import_storage
        yield from _storage(site, (*path, "importStorage"), target, "import")


def _storage(
    site: Site, path: Path, name: str, content: str | None, written: str | None = None
) -> Iterator[Finding]:
    """A storage that the site lacks, or that does not hold such content."""
    storage = site.storages.get(name)
    found = quoted(written or name)
    if storage is None:
        message = "is not a storage of the site"
        if written is not None:
            message = f"is on the storage {name}, which the site does not have"
        yield Finding(path, found, message, known_names(name, site.storages))
    elif content is not None and content not in storage.content:
        having = ", ".join(_with_content(site, content))
        here = f"is on {name}, which" if written else ""
        add = f"add {content} to site.storages.{name}.content"
        hint = f"take one that does: {having}; or {add}" if having else add
        yield Finding(path, found, f"{here} does not hold {content}".strip(), hint)


def _with_content(site: Site, content: str) -> list[str]:
    return [name for name, storage in site.storages.items() if content in storage.content]


def _storage_of(volume: str) -> str:
    return volume.partition(":")[0]


# ---------------------------------------------------------------- event


def event_findings(event: Event, site: Site, site_name: str) -> Iterator[Finding]:
    """What an event names in vain, on its site or in itself."""
    offer = _Offer(site_name, tuple(site.images), host_names(site))
    for group, nodes in event.node_groups.items():
        yield from _taken_name(group, ("event", "nodeGroups", group))
        yield from offer.missing(("event", "nodeGroups", group), nodes.image, nodes.host)
    if event.instructor is not None:
        one = event.instructor
        yield from offer.missing(("event", "instructor"), one.image, one.host)
    yield from _retired(event.clusters)
    for key, override in event.overrides.items():
        yield from _cluster(event.clusters, key, ("event", "overrides", key))
        yield from _override(event, offer, key, override)
    yield from _contextualize(event)


class _Offer(NamedTuple):
    """What a site has for guests."""

    site: str
    images: tuple[str, ...]
    hosts: tuple[str, ...]

    def missing(self, path: Path, image: str | None, host: str | None) -> Iterator[Finding]:
        """An image or a host that the site lacks, named by a guest at a path."""
        if image is not None and image not in self.images:
            yield self._unknown((*path, "image"), image, "an image", self.images)
        if host is not None and host not in self.hosts:
            yield self._unknown((*path, "host"), host, "a host", self.hosts)

    def missing_host(self, path: Path, host: str) -> Iterator[Finding]:
        """A host that the site lacks, named at a path."""
        if host not in self.hosts:
            yield self._unknown(path, host, "a host", self.hosts)

    def _unknown(self, path: Path, name: str, kind: str, known: Iterable[str]) -> Finding:
        message = f"is not {kind} of the site {self.site}"
        return Finding(path, quoted(name), message, known_names(name, known))


def _taken_name(group: str, path: Path) -> Iterator[Finding]:
    """A node group with the name of the one that the instructors' node is in."""
    if group == INSTRUCTOR:
        hint = "write another name; the instructors' node itself is event.instructor"
        yield Finding(path, None, "is the name of the instructors' node", hint)


def _retired(clusters: Clusters) -> Iterator[Finding]:
    path: Path = ("event", "clusters", "retire")
    for position, number in enumerate(clusters.retire):
        if not 1 <= number <= clusters.count:
            hint = f"write a number from 1 to {clusters.count}"
            hint = hint if clusters.count else "leave it out: clusters.count is 0"
            message = "is not the number of a cluster"
            yield Finding((*path, position), shown(number), message, hint)
    yield from _twice(path, clusters.retire, None)


def _contextualize(event: Event) -> Iterator[Finding]:
    """Levels of clusters and node groups that the event does not have."""
    wanted = event.contextualize
    here: Path = ("event", "contextualize")
    for key in wanted.clusters:
        yield from _cluster(event.clusters, key, (*here, "clusters", key))
    for group in wanted.node_groups:
        yield from _group(event, group, (*here, "nodeGroups", group), None)
    for position, step in enumerate(wanted.steps):
        at: Path = (*here, "steps", position)
        for number, key in enumerate(step.clusters):
            yield from _cluster(event.clusters, key, (*at, "clusters", number), quoted(key))
        known = step_groups(event)
        for number, group in enumerate(step.node_groups):
            path: Path = (*at, "nodeGroups", number)
            yield from _group(event, group, path, quoted(group), known)
            if group == INSTRUCTOR and group in known and step.clusters:
                message = "is in no cluster, and this step is for some"
                hint = "write a step of its own for the instructors' node, without clusters"
                yield Finding(path, quoted(group), message, hint)


def group_names(event: Event) -> list[str]:
    """Node groups of an event: its own, then those that single clusters add."""
    added = {name for each in event.overrides.values() for name in each.node_groups}
    return [*event.node_groups, *sorted(added - set(event.node_groups))]


def step_groups(event: Event) -> list[str]:
    """What a step may be for: the node groups, and the instructors' node where there is one."""
    return [*group_names(event), *([INSTRUCTOR] if event.instructor is not None else [])]


def _group(
    event: Event, group: str, path: Path, found: str | None, known: Sequence[str] = ()
) -> Iterator[Finding]:
    known = known or group_names(event)
    if group not in known:
        message = "is not a node group of this event"
        yield Finding(path, found, message, known_names(group, known))


def _cluster(
    clusters: Clusters, key: str, path: Path, found: str | None = None
) -> Iterator[Finding]:
    """Something said of a cluster that the event does not have."""
    digits = re.sub(r".*?([0-9]*)$", r"\1", key)
    number = int(digits or 0)
    name = cluster_name(clusters.prefix, number)
    if not 1 <= number <= clusters.count:
        first, last = (cluster_name(clusters.prefix, each) for each in (1, clusters.count))
        hint = f"the clusters are {first} to {last}" if clusters.count else "there are no clusters"
        yield Finding(path, found, "is not a cluster of this event", hint)
    elif key != name:
        yield Finding(path, found, "is not a cluster of this event", f"did you mean {name}?")
    elif number in clusters.retire:
        hint = f"take {number} out of clusters.retire, or remove what is written here"
        yield Finding(path, found, "is a retired cluster", hint)


def _override(
    event: Event, offer: _Offer, key: str, override: ClusterOverride
) -> Iterator[Finding]:
    path: Path = ("event", "overrides", key)
    counts = {group: nodes_of.count for group, nodes_of in event.node_groups.items()}
    for group, change in override.node_groups.items():
        here = (*path, "nodeGroups", group)
        yield from _taken_name(group, here)
        yield from offer.missing(here, change.image, change.host)
        if group not in event.node_groups and change.image is None:
            hint = f"{known_names(group, event.node_groups)}; a new group needs its image"
            yield Finding(here, None, "is not a node group of this event", hint)
        counts[group] = change.count if change.count is not None else counts.get(group, 1)
    if not override.hosts:
        return
    nodes = [name for group, count in counts.items() for name in node_names(group, count)]
    for node, host in override.hosts.items():
        here = (*path, "hosts", node)
        if node not in nodes:
            yield Finding(here, None, f"is not a node of {key}", known_names(node, nodes))
        yield from offer.missing_host(here, host)


def _twice(path: Path, values: Sequence[str | int], key: str | None) -> Iterator[Finding]:
    """Values that are in a list twice, told at both places."""
    first: dict[object, int] = {}
    for position, value in enumerate(values):
        seen = first.setdefault(value, position)
        if seen == position:
            continue
        for here, there in ((seen, position), (position, seen)):
            yield Finding(
                (*path, here) if key is None else (*path, here, key),
                shown(value),
                f"is written twice, also in {path[-1]}[{there}]",
                "keep one of them",
            )
