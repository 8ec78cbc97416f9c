"""The drive with a guest's cloud-init data, as Proxmox VE makes it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from lab.engines.lxc.programs import run
from lab.guests.cloudinit import documents
from lab.guests.options import is_windows


def label(config: dict[str, Any]) -> str:
    """The name of the drive's file system, by which cloud-init finds it."""
    return "config-2" if _is_config_drive(config) else "cidata"


def files(config: dict[str, Any], vmid: int) -> dict[str, str]:
    """What is on the drive, by path."""
    found = documents(config, vmid)
    if _is_config_drive(config):
        place, number = "openstack/latest", found["meta"].split()[-1]
        meta = {"uuid": number, "network_config": {"content_path": "/content/0000"}}
        return {
            f"{place}/user_data": found["user"],
            f"{place}/meta_data.json": f"{json.dumps(meta)}\n",
            "openstack/content/0000": found["network"],
        }
    return {
        "user-data": found["user"],
        "network-config": found["network"],
        "meta-data": found["meta"],
    }


def _is_config_drive(config: dict[str, Any]) -> bool:
    kind = config.get("citype")
    return kind == "configdrive2" or (not kind and is_windows(config.get("ostype")))


def command(target: Path, folder: Path, config: dict[str, Any]) -> list[str]:
    """The command that writes a folder as such a drive."""
    words = ["genisoimage", "-quiet", "-iso-level", "3", "-rational-rock", "-joliet"]
    return [*words, "-volid", label(config), "-output", str(target), str(folder)]


async def write(target: Path, config: dict[str, Any], vmid: int) -> None:
    """Write the drive; it has secrets, so only its owner may read it."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with tempfile.TemporaryDirectory(prefix=".seed-", dir=target.parent) as place:
        for name, content in files(config, vmid).items():
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        await run(*command(target, Path(place), config))
