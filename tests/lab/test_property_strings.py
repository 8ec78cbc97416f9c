"""Every property string that the lab writes is read back as the values it was made from."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import ApiError
from lab.formats import parse_property_string, print_property_string
from lab.guests.drives import DRIVES, parse_drive, print_drive
from lab.routes import Routes
from lab.spec import Property, load_formats
from tests.lab.direct import routes

BYTE = st.integers(0, 255).map(lambda n: f"{n:02X}")
MAC = st.lists(BYTE, min_size=5, max_size=5).map(lambda rest: ":".join(["BC", *rest]))
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
VOLUME = st.sampled_from(["local:100/vm-100-disk-0.qcow2", "thin:vm-100-disk-1", "a-b.c:x"])
NAME = st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True)
SAMPLES: dict[str, st.SearchStrategy[str]] = {
    "mac-addr": MAC,
    "ipv4": V4,
    "ipv6": V6,
    "ip": V4 | V6,
    "CIDR": st.tuples(V4, st.integers(8, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    "pve-ipv4-config": st.sampled_from(["dhcp", "manual", "10.0.0.1/24"]),
    "pve-ipv6-config": st.sampled_from(["auto", "dhcp", "fd00::1/64"]),
    "pve-volume-id": VOLUME,
    "pve-volume-id-or-absolute-path": VOLUME,
    "pve-volume-id-or-qm-path": VOLUME | st.sampled_from(["none", "cdrom", "/dev/sda"]),
    "pve-bridge-id": st.from_regex(r"[-_.a-z0-9]+", fullmatch=True),
    "pve-qm-bootdev-list": st.sampled_from(["scsi0", "scsi0;net0", "ide2;usb1"]),
    "disk-size": st.integers(0, 10**12).map(str) | st.sampled_from(["8G", "528K", "1.5M"]),
    "urlencoded": st.from_regex(r"[-%a-zA-Z0-9_.!~*'()]+", fullmatch=True),
    "pve-configid": NAME,
    "pve-storage-id": NAME,
    "pve-iface": NAME,
    "pve-phys-bits": st.sampled_from(["host", "8", "40", "64"]),
    "pve-node": NAME,
    "pve-acme-domain": st.sampled_from(["a.example", "b-1.c_d.example"]),
    "pve-acme-domain-list": st.sampled_from(["a.example", "a.example;b.example"]),
    "pve-acme-alias": st.sampled_from(["_acme.example"]),
    "pve-lxc-mp-string": VOLUME | st.sampled_from(["/srv/a", "/mnt/x"]),
    "pve-lxc-dev-string": st.sampled_from(["/dev/kvm", "/dev/net/tun"]),
    "CIDRv4": st.sampled_from(["10.0.0.1/24", "192.0.2.0/30"]),
    "CIDRv6": st.sampled_from(["fd00::1/64"]),
    "pve-storage-path-in-property-string": st.sampled_from(["/srv/a", "/mnt/x"]),
}
REPEATED = settings(
    max_examples=500 if os.environ.get("PRACTICUM_SWEEP") else 10,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
ELSEWHERE = {"pve-qm-disk", "pve-qm-drive"}
"""Not formats of their own: what drives of all buses have in common."""


def _values(known: Property) -> st.SearchStrategy[Any]:
    """Values that a key of a property string may have."""
    if known.enum is not None:
        return st.sampled_from(known.enum).map(int if known.type == "integer" else str)
    if known.type == "boolean":
        return st.integers(0, 1)
    if known.type in ("integer", "number"):
        low = int(known.minimum) if known.minimum is not None else 0
        return st.integers(low, int(known.maximum) if known.maximum is not None else low + 10**6)
    if isinstance(known.format, str):
        return SAMPLES.get(known.format, st.nothing())
    text = known.pattern or "[A-Za-z0-9 _.:/-]*[A-Za-z0-9]"
    found = st.from_regex(re.compile(text, re.ASCII), fullmatch=True).filter(_plain)
    return found.filter(lambda t: known.max_length is None or len(t) <= known.max_length)


def _plain(text: str) -> bool:
    """Whether a text can stand between commas."""
    return bool(text.strip()) and not set(text) & set(",\n\r=")


@st.composite
def values_of(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Some keys of a format with values, all that are needed among them."""
    found: dict[str, Any] = {}
    for key, known in load_formats()[name].properties.items():
        wanted = not known.optional or draw(st.booleans())
        if known.alias is None and wanted and not (choice := _values(known)).is_empty:
            found[key] = draw(choice)
    for key in list(found):
        requires = load_formats()[name].properties[key].requires
        if requires and requires not in found:
            del found[key]
    return found


@pytest.fixture(scope="module", autouse=True)
def known_formats() -> Routes:
    """The checks of named formats are registered with the handlers."""
    return routes()


@pytest.mark.parametrize("name", sorted(load_formats().keys() - ELSEWHERE))
def test_what_is_written_is_read_back(name: str) -> None:
    @given(values_of(name))
    @REPEATED
    def holds(values: dict[str, Any]) -> None:
        text = print_property_string(name, values)
        known = load_formats()[name]
        assert parse_property_string(known, text) == values
        assert print_property_string(name, parse_property_string(known, text)) == text

    holds()


@pytest.mark.parametrize("slot", ["scsi0", "virtio1", "ide2", "sata3", "efidisk0", "tpmstate0"])
def test_a_drive_is_read_back_with_its_own_words(slot: str) -> None:
    assert slot in DRIVES

    @given(values_of(f"pve-qm-{slot[:-1]}"))
    @REPEATED
    def holds(values: dict[str, Any]) -> None:
        try:
            drive = parse_drive(slot, print_drive(values))
        except ApiError:  # keys that no drive has together
            return
        assert parse_drive(slot, print_drive(drive)) == drive

    holds()


@pytest.mark.parametrize("text", ["secure,secure", "secure,insecure", "0,secure"])
def test_only_one_value_may_stand_without_its_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"^duplicate key in .* list property: type$"):
        parse_property_string("datacenter-migration", text)
