"""Services that every private network sees at one address: who answers, what passes, what not."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from event.read import read_stack
from event.stack import SiteStack
from lab.network.names import Port
from operate.lab_seed import LAB_BRIDGED, LAB_TRUNKS, seed
from plan.records import Service
from plan.service_files import MAC, rules
from tests.packets.conftest import Ground
from tests.packets.frames import arp, mac, tcp_syn, udp4
from tests.packets.wires import PATIENCE_S, inside, ip, wait_until

ROOT = Path(__file__).resolve().parents[2]
ADDRESS, PORT = "10.255.255.10", 3142
# A guest's number is its VLAN's, then its own: 111 and 112 are mates on two hosts, as 121 and 122.
HOSTS = {111: "pve01", 112: "pve02", 121: "pve01", 122: "pve02"}


class Answering:
    """A server of the machine that tells who it is, and counts who came."""

    def __init__(self) -> None:
        self.came = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            with connection:
                asked = connection.recv(100)
                connection.sendall(b"mirror:" + asked)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


def site(folder: Path, port: int) -> SiteStack:
    """The shipped lab with a mirror and a time server, both on this machine."""
    text = (ROOT / "stacks" / "Pulumi.lab.yaml").read_text()
    shipped = f"      mirror: {{address: {ADDRESS}, port: {PORT}, to: 127.0.0.1}}\n"
    services = f"""\
      mirror: {{address: {ADDRESS}, port: {PORT}, to: 127.0.0.1, toPort: {port}}}
      time: {{address: {ADDRESS}, port: 123, protocol: udp, to: 192.0.2.1, mode: masquerade}}
"""
    for old, new in ((shipped, services), ("    mirror: apt-cacher-ng\n", "")):
        assert old in text
        text = text.replace(old, new)
    (folder / "Pulumi.lab.yaml").write_text(text)
    stack = read_stack("lab", folder)
    assert isinstance(stack, SiteStack)
    return stack


def card(vmid: int, host: str) -> Port:
    return Port(
        vmid=vmid, nic=0, host=host, bridge="vmbr1", vlan=vmid // 10 + 90,
        mac=f"02:00:00:00:00:{vmid:02x}",
    )  # fmt: skip


class Served:
    """Two clusters on two hosts, with the same address for the mirror; guests have addresses."""

    def __init__(self, ground: Ground, answering: Answering) -> None:
        self.ground = ground
        self.answering = answering
        ground.guests(*(card(vmid, host) for vmid, host in HOSTS.items()))
        for vmid in HOSTS:
            ip(
                f"addr add {self.address(vmid)}/24 dev eth0",
                f"route add {ADDRESS} dev eth0",
                namespace=ground.guest(vmid),
            )

    def address(self, vmid: int) -> str:
        return f"10.0.{vmid // 10}.{vmid % 10}"

    def host(self, vmid: int) -> str:
        return self.ground.plumb.namespace(HOSTS[vmid])

    def asks(self, vmid: int, port: int = PORT, timeout_s: float = PATIENCE_S) -> bytes:
        """What the mirror answers a guest; OSError when nobody does."""
        with inside(self.ground.guest(vmid)):
            connection = socket.socket()
        with connection:
            connection.settimeout(timeout_s)
            connection.connect((ADDRESS, port))
            connection.sendall(b"%d" % vmid)
            answer = b""
            while data := connection.recv(100):
                answer += data
            return answer

    def listener(self, vmid: int, family: int = socket.AF_INET) -> socket.socket:
        """Somebody who listens on all of a host's addresses, at port 8006, and could answer."""
        route = f"route replace 10.0.{vmid // 10}.0/24 dev vmbr1v{vmid // 10 + 90}"
        ip(route, namespace=self.host(vmid))
        with inside(self.host(vmid)):
            made = socket.socket(family)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 8006))
            made.listen()
        made.setblocking(False)
        return made

    def nft(self, vmid: int, text: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", self.host(vmid), "nft", "-f", "-"],
            input=text, text=True, check=True,
        )  # fmt: skip


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.close()


@pytest.fixture
def served(tmp_path: Path, answering: Answering) -> Iterator[Served]:
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    ground = Ground(tmp_path, seed(site(stacks, answering.port))["services"])
    try:
        yield Served(ground, answering)
    finally:
        ground.close()


def crosses(served: Served) -> bool:
    """Whether a question for the address, or an answer, is seen on another host."""
    asking, mate = served.ground.leg(111), served.ground.leg(112)
    asking.send(arp("02:00:00:00:00:6f", served.address(111), ADDRESS, 1))
    asking.send(arp("02:00:00:00:00:6f", served.address(111), served.address(112), 2))
    assert wait_until(lambda: 2 in mate.seen, [mate])
    return 1 in mate.seen


