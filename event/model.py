"""What an organiser may write: the models of a site and of an event.

Each field carries its unit, default and meaning, because the JSON Schemas in `stacks/` and the
reference page `docs/stack-file.md` are generated from here. Nothing is derived in this module:
names, numbers and places are decided in `plan/`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from event.text import (
    ClusterKey,
    Endpoint,
    FilePath,
    HostPattern,
    InterfaceName,
    Label,
    LinuxUser,
    Name,
    Prefix,
    SshPublicKey,
    StorageId,
    Text,
    UserId,
    VolumeId,
)
from event.values import (
    Address,
    AddressRange,
    Cidr,
    Network,
    Sha256,
    Vlan,
    VlanRange,
    Vmid,
    VmidRange,
    WebUrl,
)


class Model(BaseModel):
    """Base of all models: camelCase keys, unknown keys refused, values never coerced, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )


# ---------------------------------------------------------------- site


class Api(Model):
    """Where the Proxmox VE API of the site answers, and how it is trusted."""

    endpoint: Endpoint = Field(
        description="Address of the API, e.g. https://pve01.example.org:8006."
    )
    insecure: bool = Field(
        default=False,
        description="Accept any certificate. Right for a lab on loopback, wrong for a real site.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file with the certificate authority that signed the API's certificate.",
    )
    token_file: FilePath | None = Field(
        default=None,
        description=(
            "File that holds the API token, user@realm!name=secret. Without it the token comes "
            "from the secret `practicum:apiToken` or the variable PROXMOX_VE_API_TOKEN."
        ),
    )


class Host(Model):
    """A container host (a Proxmox VE node), or a numbered row of alike ones."""

    name: HostPattern = Field(
        description="Name of the host in Proxmox VE, or a row of names such as pve[01-06]."
    )
    cores: int = Field(ge=1, le=8192, description="Logical CPUs of one host.")
    memory_gib: float = Field(gt=0, le=65536, description="Memory of one host, in GiB.")
    disk_gib: float = Field(
        gt=0,
        le=10_000_000,
        description="Space for guests' disks on one host's own storage, in GiB.",
    )
    share: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Turns this host takes in the round robin; 0 takes pinned guests only.",
    )
    drain: bool = Field(
        default=False, description="Keep the host declared, and move its guests elsewhere."
    )
    ports: list[InterfaceName] = Field(
        default=[], max_length=16, description="Network ports of the clusters' bridge, e.g. eno2."
    )


class Storage(Model):
    """A storage that the site has; practicum uses it and never makes or removes it."""

    type: Literal["dir", "nfs", "cifs", "lvmthin", "zfspool", "rbd", "btrfs", "cephfs"] = Field(
        description="Kind of storage, as Proxmox VE names it."
    )
    shared: bool = Field(default=False, description="Whether every host sees the same content.")
    size_gib: float | None = Field(
        default=None,
        gt=0,
        description=(
            "Capacity of a shared storage in GiB; a host's own storage has the host's diskGib."
        ),
    )
    content: list[Literal["images", "import", "iso", "vztmpl", "backup", "snippets", "rootdir"]] = (
        Field(default=["images"], description="What the storage may hold.")
    )


class Image(Model):
    """An operating system image, kept at the site as a template that guests are cloned from."""

    vmid: Vmid = Field(
        description="VMID of the template; with per-host templates, of the first host's."
    )
    volume: VolumeId | None = Field(
        default=None,
        description=(
            "Volume of content `import` that holds the image, e.g. shared:import/debian-12.qcow2."
        ),
    )
    url: WebUrl | None = Field(
        default=None, description="Where each storage fetches the image from, instead of `volume`."
    )
    sha256: Sha256 | None = Field(default=None, description="Checksum of the file behind `url`.")
    import_storage: StorageId | None = Field(
        default=None, description="Storage of content `import` that receives the file behind `url`."
    )
    storage: StorageId = Field(
        description="Storage of the template's disk, and so of the guests' disks cloned from it."
    )
    disk_gib: int = Field(ge=1, le=65536, description="Size of the template's disk, in GiB.")
    clone: Literal["linked", "full"] = Field(
        default="linked",
        description="How guests are cloned: linked (quick, thin) or full (a disk of their own).",
    )


class ExposedNetwork(Model):
    """The network with external access that head nodes are on."""

    bridge: InterfaceName = Field(
        default="vmbr0", description="Bridge of every host that reaches it."
    )
    vlan: Vlan | None = Field(default=None, description="VLAN tag, or none for untagged.")
    subnet: Cidr | None = Field(
        default=None, description="Subnet, e.g. 198.51.100.0/24; none if only DHCP is used."
    )
    gateway: Address | None = Field(default=None, description="Default gateway in that subnet.")


