"""Classes of the provider that are definitions rather than guests, each from its creation to its
end, through the real engine and the real provider."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.scenarios.story import ROOT, Story

pytestmark = [pytest.mark.engine, pytest.mark.scenarios]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One resource: where the lab keeps it, what it has after the change, and what is left of it
    when it is destroyed: nothing, which is answered with `gone`, or a setting that stays."""

    program: str
    name: str
    path: str = ""
    updated: dict[str, Any] = field(default_factory=dict)
    change: str = "update"
    stays: bool = False
    gone: int = 500


def _network(name: str, path: str = "", **more: Any) -> Scenario:
    return Scenario(
        program="network", name=name, path=f"cluster/sdn/{path}" if path else "", **more
    )


def _datacenter(name: str, path: str, **more: Any) -> Scenario:
    return Scenario(program="datacenter", name=name, path=path, **more)


def _access(name: str, path: str, **more: Any) -> Scenario:
    return Scenario(program="access", name=name, path=path, **more)


def _storage(name: str, path: str, **more: Any) -> Scenario:
    return Scenario(program="storages", name=name, path=path, **more)


def _firewall(name: str, path: str, **more: Any) -> Scenario:
    return Scenario(program="firewalls", name=name, path=path, **more)


def _host(name: str, path: str, **more: Any) -> Scenario:
    return Scenario(program="hosts", name=name, path=f"nodes/{path}", **more)


def _guest(name: str, path: str = "", **more: Any) -> Scenario:
    return Scenario(program="reserved", name=f"guest-{name}", path=path, **more)


