"""Two events at once on one site, with guests that really run: neither sees the other, every group
has its own secrets, and packages come to nodes that have no way out.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from event.read import read_stack
from event.stack import EventStack
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.network.mirror import lacking
from operate.api import Api, ApiError
from plan.plan import plan_event
from plan.records import EventPlan, Guest
from tests.engine.practice import Practice, Run
from tests.guests.canaries import Processes, Search, of_event
from tests.guests.test_event import run
from tests.image.conftest import cannot
from tests.packets.frames import arp, udp4
from tests.packets.wires import Leg, wait_until

pytestmark = pytest.mark.guests

EVENTS = ("laptop", "evening")
NUMBERS = {"200-219": "220-239", "10.1.0.0": "10.2.0.0", "200000-209999": "210000-219999"}
EXPOSED = {"100.200-198.51.100.219": "100.220-198.51.100.239", "First cluster": "Evening"}
PACKAGE = "hello"


@dataclass
class Both:
    """Two events of one site, and what was seen while they were made."""

    practice: Practice
    plans: dict[str, EventPlan]
    runs: dict[str, Run] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # previews, plans and so on
    processes: Processes = field(default_factory=Processes)

    @property
    def state(self) -> Path:
        return self.practice.state / "lab" / "lab"

    def guests(self, event: str) -> list[Guest]:
        return [guest for guest in self.plans[event].guests if guest.cluster]

    def sh(self, guest: Guest, script: str) -> str:
        """Output of a script in a guest, once it ends well."""
        return run(self.practice, guest.host, str(guest.vmid), script)

    def pulumi(self, *words: str) -> str:
        done = self.practice.call("pulumi", "--", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def secret(self, event: str) -> str:
        file = str(self.practice.file(event))
        return self.pulumi(
            "config", "get", "practicum:secret", "--stack", event, "--config-file", file
        )

    def token(self, event: str) -> str:
        done = self.practice.call("env", str(self.practice.file(event)), "--token")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def api(self, event: str) -> Api:
        """The site's API, as who has an event's token."""
        endpoint = f"https://127.0.0.1:{self.practice.ports['lab']}"
        return Api(endpoint, self.token(event), ca_file=self.state / "ca.pem")

    def canaries(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for event, plan in self.plans.items():
            found |= of_event(plan, self.secret(event))
            found[f"{event}/token"] = self.token(event).partition("=")[2]
        return found


@pytest.fixture(scope="module")
def both(
    images: Path, engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Two groups in one event and one in the other, a head and a node each, made side by side."""
    practice = Practice(tmp_path_factory.mktemp("two"), listed=True)
    practice.edit("lab", "engine: none", "engine: lxc")
    practice.edit("lab", "events: [laptop, sc09]", f"events: [{', '.join(EVENTS)}]")
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    practice.edit("laptop", "    vmids:", "    contextualize: {level: ssh}\n    vmids:")
    text = practice.file("laptop").read_text()
    for old, new in (NUMBERS | EXPOSED).items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    practice.file("evening").write_text(text)
    practice.edit("laptop", "clusters: {count: 1}", "clusters: {count: 2}")
    stacks = {event: read_stack(event, practice.stacks) for event in EVENTS}
    plans = {
        event: plan_event(stack) for event, stack in stacks.items() if isinstance(stack, EventStack)
    }
    both = Both(practice=practice, plans=plans)
    try:
        with both.processes, ThreadPoolExecutor() as threads:
            both.runs["lab"] = practice.good("up", "lab")
            made = threads.map(lambda event: practice.good("up", event), EVENTS)
            both.runs |= dict(zip(EVENTS, made, strict=True))
            for verb in (["preview", "--json"], ["plan", "--json"], ["traffic"], ["status"]):
                done = practice.call(verb[0], str(practice.file("laptop")), *verb[1:])
                both.told += [done.stdout, done.stderr]
        yield both
    finally:
        practice.call("lab", "reset", str(practice.file("lab")), "--yes")
        practice.close()


def test_every_group_has_its_own_names_and_addresses_and_knows_no_other(both: Both) -> None:
    for event in EVENTS:
        others = [guest for other in EVENTS if other != event for guest in both.guests(other)]
        foreign = {str(nic.address.ip) for each in others for nic in each.interfaces if nic.address}
        for guest in both.guests(event):
            seen = both.sh(guest, "cat /etc/hosts /etc/ssh/ssh_known_hosts; ip neigh; ip route")
            assert not foreign & set(re.findall(r"[\d.]+", seen)), guest.name
            known = set(re.findall(r"\bc\d\d-\w+", seen))
            mates = {each.name for each in both.guests(event) if each.cluster == guest.cluster}
            assert known == mates