class SiteNetwork(Model):
    """How the site's hosts are wired."""

    bridge: InterfaceName = Field(
        default="vmbr1",
        description="VLAN-aware bridge that practicum makes on every host for the clusters' VLANs.",
    )
    vlans: VlanRange = Field(
        default="100-999",
        validate_default=True,
        description="VLANs that events may use, e.g. 100-999.",
    )
    exposed: ExposedNetwork = Field(
        default=ExposedNetwork(), description="The network with external access."
    )
    dns: list[Address] = Field(
        default=[], max_length=3, description="Name servers that guests are given."
    )


class SiteUser(Model):
    """A person who may use Proxmox VE at the site (realm `pve`)."""

    name: UserId = Field(description="Login in the realm pve, without @pve.")
    full_name: Text | None = Field(default=None, description="Name as shown in Proxmox VE.")
    email: Text | None = Field(default=None, description="Mail address.")
    role: Literal["Administrator", "PVEAdmin", "PVEAuditor", "PVEVMAdmin", "PVEVMUser"] = Field(
        default="PVEAuditor", description="Built-in role of the user on the whole site."
    )


class BackupJob(Model):
    """A regular backup of the site's guests."""

    schedule: Text = Field(description="Calendar event as Proxmox VE writes it, e.g. sun 01:00.")
    storage: StorageId = Field(description="Storage of content `backup` that receives the backups.")
    keep: int = Field(default=2, ge=1, le=1000, description="Backups of each guest to keep.")
    mode: Literal["snapshot", "suspend", "stop"] = Field(
        default="snapshot", description="How a running guest is caught."
    )


class Overcommit(Model):
    """How much more than a host has may be promised to its guests."""

    cores: float = Field(default=1.0, ge=0.1, le=64, description="Guest cores per host core.")
    memory: float = Field(default=1.0, ge=0.1, le=8, description="Guest memory per host memory.")
    disk: float = Field(
        default=1.0, ge=0.1, le=64, description="Guest disk per host disk (thin storages)."
    )


class Site(Model):
    """A site: the machines, storages, images and ranges that events run on."""

    title: Text = Field(default="", description="Name of the site for people.")
    api: Api = Field(description="The site's Proxmox VE API.")
    hosts: list[Host] = Field(
        min_length=1, max_length=512, description="Container hosts; their order is their identity."
    )
    storages: dict[StorageId, Storage] = Field(
        min_length=1, max_length=64, description="Storages of the site, by their id."
    )
    images: dict[Name, Image] = Field(
        default={}, max_length=64, description="Images of the site, by their name."
    )
    network: SiteNetwork = Field(default=SiteNetwork(), description="Bridges, VLANs, addresses.")
    vmids: VmidRange = Field(
        default="100000-999999",
        validate_default=True,
        description="VMIDs that events may use; templates have their own numbers.",
    )
    overcommit: Overcommit = Field(default=Overcommit(), description="Promises beyond capacity.")
    users: list[SiteUser] = Field(default=[], max_length=1000, description="People with a login.")
    backups: dict[Name, BackupJob] = Field(
        default={}, max_length=16, description="Regular backups, by name."
    )


class LabVolume(Model):
    """A volume that the lab's storages hold from the start."""

    volume: VolumeId = Field(description="Volume id, e.g. shared:import/debian-12.qcow2.")
    size_gib: float = Field(gt=0, le=65536, description="Size in GiB.")


class Lab(Model):
    """Settings of the lab that stands in for this site; a real site has no such key."""

    engine: Literal["none"] = Field(
        default="none", description="What guests are: none = API objects without a running system."
    )
    volumes: list[LabVolume] = Field(
        default=[], max_length=256, description="Volumes that exist before practicum does anything."
    )


# ---------------------------------------------------------------- event


class Clusters(Model):
    """How many clusters, and which numbers they have."""

    count: int = Field(ge=0, le=2000, description="Clusters are numbered from 1 to this.")
    prefix: Prefix = Field(default="c", description="Clusters are named by it: c01, c02, …")
    retire: list[int] = Field(
        default=[],
        max_length=2000,
        description="Numbers of clusters that are gone; no other cluster is renumbered.",
    )


