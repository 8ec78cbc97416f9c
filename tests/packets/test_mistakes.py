"""The proof is worth something only if mistakes turn it red: each of these does, one at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.network.names import switch_port, trunk_link
from plan.records import EventPlan
from tests.packets.conftest import Ground
from tests.packets.fleet import Place, planned, plug_in, settings, small
from tests.packets.proof import Proof, Verdict
from tests.packets.wires import inside, ip

PATIENCE_S = 1.0
"""For frames that a mistake has lost; a network without one is given all the time it needs."""


class Fleet:
    """Three clusters of a head and a node, and the instructors' node."""

    def __init__(self, ground: Ground, plan: EventPlan | None = None) -> None:
        self.ground = ground
        self.plan: EventPlan = plan or small(planned("sc09"), 3, 2)
        self.places = plug_in(ground, self.plan)

    def card(self, cluster: str, network: str, number: int = 0) -> Place:
        """A card of a cluster (its head's first) on a network."""
        return [
            place for place in self.places if place.cluster == cluster and place.network == network
        ][number]

    def host(self, name: str) -> str:
        return self.ground.plumb.namespace(name)

    @property
    def switch(self) -> str:
        return self.ground.plumb.names.switch

    def change(self, **rows: dict[str, Any]) -> None:
        """Other firewall settings than the planned ones."""
        self.ground.settings(**rows)

    def guarded(self, cluster: str) -> tuple[str, dict[str, Any]]:
        """The planned settings of a cluster's head: their row and what is in it."""
        key = f"vm_{self.card(cluster, 'exposed').port.vmid}"
        return key, settings(self.plan)[key]

    def nft(self, host: str, text: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", self.host(host), "nft", "-f", "-"], input=text, text=True,
            check=True,
        )  # fmt: skip

    def kernel(self, namespace: str, key: str, value: int) -> None:
        with inside(namespace):
            Path("/proc/sys/net", key).write_text(str(value))


@pytest.fixture
def fleet(ground: Ground) -> Fleet:
    return Fleet(ground)


Mistake = Callable[[Fleet], None]
MISTAKES: dict[str, Mistake] = {}


def mistake(name: str) -> Callable[[Mistake], Mistake]:
    def kept(made: Mistake) -> Mistake:
        MISTAKES[name] = made
        return made

    return kept


def network(place: Place) -> str:
    return place.port.network


# ---------------------------------------------------------------- links


@mistake("a card with another cluster's tag")
def wrong_tag(fleet: Fleet) -> None:
    card, other = fleet.card("c01", "c01"), fleet.card("c02", "c02")
    host = fleet.host(card.port.host)
    _own_bridge(fleet, card.port.host, network(other))
    ip(f"link set {card.port.link} master {network(other)}", namespace=host)


def _own_bridge(fleet: Fleet, host: str, link: str) -> None:
    """A bridge that a host may not have had, with its trunk."""
    bridge, _, vlan = link.rpartition("v")
    fleet.ground.run(fleet.ground.plumb._ensure_network(host, bridge, int(vlan)))


@mistake("a trunk in another VLAN of the switch")
def wrong_trunk(fleet: Fleet) -> None:
    card, other = fleet.card("c01", "c01"), fleet.card("c02", "c02")
    port = switch_port(card.port.host, network(card))
    ip(f"link set {port} master {network(other)}", namespace=fleet.switch)


@mistake("two VLANs joined in the switch")
def patched_switch(fleet: Fleet) -> None:
    _patch(fleet.switch, network(fleet.card("c01", "c01")), network(fleet.card("c02", "c02")))


def _patch(namespace: str, one: str, other: str) -> None:
    ip(
        "link add patch0 type veth peer name patch1",
        f"link set patch0 master {one} up",
        f"link set patch1 master {other} up",
        namespace=namespace,
    )


@mistake("two VLANs joined on a host")
def patched_host(fleet: Fleet) -> None:
    card, other = fleet.card("c01", "c01"), fleet.card("c02", "c02")
    _own_bridge(fleet, card.port.host, network(other))
    _patch(fleet.host(card.port.host), network(card), network(other))


@mistake("a private network bridged to the uplink")
def bridged_uplink(fleet: Fleet) -> None:
    _patch(fleet.switch, network(fleet.card("c01", "c01")), network(fleet.card("c01", "exposed")))