def answers(served: Served) -> list[bytes]:
    """Who answers a question for the address, up to the answer of a mate on another host."""
    asking = served.ground.leg(111)
    asking.raw.setblocking(True)
    asking.raw.settimeout(PATIENCE_S)
    found: list[bytes] = []
    own = "02:00:00:00:00:6f"
    asking.send(arp(own, served.address(111), ADDRESS, 1))
    asking.send(arp(own, served.address(111), served.address(112), 2))
    while True:
        frame = asking.raw.recv(2000)
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2":
            if frame[28:32] == socket.inet_aton(served.address(112)):
                return found
            if frame[28:32] == socket.inet_aton(ADDRESS):
                found.append(frame[22:28])


def test_the_shipped_lab_answers_for_its_mirror_itself() -> None:
    """The rules are a real host's; who is behind them is the lab's own."""
    stack = read_stack("lab", ROOT / "stacks")
    assert isinstance(stack, SiteStack)
    shipped = {"address": ADDRESS, "port": PORT, "protocol": "tcp"}
    assert seed(stack)["services"]["services"] == [shipped]


def test_every_guest_reaches_the_mirror_at_the_same_address(served: Served) -> None:
    assert [served.asks(vmid) for vmid in HOSTS] == [b"mirror:%d" % vmid for vmid in HOSTS]
    assert served.answering.came == len(HOSTS)


def test_the_own_host_answers_alone_and_the_question_stays_on_it(served: Served) -> None:
    assert not crosses(served)
    assert answers(served) == [mac(MAC)]


def test_without_the_rule_the_question_goes_to_other_hosts(served: Served) -> None:
    for vmid in (111, 112):
        served.nft(vmid, "delete table bridge practicum_services\n")
    assert crosses(served)


def test_only_the_named_port_is_open_and_nothing_else_of_the_host(served: Served) -> None:
    with served.listener(111) as listening:
        with pytest.raises(OSError, match="timed out"):
            served.asks(111, 8006, timeout_s=0.5)
        assert served.asks(111)  # what was sent before has been looked at by now
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_without_the_rules_the_host_would_be_open(served: Served) -> None:
    served.nft(111, "delete table inet practicum_services\n")
    with served.listener(111) as listening:
        with inside(served.ground.guest(111)):
            connection = socket.socket()
        with connection:
            connection.settimeout(PATIENCE_S)
            connection.connect((ADDRESS, 8006))
            assert listening.accept()


def test_a_host_is_closed_in_ipv6_too(served: Served) -> None:
    """Even where somebody has switched it on."""
    host, guest = served.host(111), served.ground.guest(111)
    for namespace, link in ((host, "vmbr1v101"), (guest, "eth0")):
        with inside(namespace):
            Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").write_text("0")
    ip("addr add fd00::1/64 dev vmbr1v101 nodad", namespace=host)
    ip("addr add fd00::2/64 dev eth0 nodad", namespace=guest)
    with served.listener(111, socket.AF_INET6) as listening:
        with inside(guest):
            connection = socket.socket(socket.AF_INET6)
        with connection:
            connection.settimeout(0.5)
            with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
                connection.connect(("fd00::1", 8006))
        assert served.asks(111)
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_there_is_no_way_out_and_none_to_another_cluster(served: Served) -> None:
    """Although the host has been told to forward: to a neighbour's network, to the machine."""
    with inside(served.host(111)):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    ip(
        f"route add 10.0.12.0/24 dev vmbr1v102 src {ADDRESS}",
        f"neigh replace {served.address(121)} lladdr 02:00:00:00:00:79 dev vmbr1v102",
        namespace=served.host(111),
    )
    sender, target = served.ground.leg(111), served.ground.leg(121)
    mine = ("02:00:00:00:00:6f", served.address(111), 9)
    with socket.create_server(("0.0.0.0", 0)) as machine:
        machine.setblocking(False)
        port = machine.getsockname()[1]
        for address in (served.address(121), "127.0.0.1", "198.51.100.1", *own_addresses()):
            sender.send(udp4(mine, (MAC, address, 9), 5))
            sender.send(tcp_syn(mine, (MAC, address, port), 5))
        assert served.asks(111)
        assert served.asks(121)
        target.drain()
        assert 5 not in target.seen
        with pytest.raises(BlockingIOError):
            machine.accept()


def own_addresses() -> list[str]:
    shown = subprocess.run(["ip", "-4", "-br", "addr"], capture_output=True, text=True).stdout
    words = [word for line in shown.splitlines() for word in line.split()[2:]]
    return [word.partition("/")[0] for word in words if "." in word]


def test_a_guest_cannot_claim_to_be_the_mirror(served: Served) -> None:
    liar, mate = served.ground.leg(111), served.ground.leg(112)
    own = "02:00:00:00:00:6f"
    liar.send(arp(own, ADDRESS, served.address(112), 3, reply_to="02:00:00:00:00:70"))
    liar.send(udp4((own, ADDRESS, 9), ("02:00:00:00:00:70", served.address(112), 9), 4))
    liar.send(arp(own, served.address(111), served.address(112), 5))
    assert wait_until(lambda: 5 in mate.seen, [mate])
    assert not {3, 4} & mate.seen