class EgressRule(Model):
    """One thing that nodes on the exposed network may reach."""

    to: Network = Field(description="Address or network that may be reached.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Destination port; none for every port."
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field(default="tcp", description="Protocol.")


class IngressRule(Model):
    """One thing that may reach nodes on the exposed network."""

    source: Network | None = Field(default=None, description="From where; none for everywhere.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port on the node; none for every port."
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field(default="tcp", description="Protocol.")


class NodeGroup(Model):
    """Alike nodes that every cluster has."""

    count: int = Field(default=1, ge=0, le=60, description="Nodes of this group in a cluster.")
    image: Name = Field(description="Image of the site that the nodes are cloned from.")
    cores: int = Field(default=1, ge=1, le=512, description="Virtual CPUs of a node.")
    memory_mib: int = Field(
        default=512, ge=64, le=16_777_216, description="Memory of a node, in MiB."
    )
    disk_gib: int | None = Field(
        default=None,
        ge=1,
        le=65536,
        description="Disk of a node, in GiB; the image's if not given.",
    )
    exposed: bool = Field(
        default=False, description="Whether the nodes have a leg on the exposed network."
    )
    host: Name | None = Field(default=None, description="Host that the nodes are pinned to.")
    clone: Literal["linked", "full"] | None = Field(
        default=None, description="How nodes are cloned; the image's way if not given."
    )
    first_number: int | None = Field(
        default=None,
        ge=1,
        le=99,
        description=(
            "Number of the group's first node in its cluster; the VMID and the private address "
            "end in it. Known for head (1), compute (11) and storage (61)."
        ),
    )


class NodeGroupOverride(Model):
    """What differs in one cluster; a group that the event lacks needs `image` as well."""

    count: int | None = Field(default=None, ge=0, le=60, description="Nodes of this group.")
    image: Name | None = Field(default=None, description="Image of the site.")
    cores: int | None = Field(default=None, ge=1, le=512, description="Virtual CPUs of a node.")
    memory_mib: int | None = Field(
        default=None, ge=64, le=16_777_216, description="Memory of a node, in MiB."
    )
    disk_gib: int | None = Field(default=None, ge=1, le=65536, description="Disk, in GiB.")
    exposed: bool | None = Field(default=None, description="Leg on the exposed network.")
    host: Name | None = Field(default=None, description="Host that the nodes are pinned to.")
    clone: Literal["linked", "full"] | None = Field(default=None, description="How to clone.")
    first_number: int | None = Field(
        default=None, ge=1, le=99, description="Number of the group's first node."
    )


class ClusterOverride(Model):
    """What differs in one cluster."""

    title: Label | None = Field(default=None, description="The group's name, for people.")
    node_groups: dict[Name, NodeGroupOverride] = Field(
        default={}, max_length=20, description="Node groups that differ or are added."
    )
    hosts: dict[Name, Name] = Field(
        default={},
        max_length=99,
        description="Pins of single nodes, by node name: {n1: pve03}.",
    )
    egress: list[EgressRule] | None = Field(
        default=None, max_length=64, description="Egress of this cluster, instead of the event's."
    )


class InstructorNode(Model):
    """The instructors' node: a leg on every cluster network."""

    image: Name = Field(description="Image of the site.")
    cores: int = Field(default=2, ge=1, le=512, description="Virtual CPUs.")
    memory_mib: int = Field(default=1024, ge=64, le=16_777_216, description="Memory, in MiB.")
    disk_gib: int | None = Field(default=None, ge=1, le=65536, description="Disk, in GiB.")
    host: Name | None = Field(default=None, description="Host that the node is pinned to.")


class EventNetwork(Model):
    """The clusters' networks, and what may pass their head nodes."""

    vlans: VlanRange = Field(
        default="100-199",
        validate_default=True,
        description="VLANs of this event; cluster n has first + n; the first stays unused.",
    )
    private: Cidr = Field(
        default="10.0.0.0/16",
        validate_default=True,
        description="Private range; cluster n has the n-th subnet of it.",
    )
    subnet_prefix: int = Field(
        default=24, ge=16, le=25, description="Prefix length of one cluster's subnet."
    )
    exposed_addresses: AddressRange | None = Field(
        default=None,
        description=(
            "Addresses on the exposed network: the first is the instructors' node's, the n-th "
            "after it cluster n's head's. Without it they use DHCP."
        ),
    )
    egress: list[EgressRule] = Field(
        default=[], max_length=64, description="What heads may reach; everything else is dropped."
    )
    ingress: list[IngressRule] = Field(
        default=[IngressRule(port=22)],
        max_length=64,
        description="What may reach heads from outside; SSH if not given.",
    )


class Participants(Model):
    """How participants log in."""

    user: LinuxUser = Field(default="student", description="Login on every node of a cluster.")
    ssh_keys: list[SshPublicKey] = Field(
        default=[], max_length=64, description="Public keys accepted for that login everywhere."
    )


class Event(Model):
    """An event: one tutorial, with its clusters, on one site."""

    title: Text = Field(default="", description="Name of the event for people.")
    on: Name = Field(description="Stack name of the site that the event runs on.")
    clusters: Clusters = Field(description="How many clusters.")
    node_groups: dict[Name, NodeGroup] = Field(
        min_length=1, max_length=20, description="Nodes of a cluster; one group is named head."
    )
    overrides: dict[ClusterKey, ClusterOverride] = Field(
        default={}, max_length=2000, description="What differs in single clusters, by cluster name."
    )
    instructor: InstructorNode | None = Field(
        default=None, description="The instructors' node; none if not given."
    )
    network: EventNetwork = Field(default=EventNetwork(), description="Networks and egress.")
    participants: Participants = Field(
        default=Participants(), description="How participants log in."
    )
    vmids: VmidRange = Field(
        default="100000-199999",
        validate_default=True,
        description="VMIDs of this event; node k of cluster n has first + 100·n + k.",
    )
    start: bool = Field(default=True, description="Whether guests are started once made.")
