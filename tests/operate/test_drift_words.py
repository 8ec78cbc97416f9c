"""What a refresh has found is told in words: what is, and what was."""

from __future__ import annotations

from typing import Any

import pytest

from operate.drift_words import value_words

NIC = {"bridge": "vmbr1", "vlanId": 107, "macAddress": "02:00:00:00:00:01", "firewall": False}
DISK = {"interface": "scsi0", "size": 8, "datastoreId": "shared"}
LOGIN = {
    "userAccount": {"username": "student", "keys": ["a"], "password": "1"},
    "dns": {"servers": ["192.0.2.1"]},
    "ipConfigs": [{"ipv4": {"address": "10.0.7.1/24", "gateway": "10.0.7.254"}}],
}
CASES: list[tuple[str, Any, Any, list[str]]] = [
    ("networkDevices", [NIC], [NIC | {"vlanId": 0}], ["NIC 0 VLAN 0 instead of 107"]),
    ("networkDevices", [NIC], [NIC | {"bridge": "vmbr0", "firewall": True}],
     ["NIC 0 bridge vmbr0 instead of vmbr1", "NIC 0 with its firewall"]),
    ("networkDevices", [NIC], [NIC | {"disconnected": True}], ["NIC 0 unplugged"]),
    ("networkDevices", [NIC], [NIC, {"bridge": "vmbr0", "vlanId": 5}],
     ["NIC 1 more, on vmbr0 with VLAN 5"]),
    ("networkDevices", [NIC, NIC], [NIC], ["NIC 1 is gone"]),
    ("disks", [DISK], [DISK | {"size": 20.0}], ["disk scsi0 GiB 20 instead of 8"]),
    ("disks", [DISK], [DISK | {"datastoreId": "local"}],
     ["disk scsi0 storage local instead of shared"]),
    ("disks", [DISK], [DISK, {"interface": "scsi1", "size": 3, "datastoreId": "local"}],
     ["disk scsi1 more, 3 GiB on local"]),
    ("disks", [DISK], [], ["disk scsi0 is gone"]),
    ("initialization", LOGIN, LOGIN | {"userAccount": {"username": "eve", "keys": []}},
     ["login eve instead of student", "other SSH keys"]),
    ("initialization", LOGIN, LOGIN | {"userAccount": LOGIN["userAccount"] | {"password": "2"}},  # type: ignore[operator]
     []),
    ("initialization", LOGIN, LOGIN | {"dns": {}},
     ["name servers nothing instead of 192.0.2.1"]),
    ("initialization", LOGIN, LOGIN | {"ipConfigs": [{"ipv4": {"address": "dhcp"}}]},
     ["NIC 0 address dhcp instead of 10.0.7.1/24",
      "NIC 0 gateway nothing instead of 10.0.7.254"]),
    ("initialization", LOGIN, None,
     ["login nothing instead of student", "other SSH keys",
      "name servers nothing instead of 192.0.2.1", "NIC 0 address nothing instead of 10.0.7.1/24",
      "NIC 0 gateway nothing instead of 10.0.7.254"]),
    ("tags", ["a", "b"], ["b", "c"], ["without the tags a", "with the tags c"]),
    ("poolId", "p", "", ["not in pool p"]),
    ("poolId", "p", "q", ["in pool q instead of p"]),
    ("privileges", ["VM.Audit"], ["VM.Allocate"], ["without VM.Audit", "with VM.Allocate"]),
    ("description", "x", "", ["description nothing instead of x"]),
    ("vids", "100-999", "2-4094", ["vids 2-4094 instead of 100-999"]),
    ("vlanAware", True, False, ["vlanAware off instead of on"]),
    ("ports", ["eno1"], [], ["ports nothing instead of eno1"]),
    ("password", {"ciphertext": "v1:x"}, {"ciphertext": "v1:y"}, []),
    ("rules", [{"type": "in"}], [], []),
    ("novelty", 1, 1, []),
]  # fmt: skip


@pytest.mark.parametrize(("field", "before", "after", "words"), CASES)
def test_each_field_is_told_with_both_values(
    field: str, before: Any, after: Any, words: list[str]
) -> None:
    assert value_words(field, {field: before}, {field: after}) == words


@pytest.mark.parametrize("field", sorted({field for field, *_ in CASES}))
def test_a_state_that_tells_nothing_is_no_error(field: str) -> None:
    value_words(field, {}, {})
