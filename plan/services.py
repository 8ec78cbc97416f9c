"""Services of a site in the networks of an event: what is wrong with them, and what hosts get.

The mirror trick of 2009, for any service: every private network sees the same address, answered
by the guest's own host alone. The address is no part of any subnet and leads nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from event.model import Service as Written
from event.model import Site, Ssh
from event.problems import Path
from event.stack import SiteStack
from plan.findings import Scope
from plan.hosts import HostSpec
from plan.records import Cluster, HostServices, Service
from plan.service_files import Leg, Wiring, install_script, remove_script


def services(site: Site) -> tuple[Service, ...]:
    """The services of a site, in the order of their names."""
    return tuple(
        Service(
            name=name,
            address=each.address,
            port=each.port,
            protocol=each.protocol,
            to=each.to,
            to_port=each.to_port or each.port,
            mode=each.mode,
        )
        for name, each in sorted(site.services.items())
    )


def host_services(
    stack: str, site: Site, hosts: Sequence[HostSpec], clusters: Sequence[Cluster]
) -> tuple[HostServices, ...]:
    """What each host that SSH reaches gets for an event; nothing without services or clusters."""
    found = services(site)
    if not found or site.ssh is None or not clusters:
        return ()
    legs = tuple(
        Leg(
            bridge=cluster.network.bridge,
            vlan=cluster.network.vlan,
            subnet=cluster.network.subnet,
        )
        for cluster in clusters
    )
    return tuple(
        _host(stack, host, site.ssh, found, legs) for host in hosts if host.name in site.ssh.hosts
    )


def _host(
    stack: str, host: HostSpec, ssh: Ssh, found: Sequence[Service], legs: tuple[Leg, ...]
) -> HostServices:
    wiring = Wiring(legs=legs, uplinks=host.ports)
    access = ssh.hosts[host.name]
    return HostServices(
        host=host.name,
        address=str(access.address or host.name),
        host_key=access.host_key,
        key_file=ssh.key_file,
        install=install_script(stack, found, wiring),
        remove=remove_script(stack, found, wiring),
    )


def check_services(stack: SiteStack, hosts: Sequence[HostSpec], scope: Scope) -> None:
    """What cannot be, and what would be put nowhere."""
    site = stack.site
    addresses = {each.address for each in site.services.values()}
    for name, each in site.services.items():
        path: Path = ("site", "services", name)
        _check_address(each, (*path, "address"), site, scope)
        _check_target(each, path, addresses, scope)
    _check_once(site.services, scope)
    reached = site.ssh.hosts if site.ssh else {}
    left_out = [host.name for host in hosts if host.name not in reached]
    if site.services and left_out and stack.lab is None:
        scope.warn(
            ("site", "services"), "are put on hosts by SSH, and guests on others do not see them",
            found=f"{len(left_out)} of {len(hosts)} hosts without SSH, e.g. {left_out[0]}",
            hint="list them under ssh.hosts, with their host keys",
        )  # fmt: skip


def _check_address(each: Written, path: Path, site: Site, scope: Scope) -> None:
    exposed = site.network.exposed.subnet
    why = None
    if each.address.is_multicast or each.address.is_loopback or not int(each.address) >> 24:
        why = "is no address that a host can have"
    elif exposed is not None and each.address in exposed:
        why = f"is in the exposed network {exposed}, where heads would look for it"
    if why:
        scope.problem(
            path, why, found=str(each.address),
            hint="write an address that nobody has, e.g. 10.255.255.10",
        )  # fmt: skip


def _check_target(each: Written, path: Path, addresses: set[IPv4Address], scope: Scope) -> None:
    if each.to in addresses:
        scope.problem(
            (*path, "to"), "is an address that guests see, and nobody answers behind it",
            found=str(each.to), hint="write the address of who really answers",
        )  # fmt: skip
    if each.mode == "masquerade" and each.to.is_loopback:
        scope.problem(
            (*path, "to"), "cannot be reached by translating addresses", found=str(each.to),
            hint="write mode: proxy, or an address of the network",
        )  # fmt: skip
    if each.mode == "proxy" and each.protocol == "udp":
        scope.problem(
            (*path, "protocol"), "cannot be handed on by a proxy", found="udp",
            hint="write mode: masquerade as well",
        )  # fmt: skip


def _check_once(written: Mapping[str, Written], scope: Scope) -> None:
    taken: dict[tuple[IPv4Address, int, str], str] = {}
    for name, each in written.items():
        first = taken.setdefault((each.address, each.port, each.protocol), name)
        if first != name:
            scope.problem(
                ("site", "services", name), f"has the address and port of {first}",
                found=f"{each.address}:{each.port}", hint="write another port or address",
            )  # fmt: skip


def check_private(private: IPv4Network, site: Site, scope: Scope) -> None:
    """An address of the clusters' subnets cannot be a service's as well."""
    for name, each in site.services.items():
        if each.address in private:
            scope.problem(
                ("event", "network", "private"), f"holds {each.address}, where every network of "
                f"the site sees its service {name}", found=str(private),
                hint="write another range",
            )  # fmt: skip