def test_no_frame_of_a_group_reaches_another_one(both: Both) -> None:
    legs: dict[tuple[str, str, str], Leg] = {}
    holder = Holder(both.state / "guests")
    assert holder.adopt()
    try:
        for event in EVENTS:
            for guest in both.guests(event):
                number, _ = private(guest)
                place = f"/proc/{Container(holder, guest.vmid).init}/ns/net"
                leg = legs[event, guest.cluster or "", guest.name] = Leg(place, f"eth{number}")
        tokens = {key: number for number, key in enumerate(legs, 1)}
        for key, leg in legs.items():
            guest = next(each for each in both.guests(key[0]) if each.name == key[2])
            send(leg, guest, both, tokens[key])
        mates = {
            key: {tokens[other] for other in legs if other[:2] == key[:2] and other != key}
            for key in legs
        }
        assert wait_until(lambda: all(mates[key] <= leg.seen for key, leg in legs.items()),
                          legs.values())  # fmt: skip
        # Answers of mates quote what they were sent.
        assert {key: leg.seen - {tokens[key]} for key, leg in legs.items()} == mates
    finally:
        for leg in legs.values():
            leg.close()


def private(guest: Guest) -> tuple[int, Any]:
    """A guest's card on its cluster's network, and its number."""
    return next(
        (number, nic) for number, nic in enumerate(guest.interfaces) if nic.network == guest.cluster
    )


def send(leg: Leg, guest: Guest, both: Both, token: int) -> None:
    """Broadcast, multicast, and questions for the addresses of everybody else."""
    _, nic = private(guest)
    own = str(nic.address.ip)
    for event in EVENTS:
        for other in both.guests(event):
            _, wanted = private(other)
            leg.send(arp(nic.mac, own, str(wanted.address.ip), token))
            leg.send(udp4((nic.mac, own, 9), (wanted.mac, str(wanted.address.ip), 9), token))
    leg.send(udp4((nic.mac, own, 9), ("01:00:5e:02:0b:47", "239.2.11.71", 8649), token))


def test_heads_reach_no_other_groups_machines(both: Both) -> None:
    """By the network that all heads are on, either: they have no way out that is not named."""
    heads = [(event, each) for event in EVENTS for each in both.guests(event) if each.exposed]
    for event, head in heads:
        targets = [
            str(nic.address.ip)
            for other in EVENTS
            for guest in both.guests(other)
            for nic in guest.interfaces
            if nic.address and (other, guest.cluster) != (event, head.cluster)
        ]
        tries = "; ".join(
            f"timeout 0.5 bash -c '</dev/tcp/{address}/22' 2>/dev/null && echo {address} & :"
            for address in targets
        )
        mate = next(
            private(each)[1].address.ip
            for each in both.guests(event)
            if each.cluster == head.cluster and each is not head
        )
        script = f"{tries}; wait; bash -c '</dev/tcp/{mate}/22' && echo mate"
        assert both.sh(head, script).split() == ["mate"]


def test_an_events_token_shows_and_changes_nothing_of_the_other(both: Both) -> None:
    for event in EVENTS:
        api = both.api(event)
        mine = {guest.vmid for guest in both.guests(event)}
        rows = api.get("/cluster/resources", type="vm")
        assert {row["vmid"] for row in rows if not row["template"]} == mine
        assert [row["poolid"] for row in api.get("/pools")] == [f"practicum-{event}"]
        for other in EVENTS:
            for guest in both.guests(other) if other != event else ():
                path = f"/nodes/{guest.host}/qemu/{guest.vmid}"
                for call in (
                    partial(api.get, f"{path}/config"),
                    partial(api.get, f"{path}/firewall/rules"),
                    partial(api.post, f"{path}/agent/exec", command="true"),
                    partial(api.post, f"{path}/status/stop"),
                    partial(api.delete, path),
                ):
                    with pytest.raises(ApiError) as caught:
                        call()
                    assert caught.value.kind == "forbidden"


