"""Egress: what exposed nodes may reach and what may reach them, as rules of a security group.

Everything else is dropped: by the policy of the guests' firewalls, not by a rule, so the rules
here only allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from event.model import EgressRule, IngressRule
from event.problems import Path, path_text
from plan.findings import Scope
from plan.naming import security_group_name
from plan.records import FirewallRule, SecurityGroup

EVERYWHERE = IPv4Network("0.0.0.0/0")
DNS_PORT = 53


def security_group(
    stack: str,
    egress: Sequence[EgressRule],
    ingress: Sequence[IngressRule],
    dns: Sequence[IPv4Address],
    *,
    cluster: str | None = None,
) -> SecurityGroup:
    """The group of a cluster with an egress of its own, or of all other exposed nodes."""
    opened = [_egress(rule) for rule in egress]
    names = [rule for rule in _dns(dns) if not any(_covers(each, rule) for each in opened)]
    whose = cluster or "exposed nodes"
    return SecurityGroup(
        name=security_group_name(stack, cluster or "heads"),
        comment=f"practicum:{stack} {whose}: what they may reach",
        cluster=cluster,
        rules=(*(_ingress(rule) for rule in ingress), *names, *opened),
    )


def check_egress(rules: Sequence[EgressRule], path: Path, scope: Scope) -> None:
    """Rules that say the same, or that say more than was meant."""
    for i, rule in enumerate(rules):
        _check_port(rule.port, rule.protocol, (*path, i), scope)
        if rule.to == EVERYWHERE and rule.port is None:
            scope.warn(
                (*path, i), f"lets nodes reach every {rule.protocol} service of the Internet",
                found=str(rule.to), hint="name the hosts or the port that are needed",
            )  # fmt: skip
    _check_once([_egress(rule) for rule in rules], path, scope)


def check_ingress(rules: Sequence[IngressRule], path: Path, scope: Scope) -> None:
    """Rules that say the same, or that say nothing."""
    for i, rule in enumerate(rules):
        _check_port(rule.port, rule.protocol, (*path, i), scope)
        if rule.source in (None, EVERYWHERE) and rule.port is None and rule.protocol != "icmp":
            scope.warn(
                (*path, i), f"lets everybody reach every {rule.protocol} port of the nodes",
                hint="name the source or the port that is needed",
            )  # fmt: skip
    _check_once([_ingress(rule) for rule in rules], path, scope)


def _check_port(port: int | None, protocol: str, path: Path, scope: Scope) -> None:
    if protocol == "icmp" and port is not None:
        scope.problem(
            (*path, "port"), "is not allowed: icmp has no ports", found=str(port),
            hint="take the port out, or write protocol: tcp",
        )  # fmt: skip


def _check_once(rules: Sequence[FirewallRule], path: Path, scope: Scope) -> None:
    for i, rule in enumerate(rules):
        for j, other in enumerate(rules):
            if j != i and _covers(other, rule) and not (i < j and _covers(rule, other)):
                what = "the same" if other == rule else "that and more"
                scope.problem(
                    (*path, i), f"is not needed: {path_text((*path, j))} allows {what}",
                    hint="take one of them out",
                )  # fmt: skip
                break


def _covers(wide: FirewallRule, narrow: FirewallRule) -> bool:
    """Whether everything that the second rule allows is allowed by the first."""
    return (
        wide.direction == narrow.direction
        and wide.protocol == narrow.protocol
        and wide.port in (None, narrow.port)
        and _within(narrow.dest, wide.dest)
        and _within(narrow.source, wide.source)
    )


def _within(inner: IPv4Network | None, outer: IPv4Network | None) -> bool:
    return (inner or EVERYWHERE).subnet_of(outer or EVERYWHERE)


def _egress(rule: EgressRule) -> FirewallRule:
    return FirewallRule(
        direction="out",
        action="ACCEPT",
        protocol=rule.protocol,
        source=None,
        dest=rule.to,
        port=rule.port,
        comment="egress",
    )


def _ingress(rule: IngressRule) -> FirewallRule:
    return FirewallRule(
        direction="in",
        action="ACCEPT",
        protocol=rule.protocol,
        source=rule.source,
        dest=None,
        port=rule.port,
        comment="ingress",
    )


def _dns(servers: Sequence[IPv4Address]) -> list[FirewallRule]:
    """Name servers of the site, by both transports (RFC 7766)."""
    return [
        FirewallRule(
            direction="out",
            action="ACCEPT",
            protocol=protocol,
            source=None,
            dest=IPv4Network((int(server), 32)),
            port=DNS_PORT,
            comment="name server of the site",
        )
        for server in servers
        for protocol in ("udp", "tcp")
    ]
