"""The plan that the deployed guests stand for, so that it can be compared with a new one.

The engine's state holds what the provider was given; read backwards that gives the plan's records,
as far as a comparison looks at them. What the state cannot tell (documents, the plan's numbers)
is taken from the new plan's guest of the same name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from operate.deployed import Deployed, DeployedGuest
from plan.loads import Load
from plan.records import Cluster, EventPlan, FirewallRule, Guest, Interface, SecurityGroup


def plan_before(state: Deployed, after: EventPlan) -> EventPlan:
    """The plan behind a state, to be compared with `after`; without guests it has none."""
    planned = {guest.name: guest for guest in after.guests}
    any_guest = next(iter(after.guests), None)
    clusters: dict[str, list[Guest]] = defaultdict(list)
    instructor: Guest | None = None
    for found in state.guests:
        like = planned.get(found.name) or _stranger(found, any_guest)
        if like is None:
            continue
        guest = _guest(found, like)
        if guest.cluster is None:
            instructor = guest
        else:
            clusters[guest.cluster].append(guest)
    guests = [guest for members in clusters.values() for guest in members]
    guests += [instructor] if instructor else []
    return replace(
        after,
        clusters=tuple(_clusters(clusters, after, state)),
        instructor=instructor,
        security_group=_group(after.security_group, state),
        totals=replace(
            after.totals,
            clusters=len(clusters),
            guests=len(guests),
            cores=_load(after.totals.cores, (guest.cores for guest in guests)),
            memory_mib=_load(after.totals.memory_mib, (guest.memory_mib for guest in guests)),
            disk_gib=_load(
                after.totals.disk_gib,
                (guest.disk_gib for guest in guests if not guest.template.shared),
            ),
        ),
    )


def _load(load: Load, needs: Iterable[int]) -> Load:
    return replace(load, need=sum(needs))


def _stranger(found: DeployedGuest, any_guest: Guest | None) -> Guest | None:
    """A record for a guest that the new plan lacks: only its name, cluster and host count."""
    if any_guest is None:
        return None
    is_instructor = found.parent == f"{found.name}-node"
    node = found.name.removeprefix(f"{found.parent}-")
    return replace(
        any_guest,
        name=found.name,
        cluster=None if is_instructor else found.parent,
        node=node,
        documents=(),
    )


def _guest(found: DeployedGuest, like: Guest) -> Guest:
    """The record of a deployed guest; `like` gives what the state does not tell."""
    inputs = found.inputs
    clone = _mapping(inputs.get("clone"))
    disk = _mapping(next(iter(inputs.get("disks") or ()), {}))
    account = _mapping(_mapping(inputs.get("initialization")).get("userAccount"))
    full = bool(clone.get("full", True))
    return replace(
        like,
        host=found.host,
        vmid=found.vmid,
        template=replace(
            like.template,
            vmid=int(clone.get("vmId") or like.template.vmid),
            storage=str(disk.get("datastoreId") or like.template.storage),
        ),
        clone="full" if full else "linked",
        cores=int(_mapping(inputs.get("cpu")).get("cores") or like.cores),
        memory_mib=int(_mapping(inputs.get("memory")).get("dedicated") or like.memory_mib),
        disk_gib=int(disk.get("size") or like.disk_gib),
        interfaces=_interfaces(inputs, like),
        login=replace(
            like.login,
            user=str(account.get("username") or like.login.user),
            ssh_keys=_texts(account.get("keys"), like.login.ssh_keys),
        ),
        description=str(inputs.get("description") or ""),
        tags=_texts(inputs.get("tags"), like.tags),
        start=bool(inputs.get("started", True)),
    )


def _interfaces(inputs: Mapping[str, Any], like: Guest) -> tuple[Interface, ...]:
    """The NICs; addresses are written for those NICs only that have one, in the NICs' order."""
    devices = [_mapping(each) for each in inputs.get("networkDevices") or ()]
    configs = _mapping(inputs.get("initialization")).get("ipConfigs")
    addresses = iter(configs if isinstance(configs, list) else ())
    known = {nic.mac.upper(): nic for nic in like.interfaces}
    found = []
    for position, device in enumerate(devices):
        mac = str(device.get("macAddress") or "")
        same = known.get(mac.upper()) or (
            like.interfaces[position] if position < len(like.interfaces) else like.interfaces[0]
        )
        nic = replace(
            same,
            bridge=str(device.get("bridge") or ""),
            vlan=int(device["vlanId"]) if device.get("vlanId") else None,
            mac=same.mac if mac.upper() == same.mac.upper() else mac,
            firewall=bool(device.get("firewall", False)),
            connected=not device.get("disconnected", False),
        )
        if (same.dhcp or same.address) and configs is not None:
            nic = _addressed(nic, _mapping(_mapping(next(addresses, {})).get("ipv4")))
        found.append(nic)
    return tuple(found)


def _addressed(nic: Interface, ipv4: Mapping[str, Any]) -> Interface:
    text = ipv4.get("address")
    if not isinstance(text, str):
        return nic
    if text == "dhcp":
        return replace(nic, dhcp=True, address=None)
    return replace(nic, dhcp=False, address=IPv4Interface(text))


def _clusters(
    members: Mapping[str, list[Guest]], after: EventPlan, state: Deployed
) -> Iterable[Cluster]:
    planned = {cluster.name: cluster for cluster in after.clusters}
    anyone = next(iter(after.clusters), None)
    for name, guests in members.items():
        like = planned.get(name) or anyone
        if like is None:
            continue
        vlan = next(
            (nic.vlan for nic in guests[0].interfaces if nic.network != "exposed" and nic.vlan),
            like.network.vlan,
        )
        group = like.security_group if name in planned else None
        yield replace(
            like,
            name=name,
            network=replace(like.network, cluster=name, vlan=vlan),
            guests=tuple(guests),
            security_group=_group(group, state) if group else None,
        )


def _group(group: SecurityGroup, state: Deployed) -> SecurityGroup:
    """A planned group with the rules that are deployed; as planned if it is not deployed."""
    inputs = state.security_groups.get(group.name)
    if inputs is None:
        return group
    rules = [_mapping(each) for each in inputs.get("rules") or ()]
    return replace(group, rules=tuple(_rule(each) for each in rules))


def _rule(inputs: Mapping[str, Any]) -> FirewallRule:
    port = str(inputs.get("dport") or "")
    return FirewallRule(
        direction="out" if inputs.get("type") == "out" else "in",
        action=inputs.get("action", "ACCEPT"),
        protocol=inputs.get("proto"),
        source=IPv4Network(inputs["source"]) if inputs.get("source") else None,
        dest=IPv4Network(inputs["dest"]) if inputs.get("dest") else None,
        port=int(port) if port.isdigit() else None,
        comment=str(inputs.get("comment") or ""),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else otherwise
