"""What a lab has of an event, so that two runs can be compared; and orders to its faults."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.engine.practice import Practice

OWN = {"digest", "meta", "smbios1", "vmgenid"}
"""Keys of a guest's configuration that each guest has for itself."""


def picture(practice: Practice, event: str = "laptop") -> dict[str, Any]:
    """What the lab has of the event, without what differs from guest to guest anyway."""
    found: dict[str, Any] = {}
    for guest in practice.guests():
        if guest["template"]:
            continue
        path = f"nodes/{guest['node']}/qemu/{guest['vmid']}"
        config = practice.api("GET", f"{path}/config")
        assert guest["name"] not in found, f"{guest['name']} is there twice"
        found[guest["name"]] = {
            "where": (guest["vmid"], guest["node"], guest["status"], guest.get("pool")),
            "config": {key: _spelled(value) for key, value in config.items() if key not in OWN},
            "rules": plain(practice.api("GET", f"{path}/firewall/rules")),
            "firewall": plain(practice.api("GET", f"{path}/firewall/options")),
            "filters": {
                name: plain(practice.api("GET", f"{path}/firewall/ipset/{name}"))
                for name in (row["name"] for row in practice.api("GET", f"{path}/firewall/ipset"))
            },
        }
    for place in ("pools", "access/groups", "access/roles", "access/acl"):
        rows = [row for row in practice.api("GET", place) if event in str(row)]
        found[place] = sorted(str(plain(row)) for row in rows)
    for group in practice.api("GET", "cluster/firewall/groups"):
        path = f"cluster/firewall/groups/{group['group']}"
        found[path] = plain(practice.api("GET", path))
    return found


def _spelled(value: Any) -> Any:
    """A setting without a disk's format, which its volume's name tells as well.

    The provider writes it when it makes a guest, and leaves it out when it changes one.
    """
    return value.replace(",format=qcow2", "") if isinstance(value, str) else value


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Where two pictures differ, a line each."""
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return [] if found == wanted else [f"{where}: {found!r} instead of {wanted!r}"]
    return [
        line
        for key in sorted(found.keys() | wanted.keys())
        for line in differences(found.get(key), wanted.get(key), f"{where} {key}")
    ]


def plain(answer: Any) -> Any:
    """An answer without digests."""
    if isinstance(answer, list):
        return [plain(each) for each in answer]
    return {key: value for key, value in answer.items() if key != "digest"}


def fault(practice: Practice, *words: str) -> None:
    """`lab faults` with any words."""
    done = practice.call("lab", "faults", *words, "--lab", str(practice.file("lab")))
    assert done.returncode == 0, done.stdout + done.stderr


def done(practice: Practice, method: str, path: str, **fields: str) -> None:
    """Ask for a task and wait for its end."""
    upid = practice.api(method, path, **fields)
    node = upid.split(":")[1]
    while practice.api("GET", f"nodes/{node}/tasks/{upid}/status")["status"] == "running":
        time.sleep(0.1)


def state_of(practice: Practice, stack: str) -> dict[str, Any]:
    """The engine's state of a stack, as its file has it."""
    folder = practice.state / "backend" / ".pulumi" / "stacks"
    (path,) = folder.glob(f"**/{stack}.json")
    found: dict[str, Any] = json.loads(Path(path).read_text())["checkpoint"]["latest"]
    return found