@mistake("a private card on the exposed bridge")
def private_exposed(fleet: Fleet) -> None:
    head = fleet.card("c01", "exposed")
    card = fleet.card("c01", "c01")
    assert card.port.host == head.port.host
    ip(f"link set {card.port.link} master {network(head)}", namespace=fleet.host(card.port.host))


@mistake("one VLAN for two clusters")
def same_vlan(fleet: Fleet) -> None:
    one, other = network(fleet.card("c01", "c01")), network(fleet.card("c02", "c02"))
    for host in {place.port.host for place in fleet.places}:
        port = switch_port(host, other)
        subprocess.run(
            ["ip", "-n", fleet.switch, "link", "set", port, "master", one],
            check=False, capture_output=True,
        )  # fmt: skip


@mistake("an instructor who bridges two clusters")
def bridging_instructor(fleet: Fleet) -> None:
    one, other = fleet.card("instructor", "c01"), fleet.card("instructor", "c02")
    ip(
        "link add br0 type bridge",
        "link set br0 up",
        f"link set {one.port.inner} master br0",
        f"link set {other.port.inner} master br0",
        namespace=fleet.ground.guest(one.port.vmid),
    )


@mistake("an instructor who routes")
def routing_instructor(fleet: Fleet) -> None:
    one, other = fleet.card("instructor", "c01"), fleet.card("instructor", "c02")
    guest = fleet.ground.guest(one.port.vmid)
    neighbours = [
        f"neigh replace {place.address} lladdr {place.mac} dev {other.port.inner}"
        for place in fleet.places
        if place.network == "c02" and place.cluster == "c02"
    ]
    ip(
        f"addr add {one.address}/24 dev {one.port.inner}",
        f"addr add {other.address}/24 dev {other.port.inner}",
        *neighbours,
        namespace=guest,
    )
    for key in ("all", one.port.inner):
        fleet.kernel(guest, f"ipv4/conf/{key}/rp_filter", 0)
    fleet.kernel(guest, "ipv4/ip_forward", 1)


@mistake("a host that routes")
def routing_host(fleet: Fleet) -> None:
    card = fleet.card("c01", "c01", 1)
    host = fleet.host(card.port.host)
    other = fleet.card("c02", "c02")
    _own_bridge(fleet, card.port.host, network(other))
    fleet.nft(card.port.host, "delete table inet practicum\n")
    neighbours = [
        f"neigh replace {place.address} lladdr {place.mac} dev {network(other)}"
        for place in fleet.places
        if place.network == "c02" and place.cluster == "c02"
    ]
    ip(
        f"addr add 10.0.1.200/24 dev {network(card)}",
        f"addr add 10.0.2.200/24 dev {network(other)}",
        *neighbours,
        namespace=host,
    )
    fleet.kernel(host, "ipv4/ip_forward", 1)


@mistake("a guest with a card in another cluster")
def extra_card(fleet: Fleet) -> None:
    card, other = fleet.card("c01", "c01", 1), fleet.card("c02", "c02", 1)
    fleet.ground.run(
        fleet.ground.plumb.attach(
            card.port.vmid, 9, other.port.host, "vmbr1", other.port.vlan, "02:dd:00:00:00:01",
            False, fleet.ground.guest(card.port.vmid),
        )
    )  # fmt: skip
    guest = fleet.ground.guest(card.port.vmid)
    ip(
        "link add br0 type bridge",
        "link set br0 up",
        f"link set eth{card.port.nic} master br0",
        "link set eth9 master br0 up",
        namespace=guest,
    )


@mistake("a trunk that is cut")
def cut_trunk(fleet: Fleet) -> None:
    card = fleet.card("c01", "c01")
    ip(f"link set {trunk_link(network(card))} down", namespace=fleet.host(card.port.host))


@mistake("a card that is not plugged in")
def pulled_card(fleet: Fleet) -> None:
    card = fleet.card("c01", "c01", 1)
    ip(f"link set {card.port.link} nomaster", namespace=fleet.host(card.port.host))


@mistake("multicast that the switch swallows")
def swallowed_multicast(fleet: Fleet) -> None:
    host = fleet.card("c01", "c01").port.host
    fleet.nft(
        host,
        "table bridge mistake { chain c { type filter hook forward priority 0;\n"
        "ip daddr 239.0.0.0/8 drop\n}\n}\n",
    )


# ---------------------------------------------------------------- firewall


def _head(fleet: Fleet, **changed: Any) -> None:
    key, row = fleet.guarded("c01")
    options = {**row["options"], **changed.pop("options", {})}
    fleet.change(**{key: {**row, "options": options, **changed}})