def test_secrets_are_in_no_file_line_or_process_but_where_they_belong(both: Both) -> None:
    canaries = both.canaries()
    search = Search(canaries)
    secrets = {name for name in canaries if not name.endswith("/token")}
    assert len(secrets) == 2 + 3 * 3 + 6
    found = search.in_files(both.practice.folder, without="images")
    places = {name: {path for path, names in found.items() if name in names} for name in canaries}
    guests = both.state / "guests"
    for name, paths in places.items():
        assert {path for path in paths if not belongs(path, name, both, guests)} == set(), name
    # What is looked for can be found: keys are where they belong.
    assert all(places[name] for name in canaries if name.endswith("key"))
    assert [name for text in both.told for name in search.names(text.encode())] == []
    for each in both.runs.values():
        assert search.names(json.dumps(each.events).encode() + each.errors.encode()) == set()
    shown = both.processes
    assert [name for each in shown.arguments for name in search.names(each)] == []
    told = {
        (each.partition(b"=")[0], name) for each in shown.variables for name in search.names(each)
    }
    assert {each for each in told if not by_engine(*each)} == set()
    assert not [each for each in shown.arguments if b"PRIVATE KEY" in each]


def by_engine(variable: bytes, name: str) -> bool:
    """Whether a secret may be in a variable of a process: only the engine's two, by which it gives
    the event's secret to the program and the token to the provider."""
    known = {b"PULUMI_CONFIG": "secret", b"PROXMOX_VE_API_TOKEN": "token"}
    return name.partition("/")[2] == known.get(variable)


def belongs(path: str, name: str, both: Both, guests: Path) -> bool:
    """Whether a secret may be in a file: keys on machines of their own group, a host key on its
    own, and tokens where the cluster keeps them."""
    event, _, rest = name.partition("/")
    if rest == "token":
        return Path(path).parent == both.state and Path(path).name.startswith("lab.db")
    cluster, _, what = rest.partition("/")
    owners = [
        guest
        for guest in both.guests(event)
        if guest.cluster == cluster and what in ("key", f"{guest.node}/host-key")
    ]
    return any(path.startswith(f"{guests}/{guest.vmid}/disk/upper/") for guest in owners)


def test_packages_come_to_nodes_without_a_way_out(both: Both) -> None:
    """Through the same address in every group's network, which the own host answers for."""
    if reason := lacking():
        cannot(reason)
    nodes = [guest for event in EVENTS for guest in both.guests(event) if not guest.exposed]
    nodes = [nodes[0], nodes[-1]]  # one of each event
    for node in nodes:
        assert "default" not in both.sh(node, "ip route")
    if not upstream(both, nodes[0]):
        pytest.skip("the mirror that this machine's apt is configured with does not answer")
    install = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get -q -o Acquire::Retries=5 update && "
        f"apt-get -q -o Acquire::Retries=5 install -y {PACKAGE} >&2 && {PACKAGE}"
    )
    with ThreadPoolExecutor() as threads:
        told = list(threads.map(lambda node: both.sh(node, install), nodes))
    assert all("Hello, world!" in each for each in told)
    # A way out it is not.
    other = "exec 3<>/dev/tcp/10.255.255.10/3142; printf 'GET http://127.0.0.1:22/ HTTP/1.0\\r\\n"
    assert " 403 " in both.sh(nodes[0], f'bash -c "{other}\\r\\n\' >&3; head -1 <&3"')


def upstream(both: Both, node: Guest) -> bool:
    """Whether the archive can be had at all."""
    script = (
        "import sys, urllib.request as u\n"
        "try: print(u.urlopen('http://10.255.255.10:3142/debian/dists/stable/InRelease').status)\n"
        "except OSError as error: print(error)\n"
    )
    return both.sh(node, f'python3 -c "{script}"').strip() == "200"


def test_when_one_event_goes_the_other_one_stays_as_it_is(both: Both) -> None:
    before = {guest.vmid: both.sh(guest, "cut -d' ' -f1 /proc/1/stat; uptime -s")
              for guest in both.guests("evening")}  # fmt: skip
    both.practice.good("destroy", "laptop")
    rows = both.practice.guests()
    assert {row["vmid"] for row in rows if not row["template"]} == set(before)
    for guest in both.guests("evening"):
        assert both.sh(guest, "cut -d' ' -f1 /proc/1/stat; uptime -s") == before[guest.vmid]
    done = both.practice.call("status", str(both.practice.file("evening")))
    assert done.returncode == 0, done.stdout
    assert both.practice.run("up", "evening").changes == {}
