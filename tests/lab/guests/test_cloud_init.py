"""Documents of a cloud-init drive."""

from __future__ import annotations

import hashlib
import json

import pytest
import yaml

from lab.guests.cloudinit import documents
from tests.lab.direct import Api, as_anna, grant

CONFIG = {
    "name": "c07-head.lab.example",
    "ciuser": "root",
    "cipassword": "$5$salt$hash",
    "sshkeys": "ssh-ed25519%20AAAA%20me%0Assh-ed25519%20BBBB%20you%0A",
    "nameserver": "10.0.0.53 10.0.0.54",
    "searchdomain": "lab.example",
    "net0": "virtio=02:00:00:00:00:0A,bridge=vmbr0",
    "net1": "virtio=02:00:00:00:00:0B,bridge=vmbr0",
    "ipconfig0": "ip=10.0.7.1/24,gw=10.0.7.254",
    "ipconfig1": "ip=dhcp,ip6=auto",
}


def test_user_data_names_host_user_password_and_keys() -> None:
    user = yaml.safe_load(documents(CONFIG, 100)["user"])
    assert user["hostname"] == "c07-head"
    assert user["fqdn"] == "c07-head.lab.example"
    assert user["user"] == "root"
    assert user["disable_root"] is False
    assert user["password"] == "$5$salt$hash"
    assert user["ssh_authorized_keys"] == ["ssh-ed25519 AAAA me", "ssh-ed25519 BBBB you"]
    assert user["package_upgrade"] is True
    assert "users" not in user


def test_a_shown_document_hides_the_password() -> None:
    assert "$5$" not in documents(CONFIG, 100, hide_password=True)["user"]


def test_the_network_is_version_1_with_lower_case_addresses() -> None:
    network = yaml.safe_load(documents(CONFIG, 100)["network"])
    first, second, dns = network["config"]
    assert network["version"] == 1
    assert first == {
        "type": "physical",
        "name": "eth0",
        "mac_address": "02:00:00:00:00:0a",
        "subnets": [
            {
                "type": "static",
                "address": "10.0.7.1",
                "netmask": "255.255.255.0",
                "gateway": "10.0.7.254",
            }
        ],
    }
    assert [net["type"] for net in second["subnets"]] == ["dhcp4", "ipv6_slaac"]
    assert dns == {
        "type": "nameserver",
        "address": ["10.0.0.53", "10.0.0.54"],
        "search": ["lab.example"],
    }


@pytest.mark.parametrize("change", [{"ciuser": "me"}, {"ipconfig0": "ip=dhcp"}])
def test_changed_data_make_another_instance(change: dict[str, str]) -> None:
    assert documents(CONFIG, 100)["meta"] != documents({**CONFIG, **change}, 100)["meta"]


def test_other_options_make_no_other_instance() -> None:
    assert documents(CONFIG, 100)["meta"] == documents({**CONFIG, "memory": "64"}, 100)["meta"]


def test_a_config_drive_carries_an_interfaces_file() -> None:
    network = documents({**CONFIG, "citype": "configdrive2"}, 100)["network"]
    assert "iface eth0 inet static\n        address 10.0.7.1\n" in network
    assert "iface eth1 inet dhcp\n" in network


def test_the_hash_of_a_password_is_told_to_those_who_may_set_it(api: Api) -> None:
    api.create(100, cipassword="$5$salt$hash")
    assert "password: $5$salt$hash\n" in api.ask("GET", "q/100/cloudinit/dump", type="user")
    grant(as_anna(api), "/vms/100", "VM.Audit")
    assert "password: **********\n" in api.ask("GET", "q/100/cloudinit/dump", type="user")


@pytest.mark.parametrize("form", ["configdrive2", "opennebula"])
def test_other_forms_of_the_drive_have_the_documents_of_a_config_drive(api: Api, form: str) -> None:
    api.create(100, citype=form, nameserver="10.0.0.53", searchdomain="x.example")
    path = "q/100/cloudinit/dump"
    network = api.ask("GET", path, type="network")
    assert network.startswith(
        "auto lo\niface lo inet loopback\n\n        dns_nameservers 10.0.0.53\n"
    )
    user = api.ask("GET", path, type="user")
    digest = hashlib.sha1((user + network).encode(), usedforsecurity=False).hexdigest()
    assert json.loads(api.ask("GET", path, type="meta")) == {
        "uuid": digest,
        "network_config": {"content_path": "/content/0000"},
    }