_QEMU = "nodes/pve1/qemu"
REPLACED = "create-replacement"
SCENARIOS = [
    _network("sdn-applier-first", change=""),
    _network("sdn-applier-last", change="delete-replaced"),
    _network("sdn-zone-simple", "zones/zsimple", updated={"mtu": 1400, "nodes": "pve1"}),
    _network("sdn-zone-vlan", "zones/zvlan", updated={"mtu": 1400, "bridge": "vmbr0"}),
    _network("sdn-zone-qinq", "zones/zqinq", updated={"tag": 200, "vlan-protocol": "802.1ad"}),
    _network("sdn-zone-vxlan", "zones/zvxlan", updated={"peers": "192.0.2.1,192.0.2.2,192.0.2.3"}),
    _network("sdn-zone-evpn", "zones/zevpn", updated={"exitnodes": "pve2,pve3"}),
    _network("sdn-controller-evpn", "controllers/ctl", updated={"asn": 65001}),
    _network("sdn-fabric-openfabric", "fabrics/fabric/fopen", updated={"hello_interval": 5}),
    _network("sdn-fabric-ospf", "fabrics/fabric/fospf", updated={"area": "0.0.0.1"}),
    _network("sdn-fabric-node-openfabric", "fabrics/node/fopen/pve1", updated={"ip": "10.80.0.9"}),
    _network("sdn-fabric-node-ospf", "fabrics/node/fospf/pve2", updated={"ip": "10.81.0.9"}),
    _network("sdn-vnet-tagged", "vnets/vtag", updated={"tag": 43, "vlanaware": 1}),
    _network("sdn-vnet-plain", "vnets/vplain", updated={"isolate-ports": 1}),
    _network(
        "sdn-subnet",
        "vnets/vplain/subnets/zsimple-10.70.0.0-24",
        updated={"gateway": "10.70.0.254", "snat": 1},
        change=REPLACED,
    ),
    _datacenter("ha-resource", "cluster/ha/resources/vm:100", updated={"max_restart": 3}),
    _datacenter("ha-resource-other", "cluster/ha/resources/vm:101", updated={"comment": "twice"}),
    _datacenter(
        "ha-rule-node-affinity", "cluster/ha/rules/place", updated={"nodes": "pve1:2,pve2:2"}
    ),
    _datacenter(
        "ha-rule-resource-affinity", "cluster/ha/rules/apart", updated={"comment": "apart still"}
    ),
    _datacenter("replication", "cluster/replication/102-0", updated={"schedule": "*/30"}),
    _datacenter("mapping-pci", "cluster/mapping/pci/card", updated={"mdev": 1}),
    _datacenter("mapping-usb", "cluster/mapping/usb/stick", updated={"description": "new"}),
    _datacenter(
        "mapping-dir", "cluster/mapping/dir/share", updated={"map": ["node=pve1,path=/srv/new"]}
    ),
    _datacenter(
        "metrics-influxdb", "cluster/metrics/server/influx", updated={"server": "192.0.2.10"}
    ),
    _datacenter("metrics-graphite", "cluster/metrics/server/graphite", updated={"path": "lab.new"}),
    _datacenter("realm-ldap", "access/domains/directory", updated={"comment": "new"}),
    _datacenter("realm-openid", "access/domains/single", updated={"autocreate": 1}),
    _datacenter("acme-dns-plugin", "cluster/acme/plugins/zone", updated={"validation-delay": 20}),
    _datacenter("cluster-options", "cluster/options", updated={"language": "de"}, stays=True),
    _host("host-dns", "pve1/dns", updated={"search": "new.example"}, stays=True),
    _host("host-time", "pve1/time", updated={"timezone": "Europe/Vienna"}, stays=True),
    _host("host-hosts", "pve1/hosts", stays=True),
    _host("host-config", "pve2/config", updated={"description": "new\n"}, stays=True),
    _host("host-certificate", "pve3/certificates/info", stays=True),
    _host("apt-standard-repository", "pve1/apt/repositories", change="", stays=True),
    _host("apt-repository", "pve2/apt/repositories", stays=True),
    _access("pool", "pools/course", updated={"comment": "new"}),
    _access("pool-membership", "nodes/pve1/qemu/100/config", change="", stays=True),
    _access("group", "access/groups/teachers", updated={"comment": "new"}),
    _access("role", "access/roles/Operator", updated={"VM.Audit": 1, "VM.PowerMgmt": 1}),
    _access("user", "access/users/ada@pve", updated={"comment": "new", "firstname": "Ada"}),
    _access("acl", ""),
    _access("token", "access/users/ada@pve/token/ci", updated={"comment": "new"}, gone=403),
    _storage("storage-directory", "storage/folder", updated={"nodes": "pve1,pve2"}),
    _storage("storage-nfs", "storage/nfs", updated={"nodes": "pve1,pve2"}),
    _storage("storage-cifs", "storage/cifs", updated={"nodes": "pve1,pve2"}),
    _storage("storage-lvm", "storage/lvm", updated={"nodes": "pve1,pve2"}),
    _storage("storage-lvmthin", "storage/lvmthin", updated={"nodes": "pve1,pve2"}),
    _storage("storage-zfspool", "storage/zfs", updated={"nodes": "pve1,pve2"}),
    _storage("storage-pbs", "storage/pbs", updated={"nodes": "pve1"}, change=""),
    _storage("backup-job", "cluster/backup/weekly", updated={"schedule": "sun 02:00"}, gone=400),
    _firewall(
        "network-bridge", "nodes/pve1/network/vmbr7", updated={"comments": "new\n"}, gone=400
    ),
    _firewall("network-vlan", "nodes/pve1/network/eth0.30", updated={"vlan-id": "30"}, gone=400),
    _firewall("cluster-firewall", "cluster/firewall/options", stays=True),
    _firewall(
        "firewall-security-group", "cluster/firewall/groups/heads/0", updated={"macro": "SSH"}
    ),
    _firewall(
        "firewall-alias", "cluster/firewall/aliases/lan", updated={"cidr": "10.1.0.0/16"}, gone=400
    ),
    _firewall("firewall-ipset", "cluster/firewall/ipset/mirrors/192.0.2.0/24", change=""),
    _firewall("firewall-options", "nodes/pve1/qemu/100/firewall/options", stays=True),
    _firewall("firewall-rules", "nodes/pve1/qemu/100/firewall/rules/0", updated={"comment": "new"}),
    _guest("pool", "pools/reserved", updated={"comment": "new"}),
    _guest("template", f"{_QEMU}/40000/config", change="", updated={"template": 1}),
    _guest("linked-clone", f"{_QEMU}/40001/config", updated={"cores": 2, "tags": "changed;copy"}),
    _guest("full-clone", f"{_QEMU}/40002/config", updated={"description": "new"}),
    _guest(
        "cloud-init",
        f"{_QEMU}/40003/config",
        updated={"ipconfig0": "gw=192.0.2.1,ip=192.0.2.20/24"},
    ),
    _guest("blank", f"{_QEMU}/40004/config", updated={"memory": "128"}),
    _guest("security-group", "cluster/firewall/groups/practicum-co/0", updated={"dport": "2222"}),
    _guest("firewall-options", f"{_QEMU}/40001/firewall/options", stays=True),
    _guest("firewall-rules", f"{_QEMU}/40001/firewall/rules/0", updated={"comment": "new"}),
    _guest(
        "backup-job", "cluster/backup/practicum-co", updated={"schedule": "sun 02:00"}, gone=400
    ),
    _guest("role", "access/roles/PracticumCo", updated={"VM.Audit": 1, "VM.PowerMgmt": 1}),
    _guest("user", "access/users/practicum-co@pve", updated={"comment": "new"}),
    _guest("acl"),
    _guest("token", "access/users/practicum-co@pve/token/co", updated={"comment": "new"}, gone=403),
    _firewall("node-firewall", "nodes/pve2/firewall/options", updated={"enable": 1}, stays=True),
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The engine and plugins built from the pinned sources."""
    home = tmp_path_factory.mktemp("scenario-home")
    done = subprocess.run(
        [sys.executable, "-m", "toolchain", "ensure", "--built", "--json", "--home", str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _prepare(story: Story) -> None:
    """Guests to be watched and replicated, which are not this story's subject."""
    lab = story.lab
    lab.call("POST", "storage", storage="tank", type="zfspool", pool="tank", content="images").ok()
    for vmid, disk in ((100, {}), (101, {}), (102, {"scsi0": "tank:1"})):
        made = lab.call("POST", "nodes/pve1/qemu", vmid=vmid, memory=64, **disk)
        assert lab.finish(made.ok())["status"] == "OK"


@dataclass(slots=True)
class Told:
    """A story that is over: its steps, and the lab's answers before and after the end."""

    story: Story
    changed: dict[str, Any]
    ended: dict[str, int]


@pytest.fixture(scope="module")
def told(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Each program's story, told once when the first of its scenarios asks."""
    stories: dict[str, Told] = {}

    def tell(program: str) -> Told:
        if program not in stories:
            story = Story(Path(tmp_path_factory.mktemp("story")) / program, parts, program)
            _prepare(story)
            story.tell()
            paths = {s.path for s in SCENARIOS if s.program == program and s.path}
            changed = {path: story.lab.call("GET", path).data for path in paths}
            story.end()
            ended = {path: story.lab.call("GET", path).status for path in paths}
            stories[program] = Told(story, changed, ended)
        return stories[program]

    yield tell
    for each in stories.values():
        each.story.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_class_lives_from_creation_to_destruction_without_drift(
    told: Any, scenario: Scenario
) -> None:
    found: Told = told(scenario.program)
    steps = {stage: made.get(scenario.name) for stage, made in found.story.steps.items()}
    assert steps == {
        "create": "create",
        "refresh": None,
        "again": None,
        "update": scenario.change or None,
        "settled": None,
        "still": None,
        "destroy": "delete",
    }, found.story.failed
    if scenario.path:
        now = found.changed[scenario.path]
        assert {key: now.get(key) for key in scenario.updated} == scenario.updated
        assert found.ended[scenario.path] == (200 if scenario.stays else scenario.gone)


@pytest.mark.parametrize("program", sorted({s.program for s in SCENARIOS}))
def test_no_stage_of_a_story_fails(told: Any, program: str) -> None:
    assert told(program).story.failed == {}


def test_nothing_of_a_network_waits_or_is_applied_after_its_end(told: Any) -> None:
    lab = told("network").story.lab
    for part in ("zones", "vnets", "controllers"):
        assert lab.get(f"cluster/sdn/{part}", pending=1) == []
        assert lab.get(f"cluster/sdn/{part}", running=1) == []
