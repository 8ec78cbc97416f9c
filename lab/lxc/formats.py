"""Named formats of containers' options, with Proxmox VE's texts."""

from __future__ import annotations

import re
import zoneinfo

from lab.formats import named_format
from lab.named_formats import is_ip

_STEPS = re.compile(r"/\.\.?/|/\.\.?$|^\.\./")
_LINK_LOCAL = re.compile(r"(fe80:[^%]+)%([a-zA-Z][a-zA-Z0-9_]{1,20}(?:[:.]\d+)?)")
_DEVICE_STEPS = re.compile(r"/\.\.?(?:/|$)")


@named_format("pve-lxc-mp-string")
def _mount(text: str) -> None:
    if _STEPS.search(text):
        raise ValueError(f"{text} contains illegal character sequences")


@named_format("pve-lxc-dev-string")
def _device(text: str) -> None:
    if _DEVICE_STEPS.search(text) or not text.startswith("/dev/"):
        raise ValueError(f"{text} is not a valid device path")


@named_format("lxc-ip-with-ll-iface")
def _address(text: str) -> None:
    found = _LINK_LOCAL.fullmatch(text)
    if not is_ip(found[1] if found else text):
        raise ValueError("value does not look like a valid IP address")


@named_format("pve-ct-timezone")
def _time_zone(text: str) -> None:
    if text not in ("host", "UTC") and text not in zoneinfo.available_timezones():
        raise ValueError(f"invalid time zone '{text}'")