@mistake("the datacenter's switch off")
def datacenter_off(fleet: Fleet) -> None:
    fleet.change(cluster={"options": {"enable": 0}})


@mistake("a head's switch off")
def guest_off(fleet: Fleet) -> None:
    _head(fleet, options={"enable": 0})


@mistake("a head whose card has no firewall")
def card_off(fleet: Fleet) -> None:
    card = fleet.card("c01", "exposed").port
    fleet.ground.run(
        fleet.ground.plumb.attach(
            card.vmid, 8, card.host, card.bridge, card.vlan, "02:dd:00:00:00:02", False,
            fleet.ground.guest(card.vmid),
        )
    )  # fmt: skip
    ip(
        "link add br0 type bridge", "link set br0 up", "link set eth0 master br0",
        "link set eth8 master br0 up", namespace=fleet.ground.guest(card.vmid),
    )  # fmt: skip
    ip(f"link set {card.link} nomaster", namespace=fleet.host(card.host))


@mistake("everything may go out")
def open_policy(fleet: Fleet) -> None:
    _head(fleet, options={"policy_out": "ACCEPT"})


@mistake("everything may come in")
def open_inward(fleet: Fleet) -> None:
    _head(fleet, options={"policy_in": "ACCEPT"})


@mistake("a MAC that nobody checks")
def no_macfilter(fleet: Fleet) -> None:
    _head(fleet, options={"macfilter": 0})


@mistake("an address that nobody checks")
def no_ipfilter(fleet: Fleet) -> None:
    _head(fleet, ipset={})


@mistake("routers that may be played")
def radv(fleet: Fleet) -> None:
    _head(fleet, options={"radv": 1, "ndp": 1, "policy_out": "ACCEPT"})


@mistake("a DHCP server that may be played")
def dhcp_server(fleet: Fleet) -> None:
    rule = {"type": "out", "action": "ACCEPT", "proto": "udp", "sport": "67", "enable": 1}
    _, row = fleet.guarded("c01")
    _head(fleet, rules=[rule, *row["rules"]])


@mistake("an allow list with a port too many")
def one_more_port(fleet: Fleet) -> None:
    rule = {"type": "out", "action": "ACCEPT", "proto": "tcp", "dport": "22", "enable": 1}
    _, row = fleet.guarded("c01")
    _head(fleet, rules=[rule, *row["rules"]])


@mistake("an allow list that is not there")
def no_group(fleet: Fleet) -> None:
    _head(fleet, rules=[])


@mistake("a head's rules not asked")
def no_marks(fleet: Fleet) -> None:
    fleet.nft(fleet.card("c01", "exposed").port.host, "flush chain bridge practicum arriving\n")


@mistake("the drop at the end missing")
def no_drop(fleet: Fleet) -> None:
    card = fleet.card("c01", "exposed").port
    fleet.nft(card.host, f"flush chain inet practicum out-{card.link}\n")


@mistake("tags that nobody drops")
def tags_pass(fleet: Fleet) -> None:
    card = fleet.card("c01", "exposed").port
    fleet.nft(
        card.host,
        f"flush chain bridge practicum from-{card.link}\n"
        f"add rule bridge practicum from-{card.link} ether saddr != {card.mac} drop\n",
    )


@mistake("bridged packets that never meet the filter")
def no_filter(fleet: Fleet) -> None:
    card = fleet.card("c01", "exposed").port
    ip(
        f"link set {card.network} type bridge nf_call_iptables 0 nf_call_ip6tables 0",
        namespace=fleet.host(card.host),
    )


@mistake("a filter that drops everything")
def all_dropped(fleet: Fleet) -> None:
    fleet.nft(fleet.card("c01", "exposed").port.host, "flush chain inet practicum passing\n")


# ---------------------------------------------------------------- the proof


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_turns_the_proof_red(fleet: Fleet, name: str) -> None:
    MISTAKES[name](fleet)
    assert proved(fleet, PATIENCE_S).red


def test_without_a_mistake_it_is_green_with_each_seed(fleet: Fleet) -> None:
    for seed in range(3):
        verdict = Proof(fleet.places, seed).run()
        assert not verdict.red, str(verdict)


def test_there_are_at_least_twenty_mistakes() -> None:
    assert len(MISTAKES) >= 20


def proved(fleet: Fleet, patience_s: float) -> Verdict:
    return Proof(fleet.places).run(patience_s)
