"""What an organiser may write about an event.

Each field carries its unit, default and meaning, because the JSON Schemas in `stacks/` and the
reference page `docs/stack-file.md` are generated from here. Nothing is derived in this module:
names, numbers and places are decided in `plan/`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from event.base_model import Model
from event.text import (
    ClusterKey,
    FilePath,
    GroupName,
    HostName,
    ImageName,
    Label,
    LinuxUser,
    NodeName,
    Prefix,
    SshPublicKey,
    StackName,
    Text,
    TimeZone,
)
from event.values import AddressRange, Cidr, Network, VlanRange, VmidRange


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
    image: ImageName = Field(description="Image of the site that the nodes are cloned from.")
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
    host: HostName | None = Field(default=None, description="Host that the nodes are pinned to.")
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
    image: ImageName | None = Field(default=None, description="Image of the site.")
    cores: int | None = Field(default=None, ge=1, le=512, description="Virtual CPUs of a node.")
    memory_mib: int | None = Field(
        default=None, ge=64, le=16_777_216, description="Memory of a node, in MiB."
    )
    disk_gib: int | None = Field(default=None, ge=1, le=65536, description="Disk, in GiB.")
    exposed: bool | None = Field(default=None, description="Leg on the exposed network.")
    host: HostName | None = Field(default=None, description="Host that the nodes are pinned to.")
    clone: Literal["linked", "full"] | None = Field(default=None, description="How to clone.")
    first_number: int | None = Field(
        default=None, ge=1, le=99, description="Number of the group's first node."
    )


class ClusterOverride(Model):
    """What differs in one cluster."""

    title: Label | None = Field(default=None, description="The group's name, for people.")
    node_groups: dict[GroupName, NodeGroupOverride] = Field(
        default={}, max_length=20, description="Node groups that differ or are added."
    )
    hosts: dict[NodeName, HostName] = Field(
        default={},
        max_length=99,
        description="Pins of single nodes, by node name: {n1: pve03}.",
    )
    egress: list[EgressRule] | None = Field(
        default=None, max_length=64, description="Egress of this cluster, instead of the event's."
    )


class InstructorNode(Model):
    """The instructors' node: a leg on every cluster network."""

    image: ImageName = Field(description="Image of the site.")
    cores: int = Field(default=2, ge=1, le=512, description="Virtual CPUs.")
    memory_mib: int = Field(default=1024, ge=64, le=16_777_216, description="Memory, in MiB.")
    disk_gib: int | None = Field(default=None, ge=1, le=65536, description="Disk, in GiB.")
    host: HostName | None = Field(default=None, description="Host that the node is pinned to.")


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


Level = Literal["none", "base", "ssh", "nfs", "mpi", "scheduler", "monitoring"]
"""How far a cluster is prepared; each level holds those before it."""


class OwnStep(Model):
    """One step of the organiser's own: a folder of scripts for guests, or an Ansible playbook.

    Scripts run as root on each guest, in the order of their names, after what its level brings;
    `20-share.head.sh` runs on nodes of the group head only. A playbook runs on this machine once
    all guests of a cluster are prepared, and reaches them through their agents. The instructors'
    node gets what names it as the group instructor.
    """

    scripts: FilePath | None = Field(
        default=None, description="Folder of scripts, from the stack file's own folder."
    )
    playbook: FilePath | None = Field(
        default=None, description="Ansible playbook, in a folder of its own; so are its roles."
    )
    clusters: list[ClusterKey] = Field(
        default=[], max_length=2000, description="Clusters that it is for; all if not given."
    )
    node_groups: list[GroupName] = Field(
        default=[],
        max_length=20,
        description=(
            "Node groups that it is for; all of the clusters' if not given. instructor is the "
            "instructors' node."
        ),
    )


class Contextualize(Model):
    """How far clusters are prepared once their guests answer: what participants do not do."""

    level: Level = Field(
        default="none",
        description=(
            "How far every cluster is prepared: base (names, host keys, root's password), ssh "
            "(trust between its nodes), nfs (shared /home), mpi, scheduler (Slurm), monitoring."
        ),
    )
    clusters: dict[ClusterKey, Level] = Field(
        default={}, max_length=2000, description="Level of single clusters, by cluster name."
    )
    node_groups: dict[GroupName, Level] = Field(
        default={},
        max_length=20,
        description="Highest level of the nodes of a group: {storage: base}.",
    )
    boot_timeout_s: int = Field(
        default=600,
        ge=10,
        le=86400,
        description="Seconds in which a guest's agent has to answer; the others do not wait.",
    )
    take_first_host_key: bool = Field(
        default=False,
        description=(
            "Whether a guest whose agent does not answer is prepared by SSH even if it does not "
            "show the host key that was chosen for it, as before it was prepared for the first "
            "time. Secrets of its cluster then go to whoever answers there."
        ),
    )
    time_zone: TimeZone = Field(default="Etc/UTC", description="Time zone of every node.")
    steps: list[OwnStep] = Field(
        default=[], max_length=50, description="Steps of your own, in the order of this list."
    )


class Event(Model):
    """An event: one tutorial, with its clusters, on one site."""

    title: Text = Field(default="", description="Name of the event for people.")
    on: StackName = Field(description="Stack name of the site that the event runs on.")
    clusters: Clusters = Field(description="How many clusters.")
    node_groups: dict[GroupName, NodeGroup] = Field(
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
        default=Participants(), description="Login of the participants, and keys for it."
    )
    contextualize: Contextualize = Field(
        default=Contextualize(), description="How far clusters are prepared."
    )
    vmids: VmidRange = Field(
        default="100000-199999",
        validate_default=True,
        description="VMIDs of this event; node k of cluster n has first + 100·n + k.",
    )
    start: bool = Field(default=True, description="Whether guests are started once made.")