def test_a_guest_that_moves_is_served_on_at_once_by_its_new_host(served: Served) -> None:
    assert served.asks(111) == b"mirror:111"
    served.ground.run(served.ground.plumb.move(111, 0, "pve02"))
    # What it has learned of its old host stays right: the MAC is the same on all.
    known = f"neigh replace {ADDRESS} lladdr {MAC} dev eth0 nud permanent"
    ip(known, namespace=served.ground.guest(111))
    subprocess.run(["ip", "-n", served.host(112), "link", "set", "t.vmbr1v101", "down"], check=True)
    assert served.asks(111) == b"mirror:111"


def test_a_lab_that_starts_again_serves_its_guests_on(served: Served) -> None:
    assert served.asks(111)
    served.ground.restart(*HOSTS)
    assert [served.asks(vmid) for vmid in HOSTS] == [b"mirror:%d" % vmid for vmid in HOSTS]


def test_datagrams_are_answered_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as clock:
        clock.bind(("127.0.0.1", 0))
        clock.settimeout(PATIENCE_S)
        entry = {
            "address": ADDRESS, "port": 123, "protocol": "udp", "to": "127.0.0.1",
            "toPort": clock.getsockname()[1],
        }  # fmt: skip
        service = replace(masqueraded(), protocol="udp", port=123, mode="proxy")
        ground = Ground(tmp_path, settings([service], [entry]))
        try:
            ground.guests(card(111, "pve01"))
            guest = ground.guest(111)
            ip("addr add 10.0.11.1/24 dev eth0", f"route add {ADDRESS} dev eth0", namespace=guest)
            with inside(guest):
                asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with asking:
                asking.settimeout(PATIENCE_S)
                asking.sendto(b"when?", (ADDRESS, 123))
                asked, back = clock.recvfrom(100)
                clock.sendto(b"now:" + asked, back)
                answer, who = asking.recvfrom(100)
            assert (answer, who) == (b"now:when?", (ADDRESS, 123))
        finally:
            ground.close()


def test_a_mirror_that_is_down_is_a_connection_that_ends(served: Served) -> None:
    served.answering.close()
    try:
        answer = served.asks(111)
    except ConnectionError:
        answer = b""
    assert answer == b""


def masqueraded() -> Service:
    return Service(
        name="mirror", address=IPv4Address(ADDRESS), port=PORT, protocol="tcp",
        to=IPv4Address("192.0.2.1"), to_port=80, mode="masquerade",
    )  # fmt: skip


def settings(services: list[Service], proxies: list[dict[str, object]]) -> dict[str, object]:
    text = rules(
        "practicum_services", services, legs=["vmbr1v*"], uplinks=[LAB_TRUNKS],
        bridged=[LAB_BRIDGED],
    )  # fmt: skip
    return {"rules": text, "bridge": "vmbr1", "mac": MAC, "services": proxies}


def test_with_masquerade_the_mirror_sees_the_host_and_only_the_named_port_passes(
    ground: Ground,
) -> None:
    ground.guests(card(111, "pve01"))
    host, mirror, guest = ground.plumb.namespace("pve01"), ground.guest(9), ground.guest(111)
    ip(f"netns add {mirror}")
    ip(
        f"addr add {ADDRESS}/32 dev vmbr1v101", "route add 10.0.11.0/24 dev vmbr1v101",
        f"link add out type veth peer name eth0 netns {mirror}", "link set out up",
        "addr add 192.0.2.2/24 dev out", namespace=host,
    )  # fmt: skip
    ip("link set eth0 up", "addr add 192.0.2.1/24 dev eth0", namespace=mirror)
    ip("addr add 10.0.11.1/24 dev eth0", f"route add {ADDRESS} dev eth0",
       f"route add default via {ADDRESS}", namespace=guest)  # fmt: skip
    with inside(host):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    subprocess.run(
        ["ip", "netns", "exec", host, "nft", "-f", "-"], text=True, check=True,
        input=str(settings([masqueraded()], [])["rules"]),
    )  # fmt: skip
    with inside(mirror):
        web, other = (socket.create_server(("192.0.2.1", port)) for port in (80, 81))
    with inside(guest):
        asking, direct = socket.socket(), socket.socket()
    with web, other, asking, direct:
        direct.settimeout(0.5)
        with pytest.raises(OSError, match="timed out"):
            direct.connect(("192.0.2.1", 80))
        asking.settimeout(PATIENCE_S)
        asking.connect((ADDRESS, PORT))
        web.settimeout(PATIENCE_S)
        _, who = web.accept()
        assert who[0] == "192.0.2.2"
        web.setblocking(False)
        with pytest.raises(BlockingIOError):
            web.accept()
