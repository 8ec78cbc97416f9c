"""Network cards: the form they are kept in, and where their addresses come from."""

from __future__ import annotations

import re

import pytest

from lab.guests import nets
from tests.lab.direct import Api, RefusedError

OWN = re.compile(r"BC:24:11(:[0-9A-F]{2}){3}")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("virtio=02:00:00:00:00:0A,bridge=vmbr0", "virtio=02:00:00:00:00:0A,bridge=vmbr0"),
        (
            "model=virtio,bridge=vmbr0,firewall=0,macaddr=02:00:00:00:00:0b,tag=7",
            "virtio=02:00:00:00:00:0b,bridge=vmbr0,firewall=0,tag=7",
        ),
        (
            "e1000=02:00:00:00:00:01,tag=5,mtu=1400,bridge=b",
            "e1000=02:00:00:00:00:01,bridge=b,mtu=1400,tag=5",
        ),
        (
            "virtio=02:00:00:00:00:01,trunks=5;6,rate=2.5",
            "virtio=02:00:00:00:00:01,rate=2.5,trunks=5;6",
        ),
    ],
)
def test_a_card_is_kept_with_its_address_first_and_its_keys_sorted(given: str, kept: str) -> None:
    assert nets.complete(given, nets.DEFAULT_PREFIX) == kept


def test_a_card_without_an_address_gets_one_of_proxmoxs_own(api: Api) -> None:
    api.create(100, net0="virtio,bridge=vmbr0")
    card = api.config(100)["net0"]
    assert OWN.fullmatch(card.removeprefix("virtio=").partition(",")[0])


def test_a_change_without_an_address_makes_a_new_one(api: Api) -> None:
    api.create(100, net0="virtio,bridge=vmbr0")
    before = api.config(100)["net0"]
    api.put(100, net0="virtio,bridge=vmbr0")
    assert api.config(100)["net0"] != before


def test_the_clusters_prefix_is_used_for_new_addresses(api: Api) -> None:
    api.lab.store.put("option", "datacenter", {"mac_prefix": "AA:BB"})
    api.create(100, net0="virtio")
    assert api.config(100)["net0"].startswith("virtio=AA:BB:")


@pytest.mark.parametrize("prefix", ["02", "02:0", "AA:BB:CC", "AA:B"])
def test_a_random_address_is_whole_whatever_the_prefix(prefix: str) -> None:
    mac = nets.random_mac(prefix)
    assert re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", mac)
    assert mac.replace(":", "").startswith(prefix.replace(":", ""))


@pytest.mark.parametrize(
    ("card", "fault"),
    [
        ("bridge=vmbr0", "net0.model: property is missing and it is not optional\n"),
        ("virtio,tag=4095", "net0.tag: value must have a maximum value of 4094\n"),
        (
            "virtio,foo=1",
            "net0.foo: property is not defined in schema and the schema does not allow"
            " additional properties\n",
        ),
        (
            "virtio=01:00:00:00:00:00",
            "net0.macaddr: invalid format - value does not look like a valid unicast MAC address"
            "\n\n",
        ),
        ("virtio,bridge=a b", "net0.bridge: invalid format - invalid bridge ID 'a b'\n\n"),
    ],
)
def test_a_faulty_card_is_refused_with_the_key_that_is_wrong(
    api: Api, card: str, fault: str
) -> None:
    api.create(100)
    with pytest.raises(RefusedError) as refused:
        api.put(100, net0=card)
    assert refused.value.status == 400
    assert refused.value.errors == {"net0": f"invalid format - format error\n{fault}"}


def test_a_clone_gets_other_addresses(api: Api) -> None:
    api.create(100, net0="virtio=02:00:00:00:00:01,bridge=vmbr0,tag=5")
    api.done("POST", "q/100/clone", newid="101")
    card = api.config(101)["net0"]
    assert card.endswith(",bridge=vmbr0,tag=5")
    assert "02:00:00:00:00:01" not in card
