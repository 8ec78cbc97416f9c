"""What a backup archive holds, how it is called, and the configuration text in it.

`backup` of a volume's row: `kind` (`qemu` or `lxc`), `config` (without lock, parent and unused
volumes), `firewall` (the guest's settings or None) and `disks`: key to `size`, `used`, `filled`,
`origin`, `format` and `storage` of what was saved.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from lab.errors import failure
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.machine import Machine

Contents = dict[str, Any]
COMPRESSORS = {"gzip": "gz", "1": "lzo", "lzo": "lzo", "zstd": "zst"}
_STANDARD = re.compile(
    r"vzdump-(openvz|lxc|qemu)-(\d+)-(\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d)"
    r"\.(?:tgz|(?:tar|vma)(?:\.(?:gz|lzo|zst|bz2))?)"
)
_KIND = re.compile(r"vzdump-(openvz|lxc|qemu)-.+")
_STAMP = "%Y_%m_%d-%H_%M_%S"
_LEFT_OUT = re.compile(r"lock|parent|unused\d+")


def file_name(kind: str, vmid: int, moment: float, compress: str) -> str:
    """The name of a backup made at a moment."""
    stamp = time.strftime(_STAMP, time.localtime(moment))
    extension = "vma" if kind == "qemu" else "tar"
    packed = COMPRESSORS.get(compress)
    return f"vzdump-{kind}-{vmid}-{stamp}.{extension}" + (f".{packed}" if packed else "")


def parse_file_name(file: str) -> tuple[str, int, int] | None:
    """Kind, guest and time (seconds since 1970) that a backup's name says; None for a name that
    somebody made up."""
    found = _STANDARD.fullmatch(file)
    if found is None:
        return None
    return found[1], int(found[2]), int(time.mktime(time.strptime(found[3], _STAMP)))


def kind_of(file: str) -> str:
    """The kind of guest in a backup, by its name; `unknown` when the name does not say."""
    found = _KIND.fullmatch(file)
    return found[1] if found else "unknown"


def contents_of(machine: Machine, keys: list[str]) -> Contents:
    """What an archive of a guest holds, with the disks `keys`."""
    rows, lab = volumes(machine.lab), machine.lab
    disks = {}
    for key, volid in machine.disks(machine.config):
        if key in keys:
            row = rows.require(volid, machine.node)
            kept = ("size", "used", "filled", "origin", "format", "storage")
            disks[key] = {name: row[name] for name in kept}
    return {
        "kind": machine.KIND,
        "config": {k: v for k, v in machine.config.items() if not _LEFT_OUT.fullmatch(k)},
        "firewall": lab.store.get("firewall", f"vm/{machine.vmid}"),
        "disks": disks,
    }


def size_of(contents: Contents) -> int:
    """How large the archive is: what is used on the disks, and the configuration."""
    used = sum(int(disk["used"]) for disk in contents["disks"].values())
    return used + len(config_text(contents).encode())


def config_text(contents: Contents) -> str:
    """The configuration file in an archive."""
    config = dict(contents["config"])
    text = str(config.pop("description", ""))
    lines = [f"#{line}" for line in text.splitlines()]
    lines += [f"{key}: {config[key]}" for key in sorted(config)]
    if contents["kind"] == "qemu":
        lines += [
            f"#qmdump#map:{key}:drive-{key}:{disk['storage']}:{disk['format']}:"
            for key, disk in sorted(contents["disks"].items())
        ]
    return "".join(f"{line}\n" for line in lines)


def require_contents(lab: Lab, volid: str, node: str) -> Contents:
    """What a backup holds; 500 when it is not there, or is a file without a guest in it."""
    row = volumes(lab).require(volid, node)
    contents: Contents | None = row.get("backup")
    if contents is None:
        raise failure(f"ERROR: archive '{volid}' contains no configuration file")
    return contents
