"""Software-defined networks: what is planned, what is applied, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sdn.status import zone_status
from tests.lab.served import ServedLab

SDN = "cluster/sdn"


def make(lab: ServedLab, *zones: dict[str, Any]) -> None:
    for zone in zones:
        lab.call("POST", f"{SDN}/zones", **zone).ok()


def apply(lab: ServedLab) -> dict[str, Any]:
    return lab.finish(lab.call("PUT", SDN).ok())


def test_an_applied_network_is_a_bridge_of_every_host_in_its_zone(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple", "nodes": "pve2,pve1"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1", alias="lab").ok()
    assert lab.get("nodes/pve1/network", type="vnet") == []
    assert apply(lab)["status"] == "OK"
    for host, there in (("pve1", True), ("pve2", True), ("pve3", False)):
        names = [row["iface"] for row in lab.get(f"nodes/{host}/network", type="any_bridge")]
        assert ("v1" in names) is there
        zones = [row["zone"] for row in lab.get(f"nodes/{host}/sdn/zones")]
        assert zones == (["z1"] if there else [])
    assert "v1" not in [r["iface"] for r in lab.get("nodes/pve1/network")]


def test_applying_reloads_every_host_in_a_task_of_its_own(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    lab.call("POST", "nodes/pve3/network", iface="vmbr7", type="bridge").ok()
    task = apply(lab)
    assert task["log"][:3] == [f"pve{n}: reloading network config" for n in (1, 2, 3)]
    reloads = [t["node"] for t in lab.get("cluster/tasks") if t["type"] == "srvreload"]
    assert sorted(reloads) == ["pve1", "pve2", "pve3"]
    assert lab.get("nodes/pve3/network/vmbr7")["active"] == 1


def test_a_guest_starts_on_an_applied_network_only(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1").ok()
    made = lab.call("POST", "nodes/pve1/qemu", vmid=100, net0="virtio,bridge=v1")
    assert lab.finish(made.ok())["status"] == "OK"
    start = "nodes/pve1/qemu/100/status/start"
    assert lab.finish(lab.call("POST", start).ok())["status"] == "bridge 'v1' does not exist"
    apply(lab)
    assert lab.finish(lab.call("POST", start).ok())["status"] == "OK"


def test_changes_wait_and_can_be_taken_back(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple", "mtu": 1400})
    apply(lab)
    lab.call("PUT", f"{SDN}/zones/z1", mtu=1300, nodes="pve1").ok()
    make(lab, {"zone": "z2", "type": "simple"})
    shown = lab.get(f"{SDN}/zones/z1", pending=1)
    assert (shown["state"], shown["mtu"]) == ("changed", 1400)
    assert shown["pending"] == {"mtu": 1300, "nodes": "pve1"}
    lab.call("PUT", f"{SDN}/zones/z1", delete="mtu").ok()
    assert lab.get(f"{SDN}/zones/z1", pending=1)["pending"]["mtu"] == "deleted"
    lab.call("POST", f"{SDN}/rollback").ok()
    found = lab.get(f"{SDN}/zones")
    assert [(zone["zone"], zone["mtu"]) for zone in found] == [("z1", 1400)]
    assert "state" not in lab.get(f"{SDN}/zones/z1", pending=1)


def test_the_lock_keeps_others_out_until_its_holder_applies(lab: ServedLab) -> None:
    token = lab.call("POST", f"{SDN}/lock").ok()
    refused = lab.call("POST", f"{SDN}/zones", zone="z1", type="simple")
    assert refused.status == 500
    assert refused.reason.startswith("create sdn zone object failed: invalid lock token provided!")
    make(lab, {"zone": "z1", "type": "simple", "lock-token": token})
    assert lab.call("PUT", SDN).status == 500
    lab.call("PUT", SDN, **{"lock-token": token}).ok()
    make(lab, {"zone": "z2", "type": "simple"})
    pending = lab.call("POST", f"{SDN}/lock")
    assert "configuration has pending changes" in pending.reason
    lab.call("POST", f"{SDN}/lock", **{"allow-pending": 1}).ok()
    lab.call("DELETE", f"{SDN}/lock", force=1).ok()
    make(lab, {"zone": "z3", "type": "simple"})


EVPN = {"zone": "ze", "type": "evpn", "controller": "ctl", "vrf-vxlan": 10}
OVERLAYS: list[dict[str, Any]] = [
    {"zone": "zx", "type": "vxlan", "peers": "192.0.2.1"},
    EVPN,
    {"zone": "zq", "type": "qinq", "bridge": "vmbr0", "tag": 9},
]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({"zone": "zx"}, None, "tag: missing vxlan tag"),
        ({"zone": "ze"}, None, "tag: missing vxlan tag"),
        (
            {"zone": "zx", "tag": 5},
            {"zone": "ze", "tag": 5},
            "tag: vxlan tag 5 already exist in vnet v0 in zone zx ",
        ),
        ({"zone": "ze", "tag": 5, "vlanaware": 1}, None, "vlan-aware: vlan-aware option can't be"),
        ({"zone": "zq", "tag": 4097}, None, "tag: VLAN tag maximal value is 4096"),
        ({"zone": "zq"}, {"zone": "zq"}, "tag: tag-less vnet already exists in zone zq vnet v0"),
        (
            {"zone": "zq", "tag": 7},
            {"zone": "zq", "tag": 7},
            "tag: tag 7 already exist in zone zq vnet v0",
        ),
    ],
)
def test_each_kind_of_zone_has_its_own_rule_about_tags(
    lab: ServedLab, first: dict[str, Any], second: dict[str, Any] | None, text: str
) -> None:
    controller = {"controller": "ctl", "type": "evpn", "asn": 65000, "peers": "192.0.2.1"}
    lab.call("POST", f"{SDN}/controllers", **controller).ok()
    make(lab, *OVERLAYS)
    vnets = [vnet for vnet in (first, second) if vnet is not None]
    answers = [
        lab.call("POST", f"{SDN}/vnets", vnet=f"v{n}", **vnet) for n, vnet in enumerate(vnets)
    ]
    assert [a.status for a in answers] == [*[200] * (len(vnets) - 1), 500]
    expected = "create sdn vnet object failed: 400 Parameter verification failed."
    assert answers[-1].reason == expected
    assert answers[-1].message.splitlines()[1].startswith(text)


def test_a_controller_stays_while_a_zone_uses_it(lab: ServedLab) -> None:
    controller = {"controller": "ctl", "type": "evpn", "asn": 65000, "peers": "192.0.2.1"}
    lab.call("POST", f"{SDN}/controllers", **controller).ok()
    make(lab, EVPN)
    assert lab.get(f"{SDN}/zones/ze")["mac"].startswith("BC:24:11:")
    second = lab.call("POST", f"{SDN}/controllers", **{**controller, "controller": "other"})
    assert "only 1 global evpn controller can be defined" in second.reason
    gone = lab.call("DELETE", f"{SDN}/controllers/ctl")
    assert "controller ctl is used by ze" in gone.reason
    lab.call("DELETE", f"{SDN}/zones/ze").ok()
    lab.call("DELETE", f"{SDN}/controllers/ctl").ok()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (["10.0.0.9", "10.0.0.5"], "start-address 10.0.0.9 must be smaller than end-address"),
        (["10.0.1.1", "10.0.1.5"], "start-address 10.0.1.1 is not in subnet 10.0.0.0/24"),
        (["10.0.0.1", "10.0.1.5"], "end-address 10.0.1.5 is not in subnet 10.0.0.0/24"),
        (["10.0.0.x", "10.0.0.5"], "start-address is not a valid IP 10.0.0.x"),
    ],
)
def test_ranges_for_dhcp_lie_in_their_subnet(lab: ServedLab, params: list[str], text: str) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1").ok()
    given = f"start-address={params[0]},end-address={params[1]}"
    answer = lab.call(
        "POST",
        f"{SDN}/vnets/v1/subnets",
        subnet="10.0.0.0/24",
        type="subnet",
        **{"dhcp-range": given},
    )
    assert answer.status == 500
    assert answer.message.splitlines()[1].startswith(f"dhcp-range: {text}")


def test_a_vlan_zone_on_a_bridge_that_is_not_there_is_in_error(lab: ServedLab) -> None:
    make(lab, {"zone": "zv", "type": "vlan", "bridge": "vmbr9"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="zv", tag=5).ok()
    apply(lab)
    assert lab.get("nodes/pve1/sdn/zones") == [{"zone": "zv", "status": "error"}]
    content = lab.get("nodes/pve1/sdn/zones/zv/content")
    assert content == [{"vnet": "v1", "status": "error", "statusmsg": "missing vmbr9"}]


def test_zones_are_in_the_list_of_everything_after_they_are_applied(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})

    def found() -> list[str]:
        return [row["id"] for row in lab.get("cluster/resources") if row["type"] == "network"]

    local = [f"network/pve{n}/zone/localnetwork" for n in (1, 2, 3)]
    assert found() == local
    apply(lab)
    assert sorted(found()) == sorted([*local, *(f"network/pve{n}/zone/z1" for n in (1, 2, 3))])


def test_what_is_applied_outlives_a_crash(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    apply(lab)
    make(lab, {"zone": "z2", "type": "simple"})
    lab.restart()
    states = {zone["zone"]: zone.get("state") for zone in lab.get(f"{SDN}/zones", pending=1)}
    assert states == {"z1": None, "z2": "new"}
    assert lab.get("nodes/pve2/sdn/zones") == [{"zone": "z1", "status": "available"}]


def test_a_network_has_rules_about_what_is_forwarded(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    path = f"{SDN}/vnets/v1/firewall"
    missing = lab.call("POST", f"{path}/rules", type="forward", action="ACCEPT")
    assert missing.reason.startswith("invalid vnet specified at ")
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1").ok()
    assert lab.call("GET", f"{path}/options").reason == missing.reason  # not in force yet
    apply(lab)
    lab.call("PUT", f"{path}/options", enable=1, policy_forward="DROP").ok()
    assert lab.get(f"{path}/options")["policy_forward"] == "DROP"
    lab.call("POST", f"{path}/rules", type="forward", action="ACCEPT", macro="SSH").ok()
    refused = lab.call("POST", f"{path}/rules", type="in", action="ACCEPT")
    assert refused.errors == {"type": "invalid rule type 'in' for rule_env 'vnet'"}
    assert [rule["macro"] for rule in lab.get(f"{path}/rules")] == ["SSH"]
    lab.call("DELETE", f"{path}/rules/0").ok()
    assert lab.get(f"{path}/rules") == []


def test_rights_on_a_network_decide_about_its_rules(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1").ok()
    apply(lab)
    lab.call("POST", "access/users", userid="a@pve").ok()
    lab.call("POST", "access/roles", roleid="Look", privs="SDN.Audit").ok()
    lab.call("PUT", "access/acl", path="/sdn/zones/z1/v1", roles="Look", users="a@pve").ok()
    client = lab.token_client("a@pve", "tk", privsep=0)
    rules = f"{SDN}/vnets/v1/firewall/rules"
    assert client.call("GET", rules).ok() == []
    refused = client.call("POST", rules, type="forward", action="ACCEPT")
    assert refused.reason == "Permission check failed (/sdn/zones/z1/v1, SDN.Allocate)"
    client.close()


FABRIC = {"id": "fab", "protocol": "openfabric", "ip_prefix": "10.80.0.0/24"}
HOST = {"node_id": "pve1", "protocol": "openfabric", "ip": "10.80.0.1", "interfaces": "name=eth0"}


def test_a_fabric_has_hosts_with_addresses_of_its_range(lab: ServedLab) -> None:
    path = f"{SDN}/fabrics"
    lab.call("POST", f"{path}/fabric", **FABRIC).ok()
    assert lab.call("POST", f"{path}/fabric", **FABRIC).status == 500
    lab.call("POST", f"{path}/node/fab", **HOST).ok()
    assert lab.get(f"{path}/node/fab/pve1")["interfaces"] == ["name=eth0"]
    taken = lab.call("POST", f"{path}/node/fab", **{**HOST, "node_id": "pve2"})
    assert taken.reason == "adding node failed: fabric fab contains nodes with duplicated IPs"
    other = lab.call("POST", f"{path}/node/fab", **{**HOST, "node_id": "pve2", "ip": "10.9.0.1"})
    assert "is outside the IP prefix 10.80.0.0/24" in other.reason
    overlap = {**FABRIC, "id": "fab2", "ip_prefix": "10.80.0.128/25"}
    assert "overlaps" in lab.call("POST", f"{path}/fabric", **overlap).reason
    assert len(lab.get(f"{path}/all")["nodes"]) == 1


def test_a_fabric_in_use_stays_and_takes_its_hosts_along_when_it_goes(lab: ServedLab) -> None:
    path = f"{SDN}/fabrics"
    lab.call("POST", f"{path}/fabric", **FABRIC).ok()
    lab.call("POST", f"{path}/node/fab", **HOST).ok()
    make(lab, {"zone": "zx", "type": "vxlan", "fabric": "fab"})
    refused = lab.call("DELETE", f"{path}/fabric/fab")
    assert 'this fabric is still used in the VXLAN zone "zx"' in refused.reason
    lab.call("DELETE", f"{SDN}/zones/zx").ok()
    apply(lab)
    lab.call("DELETE", f"{path}/fabric/fab").ok()
    (waiting,) = lab.get(f"{path}/node", pending=1)
    assert waiting["state"] == "deleted"
    lab.call("POST", f"{SDN}/rollback").ok()
    assert lab.get(f"{path}/node/fab/pve1")["ip"] == "10.80.0.1"


def test_a_lost_host_keeps_its_network_and_the_apply_is_a_success(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    apply(lab)
    lab.fault("host-offline", host="pve3")
    make(lab, {"zone": "z2", "type": "simple"})
    task = apply(lab)
    assert (task["status"], task["log"][3]) == ("OK", "proxy handler failed: No route to host")
    assert zone_status(lab.lab.store, "pve2")["z2"]["status"] == "available"
    assert zone_status(lab.lab.store, "pve3")["z2"]["status"] == "pending"


def test_the_zones_of_a_host_are_told_to_everybody(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple"})
    apply(lab)
    lab.call("POST", "access/users", userid="a@pve").ok()
    user = lab.token_client("a@pve", "tk", privsep="0")
    told = [{"zone": "z1", "status": "available"}]
    assert user.call("GET", "nodes/pve1/sdn/zones").ok() == told
    refused = user.call("GET", "nodes/pve1/sdn/zones/z1/content")
    assert refused.reason == "Permission check failed (/sdn/zones/z1, SDN.Audit)"


def test_what_applying_would_change_on_a_host_can_be_asked_first(lab: ServedLab) -> None:
    make(lab, {"zone": "z1", "type": "simple", "nodes": "pve2"})
    lab.call("POST", f"{SDN}/vnets", vnet="v1", zone="z1").ok()
    same = {"frr-diff": None, "interfaces-diff": None}
    assert lab.get(f"{SDN}/dry-run", node="pve1") == same
    assert "+iface v1\n" in lab.get(f"{SDN}/dry-run", node="pve2")["interfaces-diff"]
    apply(lab)
    assert lab.get(f"{SDN}/dry-run", node="pve2") == same
    missing = {"node": "property is missing and it is not optional"}
    assert lab.call("GET", f"{SDN}/dry-run").errors == missing
