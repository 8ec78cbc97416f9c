"""Guests' records: forms that are stable, and what a restart keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.guests.drives import parse_drive, print_drive
from lab.guests.nets import parse_net, print_net
from tests.lab.direct import Api, RefusedError

DISK_KEYS = {
    "aio": st.sampled_from(["native", "threads", "io_uring"]),
    "backup": st.sampled_from([0, 1]),
    "cache": st.sampled_from(["none", "writeback", "unsafe"]),
    "discard": st.sampled_from(["ignore", "on"]),
    "iops_rd": st.integers(0, 10**6),
    "iothread": st.sampled_from([0, 1]),
    "size": st.integers(0, 1 << 45),
    "ssd": st.sampled_from([0, 1]),
}
CARD_KEYS = {
    "bridge": st.sampled_from(["vmbr0", "vnet1"]),
    "firewall": st.sampled_from([0, 1]),
    "link_down": st.sampled_from([0, 1]),
    "mtu": st.integers(1, 65520),
    "queues": st.integers(0, 64),
    "tag": st.integers(1, 4094),
}


@given(st.fixed_dictionaries({}, optional=DISK_KEYS))
def test_a_disk_that_is_printed_and_read_is_the_same_disk(keys: dict[str, object]) -> None:
    drive = {"file": "pool:100/vm-100-disk-0.raw", **keys}
    text = print_drive(drive)
    assert parse_drive("scsi0", text) == drive
    names = [part.partition("=")[0] for part in text.split(",")[1:]]
    assert names == sorted(names)


@given(st.fixed_dictionaries({}, optional=CARD_KEYS), st.sampled_from(["virtio", "e1000"]))
def test_a_card_that_is_printed_and_read_is_the_same_card(
    keys: dict[str, object], model: str
) -> None:
    net = {"model": model, "macaddr": "02:00:00:00:00:01", **keys}
    text = print_net(net)
    assert parse_net(text) == net
    assert text.startswith(f"{model}=02:00:00:00:00:01")


def test_a_restart_keeps_configuration_waiting_changes_and_status(api: Api) -> None:
    api.create(100, memory="512", tags="b;a")
    api.start(100)
    api.put(100, memory="1024", delete="tags")
    before = api.config(100), api.ask("GET", "q/100/pending")
    api.lab.store.close()
    again = Api(api.state)
    assert (again.config(100), again.ask("GET", "q/100/pending")) == before
    assert again.ask("GET", "q/100/status/current")["status"] == "running"


def test_a_digest_changes_with_every_change_and_only_then(api: Api) -> None:
    api.create(100, memory="512")
    first = api.config(100)["digest"]
    assert api.config(100)["digest"] == first
    api.put(100, memory="1024")
    assert api.config(100)["digest"] != first
    api.put(100, memory="512")
    assert api.config(100)["digest"] == first


def test_what_was_read_does_not_change_with_the_guest(api: Api) -> None:
    api.create(100, memory="512")
    row = api.lab.store.get("qemu", "100") or {}
    before = dict(row["config"])
    api.put(100, memory="1024")
    assert row["config"] == before


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (
            "nodes/pve1/qemu",
            {
                "vmid": "101",
                "live-restore": "1",
                "scsi0": "pool:0,import-from=pool:import/debian.qcow2",
            },
        ),
        ("q/100/status/start", {"stateuri": "tcp"}),
    ],
)
def test_what_is_not_there_says_so_with_the_name_of_the_call(
    api: Api, path: str, params: dict[str, str]
) -> None:
    api.create(100, start="1")
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", path, **params)
    assert refused.value.status == 501
    assert refused.value.message.startswith("Method 'POST /nodes/pve1/qemu")
