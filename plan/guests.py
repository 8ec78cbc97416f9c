"""Guests: from a node with its host to the record of the virtual machine that plays it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from event.model import Event, Level, Site
from event.names import INSTRUCTOR
from event.own_steps import OwnSteps
from event.values import AddressRange
from plan import numbers
from plan.addressing import exposed_address, instructor_address, node_address, subnet
from plan.documents import HostLine, hosts_documents, trunk_documents
from plan.naming import guest_name, mark, password_label, tags
from plan.own_steps import playbooks_of, scripts_of
from plan.records import (
    LEVELS,
    Cluster,
    ClusterNetwork,
    Document,
    Guest,
    Interface,
    Login,
    SecurityGroup,
)
from plan.roster import ClusterSpec, NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMaker:
    """What the guests of an event have in common."""

    stack: str
    event: Event
    site: Site
    hosts: tuple[str, ...]  # names by position
    security_group: SecurityGroup  # of exposed nodes whose cluster has none of its own
    steps: tuple[OwnSteps, ...]

    def network(self, cluster: ClusterSpec) -> ClusterNetwork:
        """The private network of a cluster."""
        wanted = self.event.network
        return ClusterNetwork(
            cluster=cluster.name,
            vlan=numbers.vlan(wanted.vlans.first, cluster.number),
            subnet=subnet(wanted.private, wanted.subnet_prefix, cluster.number),
            bridge=self.site.network.bridge,
        )

    def cluster(
        self, spec: ClusterSpec, places: list[int], own_group: SecurityGroup | None
    ) -> Cluster:
        """A cluster with all its guests."""
        network = self.network(spec)
        addresses = [node_address(network.subnet, node.index) for node in spec.nodes]
        documents = hosts_documents(
            (str(address.ip), (node.name, guest_name(spec.name, node.name)))
            for node, address in zip(spec.nodes, addresses, strict=True)
        )
        shared = _Shared(
            login=self._login(spec.name),
            tags=tags(self.stack, spec.name),
            title=spec.title or self.event.title,
            group=(own_group or self.security_group).name,
            documents=documents,
        )
        guests = tuple(
            self._guest(spec, node, host, network, address, shared)
            for node, host, address in zip(spec.nodes, places, addresses, strict=True)
        )
        return Cluster(
            name=spec.name,
            number=spec.number,
            title=spec.title,
            network=network,
            guests=guests,
            security_group=own_group,
        )

    def instructor(self, node: NodeSpec, host: int, clusters: tuple[Cluster, ...]) -> Guest:
        """The instructors' node, with a leg on every cluster's network."""
        number = numbers.vmid(
            self.event.vmids.first, numbers.INSTRUCTOR_CLUSTER, numbers.INSTRUCTOR_INDEX
        )
        interfaces = (self._outside(number, self._exposed(0)), *self._legs(number, clusters))
        lines: list[HostLine] = [
            (str(nic.address.ip), (guest.name,))
            for cluster in clusters
            for guest in cluster.guests
            for nic in guest.interfaces
            if nic.network == cluster.name and nic.address
        ]
        documents = hosts_documents(lines)
        if interfaces[-1].network == "trunk":
            networks = [cluster.network for cluster in clusters]
            documents += trunk_documents(interfaces[-1].mac, networks)
        shared = _Shared(
            login=self._login(INSTRUCTOR),
            tags=tags(self.stack, INSTRUCTOR),
            title=self.event.title,
            group=self.security_group.name,
            documents=documents,
        )
        return self._record(
            node, host, shared, name=INSTRUCTOR, cluster=None, number=0, vmid=number,
            interfaces=interfaces,
        )  # fmt: skip

    def _guest(
        self,
        cluster: ClusterSpec,
        node: NodeSpec,
        host: int,
        network: ClusterNetwork,
        address: IPv4Interface,
        shared: _Shared,
    ) -> Guest:
        vmid = numbers.vmid(self.event.vmids.first, cluster.number, node.index)
        outside: tuple[Interface, ...] = ()
        if node.exposed:
            is_head = node is cluster.nodes[0]
            outside = (self._outside(vmid, self._exposed(cluster.number) if is_head else None),)
        inside = Interface(
            network=cluster.name,
            bridge=network.bridge,
            vlan=network.vlan,
            mac=numbers.mac(vmid, len(outside)),
            address=address,
            gateway=None,
        )
        return self._record(
            node, host, shared, name=guest_name(cluster.name, node.name), cluster=cluster.name,
            number=cluster.number, vmid=vmid, interfaces=(*outside, inside),
        )  # fmt: skip

    def _record(
        self,
        node: NodeSpec,
        host: int,
        shared: _Shared,
        *,
        name: str,
        cluster: str | None,
        number: int,
        vmid: int,
        interfaces: tuple[Interface, ...],
    ) -> Guest:
        return Guest(
            name=name,
            cluster=cluster,
            number=number,
            node=node.name,
            index=node.index,
            node_group=node.group,
            host=self.hosts[host],
            vmid=vmid,
            template=node.image.template_on(host),
            clone=node.clone,
            cores=node.cores,
            memory_mib=node.memory_mib,
            disk_gib=node.disk_gib,
            exposed=node.exposed,
            interfaces=interfaces,
            dns=tuple(self.site.network.dns),
            login=shared.login,
            tags=shared.tags,
            description=mark(self.stack, name, shared.title),
            security_group=shared.group if node.exposed else None,
            start=self.event.start,
            documents=shared.documents,
            level=self._level(cluster, node.group),
            own_scripts=scripts_of(self.steps, cluster, node.group),
            own_playbooks=playbooks_of(self.steps, cluster, node.group),
        )

    def _level(self, cluster: str | None, group: str) -> Level:
        """How far a node is prepared; the instructors' node gets its names and keys."""
        wanted = self.event.contextualize
        if cluster is None:
            return "none" if {wanted.level, *wanted.clusters.values()} == {"none"} else "base"
        level: Level = wanted.clusters.get(cluster, wanted.level)
        cap = wanted.node_groups.get(group, level)
        return min(level, cap, key=LEVELS.index)

    def _login(self, scope: str) -> Login:
        participants = self.event.participants
        return Login(
            user=participants.user,
            password_label=password_label(self.stack, scope),
            ssh_keys=tuple(participants.ssh_keys),
        )

    def _exposed(self, number: int) -> IPv4Interface | None:
        """Exposed address of a cluster's head, or of the instructors' node (0); None for DHCP."""
        addresses: AddressRange | None = self.event.network.exposed_addresses
        outside = self.site.network.exposed.subnet
        if addresses is None or outside is None:
            return None
        return exposed_address(addresses.first, outside.prefixlen, number)

    def _outside(self, vmid: int, address: IPv4Interface | None) -> Interface:
        """NIC 0 of an exposed node: behind the firewall, with the default route."""
        exposed = self.site.network.exposed
        gateway: IPv4Address | None = exposed.gateway if address else None
        return Interface(
            network="exposed",
            bridge=exposed.bridge,
            vlan=exposed.vlan,
            mac=numbers.mac(vmid, 0),
            address=address,
            gateway=gateway,
            dhcp=address is None,
            firewall=True,
        )

    def _legs(self, vmid: int, clusters: tuple[Cluster, ...]) -> tuple[Interface, ...]:
        """NIC n on the network of cluster n while there are few; else one trunk of all VLANs.

        The parked VLAN is that of no cluster: without a tag of its own a trunk NIC would be on
        the hosts' untagged network too. A retired cluster leaves its NIC parked there with the
        link down; it keeps its address, because cloud-init counts addresses like NICs.
        """
        wanted = self.event.network
        bridge, parked = self.site.network.bridge, wanted.vlans.first
        if self.event.clusters.count > numbers.MOST_CLUSTER_NICS:
            return (
                Interface(
                    network="trunk",
                    bridge=bridge,
                    vlan=parked,
                    mac=numbers.mac(vmid, 1),
                    address=None,
                    gateway=None,
                    trunks=tuple(cluster.network.vlan for cluster in clusters),
                ),
            )
        there = {cluster.number: cluster.network for cluster in clusters}
        return tuple(
            Interface(
                network=there[nic].cluster if nic in there else "parked",
                bridge=bridge,
                vlan=there[nic].vlan if nic in there else parked,
                mac=numbers.mac(vmid, nic),
                address=instructor_address(subnet(wanted.private, wanted.subnet_prefix, nic)),
                gateway=None,
                connected=nic in there,
            )
            for nic in range(1, self.event.clusters.count + 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all guests of one cluster have alike."""

    login: Login
    tags: tuple[str, ...]
    title: str
    group: str
    documents: tuple[Document, ...]
