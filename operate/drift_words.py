"""What a refresh has found on a guest, in words: what is, and what it was.

Compared is what the provider had read before with what it reads now, so that objects of others
(a NIC more) are seen as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

Values = Mapping[str, Any]
Before = Any
After = Any


def value_words(field: str, before: Values, after: Values) -> list[str]:
    """Words for one field that differs; empty where nothing is to be said of its values."""
    was, now = before.get(field), after.get(field)
    if tell := _TELL.get(field):
        return list(tell(was, now))
    plain = was != now and _is_plain(was) and _is_plain(now)
    return [f"{field} {_said(now)} instead of {_said(was)}"] if plain else []


def _nics(before: Before, after: After) -> Iterator[str]:
    for number, (was, now) in enumerate(zip_longest(_rows(before), _rows(after))):
        name = f"NIC {number}"
        if now is None:
            yield f"{name} is gone"
        elif was is None:
            yield f"{name} more, on {now.get('bridge')}{_vlan(now)}"
        else:
            yield from _changes(name, was, now, _NIC)
            if bool(was.get("firewall")) != bool(now.get("firewall")):
                yield f"{name} {'with' if now.get('firewall') else 'without'} its firewall"
            if bool(was.get("disconnected")) != bool(now.get("disconnected")):
                yield f"{name} {'unplugged' if now.get('disconnected') else 'plugged in'}"


def _vlan(nic: Values) -> str:
    return f" with VLAN {nic['vlanId']}" if nic.get("vlanId") else ""


def _disks(before: Before, after: After) -> Iterator[str]:
    old = {str(each.get("interface") or "scsi0"): each for each in _rows(before)}
    new = {str(each.get("interface") or "scsi0"): each for each in _rows(after)}
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if now is None:
            yield f"disk {name} is gone"
        elif was is None:
            yield f"disk {name} more, {now.get('size')} GiB on {now.get('datastoreId')}"
        else:
            yield from _changes(f"disk {name}", was, now, _DISK)


def _initialization(before: Before, after: After) -> Iterator[str]:
    was, now = _map(before), _map(after)
    account, other = _map(was.get("userAccount")), _map(now.get("userAccount"))
    yield from _changes("login", account, other, {"username": ""})
    if _texts(account.get("keys")) != _texts(other.get("keys")):
        yield "other SSH keys"
    yield from _changes("", _map(was.get("dns")), _map(now.get("dns")), {"servers": "name servers"})
    both = zip_longest(_rows(was.get("ipConfigs")), _rows(now.get("ipConfigs")))
    for number, (old, new) in enumerate(both):
        pair = _map(_map(old).get("ipv4")), _map(_map(new).get("ipv4"))
        yield from _changes(f"NIC {number}", *pair, {"address": "address", "gateway": "gateway"})


def _tags(before: Before, after: After) -> Iterator[str]:
    was, now = set(_texts(before)), set(_texts(after))
    if lost := sorted(was - now):
        yield f"without the tags {', '.join(lost)}"
    if more := sorted(now - was):
        yield f"with the tags {', '.join(more)}"


def _pool(before: Before, after: After) -> Iterator[str]:
    yield f"in pool {after} instead of {before}" if after else f"not in pool {before}"


def _privileges(before: Before, after: After) -> Iterator[str]:
    was, now = set(_texts(before)), set(_texts(after))
    if lost := sorted(was - now):
        yield f"without {', '.join(lost)}"
    if more := sorted(now - was):
        yield f"with {', '.join(more)}"


def _text(name: str) -> Callable[[Before, After], Iterator[str]]:
    def tell(before: Before, after: After) -> Iterator[str]:
        yield f"{name} {_said(after)} instead of {_said(before)}"

    return tell


def _changes(name: str, was: Values, now: Values, fields: Mapping[str, str]) -> Iterator[str]:
    """`NIC 0 VLAN 1 instead of 107` for each of the fields that differs."""
    for key, called in fields.items():
        if was.get(key) != now.get(key):
            words = " ".join(part for part in (name, called) if part)
            yield f"{words} {_said(now.get(key))} instead of {_said(was.get(key))}"


def _is_plain(value: object) -> bool:
    """Whether a value can be said: no mapping (secrets are mappings), and none within."""
    inner = value if isinstance(value, list) else [value]
    return not any(isinstance(each, (Mapping, list)) for each in inner)


def _said(value: object) -> str:
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _rows(value: object) -> list[Values]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _map(value: object) -> Values:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> list[str]:
    return sorted(map(str, value)) if isinstance(value, list) else []


_NIC = {"bridge": "bridge", "vlanId": "VLAN", "macAddress": "MAC", "model": "model",
        "trunks": "trunk VLANs"}  # fmt: skip
_DISK = {"size": "GiB", "datastoreId": "storage"}
_TELL: Mapping[str, Callable[[Before, After], Iterator[str]]] = {
    "networkDevices": _nics,
    "disks": _disks,
    "initialization": _initialization,
    "tags": _tags,
    "poolId": _pool,
    "privileges": _privileges,
    "description": _text("description"),
    "comment": _text("comment"),
}
