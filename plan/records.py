"""The plan: everything about an event or a site that is known before Proxmox VE is touched.

Immutable records, one per thing that `components/` builds; nothing is left to choose there.
Sizes are in the unit that the field's name ends in; addresses are `ipaddress` values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal, get_args

from event.model import Level
from event.own_steps import OwnPlaybook, OwnScript
from plan.loads import HostLoad, StorageLoad, Totals

Protocol = Literal["tcp", "udp", "icmp"]
CloneMode = Literal["linked", "full"]

LEVELS: tuple[Level, ...] = get_args(Level)
"""Levels of contextualization; each has all that those before it have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where the site's Proxmox VE API answers; files are paths as written in the stack file."""

    endpoint: str
    insecure: bool
    ca_file: str | None
    token_file: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A NIC of a guest. `address` None means DHCP (or nothing, for a trunk NIC)."""

    network: str  # name of the cluster whose network it is on, "exposed", "trunk" or "parked"
    bridge: str
    vlan: int | None
    mac: str
    address: IPv4Interface | None
    gateway: IPv4Address | None
    dhcp: bool = False
    firewall: bool = False
    connected: bool = True
    trunks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The template that a guest is cloned from."""

    image: str
    vmid: int
    host: str
    storage: str
    storage_type: str  # as Proxmox VE names it: dir, nfs, lvmthin, …
    shared: bool  # whether every host sees the storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The login that cloud-init makes; the password is derived from the event's secret by label."""

    user: str
    password_label: str
    ssh_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text that contextualization puts on a guest."""

    path: str
    mode: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A virtual machine that plays one node."""

    name: str  # c07-n1; unique in the event
    cluster: str | None  # c07; None for the instructors' node
    number: int  # the cluster's number; 0 for the instructors' node
    node: str  # n1; the node's name inside its cluster
    index: int  # the node's number in its cluster, 1..99
    node_group: str
    host: str
    vmid: int
    template: Template
    clone: CloneMode
    cores: int
    memory_mib: int
    disk_gib: int
    exposed: bool
    interfaces: tuple[Interface, ...]
    dns: tuple[IPv4Address, ...]
    login: Login
    tags: tuple[str, ...]  # lower-case and sorted, as Proxmox VE reads them back
    description: str  # carries the mark as well, since the clone call has no tags
    security_group: str | None  # firewall group of an exposed node
    start: bool
    documents: tuple[Document, ...] = ()
    level: Level = "none"  # how far contextualization prepares it
    own_scripts: tuple[OwnScript, ...] = ()  # in the order in which they run
    own_playbooks: tuple[OwnPlaybook, ...] = ()

    @property
    def prepared(self) -> bool:
        """Whether contextualization has anything to do with it."""
        return self.level != "none" or bool(self.own_scripts or self.own_playbooks)

    @property
    def filtered_interfaces(self) -> tuple[tuple[int, Interface], ...]:
        """NICs with a firewall and an address of their own, which alone they may send from."""
        return tuple(
            (number, nic)
            for number, nic in enumerate(self.interfaces)
            if nic.firewall and nic.address
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallRule:
    """One rule of a security group, in the order of evaluation."""

    direction: Literal["in", "out"]
    action: Literal["ACCEPT", "DROP", "REJECT"]
    protocol: Protocol | None
    source: IPv4Network | None
    dest: IPv4Network | None
    port: int | None
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group: the event's common one, or one of a cluster with its own egress."""

    name: str  # at most 18 characters, Proxmox VE's limit
    comment: str
    cluster: str | None
    rules: tuple[FirewallRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNetwork:
    """The private network of a cluster."""

    cluster: str
    vlan: int
    subnet: IPv4Network
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One participant group's machines; guests[0] is the head."""

    name: str
    number: int
    title: str
    network: ClusterNetwork
    guests: tuple[Guest, ...]
    security_group: SecurityGroup | None  # only if the cluster has an egress of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that every private network sees at the same address and port."""

    name: str
    address: IPv4Address
    port: int
    protocol: Literal["tcp", "udp"]
    to: IPv4Address
    to_port: int
    mode: Literal["proxy", "masquerade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostServices:
    """What one host gets so that its guests see the site's services: commands as root."""

    host: str
    address: str  # where its SSH answers
    host_key: str
    key_file: str | None  # None for the agent's keys
    install: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What lets the instructors work with the event's guests in Proxmox VE, and nothing else."""

    pool: str
    pool_comment: str
    group: str
    role: str
    privileges: tuple[str, ...]
    by_site: bool = False  # the site's stack makes it, so the event's does not


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlan:
    """An event, decided."""

    stack: str
    title: str
    site: str
    api: Api
    access: Access
    security_group: SecurityGroup  # of every exposed node whose cluster has none of its own
    clusters: tuple[Cluster, ...]
    instructor: Guest | None
    hosts: tuple[HostLoad, ...]
    storages: tuple[StorageLoad, ...]  # shared ones that guests' disks are on
    totals: Totals
    warnings: tuple[str, ...]
    services: tuple[Service, ...] = ()
    host_services: tuple[HostServices, ...] = ()
    time_zone: str = "Etc/UTC"
    boot_timeout_s: int = 600  # in which a guest's agent has to answer
    take_first_host_key: bool = False  # by SSH, of a guest that does not show the chosen one

    @property
    def guests(self) -> tuple[Guest, ...]:
        """All guests: the instructors' node first, then cluster by cluster, head first."""
        first = (self.instructor,) if self.instructor else ()
        return first + tuple(guest for cluster in self.clusters for guest in cluster.guests)


# ---------------------------------------------------------------- site


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerHost:
    """A host and the VLAN-aware bridge that it gets."""

    name: str
    bridge: str
    vids: str  # "100-999", as Proxmox VE writes bridge-vids
    ports: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCopy:
    """One template of an image: on one host, or the only one on a shared storage."""

    image: str
    name: str
    vmid: int
    host: str
    storage: str
    volume: str  # import volume that its disk is made from
    disk_gib: int
    tags: tuple[str, ...]
    description: str
    pool: str | None  # where listed events have their rights on the templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that a storage fetches: once on a shared storage, else on each host."""

    image: str
    host: str
    storage: str
    url: str
    file_name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of this machine that a storage is sent: once on a shared storage, else each host's.

    `file` is a path as written, or `build` the name of an image that was built here.
    """

    image: str
    host: str
    storage: str
    file: str | None
    build: str | None
    file_name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteImage:
    """An image, its downloads or uploads, and its templates."""

    name: str
    downloads: tuple[Download, ...]
    templates: tuple[TemplateCopy, ...]
    uploads: tuple[Upload, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A login at the site, in the realm pve; the password is derived by label."""

    user_id: str
    full_name: str
    email: str
    role: str
    comment: str
    password_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupJob:
    """A regular backup of all guests of the site."""

    job_id: str
    schedule: str
    storage: str
    keep: int
    mode: Literal["snapshot", "suspend", "stop"]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A resource pool of the site's own."""

    name: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that the site makes for its events."""

    name: str
    privileges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A role on a path, for an event's user and its token; `privileges` are the role's."""

    path: str
    role: str
    privileges: tuple[str, ...]
    propagate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAccess:
    """What the site makes for an event that it lists."""

    event: str
    access: Access
    user_id: str
    token: str  # its name; the whole id is user_id!token
    comment: str
    rights: tuple[Right, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """A site, decided."""

    stack: str
    title: str
    api: Api
    hosts: tuple[ContainerHost, ...]
    images: tuple[SiteImage, ...]
    users: tuple[User, ...] = ()
    backups: tuple[BackupJob, ...] = ()
    templates_pool: Pool | None = None  # None as long as no event is listed
    roles: tuple[Role, ...] = ()
    events: tuple[EventAccess, ...] = ()
    capacity: Totals | None = field(default=None)
    warnings: tuple[str, ...] = ()

    @property
    def template_vmids(self) -> frozenset[int]:
        """VMIDs of all templates, of every image on every host that has a copy."""
        return frozenset(copy.vmid for image in self.images for copy in image.templates)
