"""What a cluster without quorum refuses, and a held lock of one of its files: which, how, when.

Three kinds of refusal were seen: what asks for quorum first is refused at once; what locks a file
of the cluster, after ten seconds; what writes a guest's configuration, with the system's own words.
Patterns are of method and path; `FILES` names the lock and the words in front of its error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

NOT_READY = "cluster not ready - no quorum?"
_PID = 140  # of the process in the name of a temporary file; one like any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a write fails; `waits` when only after the time that a lock of the cluster is awaited."""

    text: str
    waits: bool = False


_AT_ONCE = re.compile(
    r"POST /nodes/[^/]+/(qemu|lxc)"
    r"|POST /nodes/[^/]+/(qemu|lxc)/\d+/(status/start|migrate)"
    r"|(POST|PUT|DELETE) /cluster/ha/.*"
)
_GUEST_FILE = re.compile(r"PUT /nodes/([^/]+)/(qemu|lxc)/(\d+)/(config|unlink|cloudinit)")

# Path, lock, words for POST, PUT and DELETE.
_OBJECTS = r"(zone|vnet|controller|dns|ipam)s?"
_FILES: tuple[tuple[str, str, tuple[str, str, str]], ...] = (
    (
        r"/access/users/[^/]+/token/[^/]+",
        "file-user_cfg",
        ("generating token failed: ", "updating token failed: ", "deleting token failed: "),
    ),
    (
        r"/access/users(/[^/]+)?",
        "file-user_cfg",
        ("create user failed: ", "update user failed: ", "delete user failed: "),
    ),
    (
        r"/access/groups(/.+)?",
        "file-user_cfg",
        ("create group failed: ", "update group failed: ", "delete group failed: "),
    ),
    (
        r"/access/roles(/.+)?",
        "file-user_cfg",
        ("create role failed: ", "update role failed: ", "delete role failed: "),
    ),
    (r"/access/acl", "file-user_cfg", ("", "ACL update failed: ", "")),
    (
        r"/access/domains(/.+)?",
        "file-domains_cfg",
        ("add auth server failed: ", "update auth server failed: ", "delete auth server failed: "),
    ),
    (
        r"/pools(/.+)?",
        "file-user_cfg",
        ("create pool failed: ", "update pools failed: ", "delete pool failed: "),
    ),
    (
        r"/storage(/.+)?",
        "file-storage_cfg",
        ("create storage failed: ", "update storage failed: ", "delete storage failed: "),
    ),
    (
        r"/cluster/sdn/vnets/[^/]+/subnets(/.+)?",
        "file-sdn__running-config",
        (
            "create sdn subnet object failed: ",
            "update sdn subnet object failed: ",
            "delete sdn subnet object failed: ",
        ),
    ),
    (
        rf"/cluster/sdn/(?P<object>{_OBJECTS})(/[^/]+)?",
        "file-sdn__running-config",
        (
            "create sdn {object} object failed: ",
            "update sdn {object} object failed: ",
            "delete sdn {object} object failed: ",
        ),
    ),
    (r"/cluster/sdn", "file-sdn__running-config", ("", "", "")),
    (r"/cluster/firewall/.+", "firewall-cluster", ("", "", "")),
    (r"/nodes/(?P<host>[^/]+)/firewall/.+", "firewall-host-{host}", ("", "", "")),
    (
        r"/nodes/[^/]+/(qemu|lxc)/(?P<vmid>\d+)/firewall/.+",
        "firewall-vm-{vmid}",
        ("", "", ""),
    ),
    (r"/access/password", "file-priv_shadow_cfg", ("", "", "")),
    (r"/cluster/backup(/.+)?", "file-jobs_cfg", ("", "", "")),
    (r"/cluster/replication(/.+)?", "file-replication_cfg", ("", "", "")),
    (r"/cluster/mapping/(?P<object>pci|usb|dir)(/.+)?", "file-mapping_{object}_cfg", ("", "", "")),
    (r"/cluster/metrics/server/.+", "file-status_cfg", ("", "", "")),
    (r"/cluster/options", "file-datacenter_cfg", ("", "", "")),
)
_VERBS = ("POST", "PUT", "DELETE")

# Tasks that write a guest's configuration; others, such as a stop, go on without quorum.
_WRITING_TASKS = frozenset(
    {"qmclone", "qmconfig", "qmdelsnapshot", "qmdestroy", "qmmove", "qmrollback", "qmsnapshot",
     "qmtemplate", "resize", "vzclone", "vzdelsnapshot", "vzdestroy", "vzrollback", "vzsnapshot",
     "vztemplate", "move_volume"}
)  # fmt: skip


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str, tuple[str, str, str]], ...]:
    return tuple((re.compile(path), lock, words) for path, lock, words in _FILES)


def cluster_lock(method: str, path: str) -> tuple[str, str] | None:
    """The lock of a cluster's file that a write takes, and the words in front of its error."""
    if method not in _VERBS:
        return None
    for pattern, lock, words in _patterns():
        if found := pattern.fullmatch(path):
            names = {name: value or "" for name, value in found.groupdict().items()}
            if "object" in names and names["object"] != "dns":
                names["object"] = names["object"].removesuffix("s")
            prefix = words[_VERBS.index(method)]
            return lock.format(**names), prefix.format(**names)
    return None


def lock_name(file: str) -> str:
    """The lock of a file such as `user.cfg`; a lock's own name stays as it is."""
    if file.startswith(("file-", "firewall-")):
        return file
    return "file-" + re.sub(r"[./]", "_", file)


def refused(method: str, path: str) -> Refusal | None:
    """How a call fails without quorum, or None for one that needs none."""
    asked = f"{method} {path}"
    if _AT_ONCE.fullmatch(asked):
        return Refusal(text=NOT_READY)
    if found := _GUEST_FILE.fullmatch(asked):
        return Refusal(text=not_writable(found[1], found[2], found[3]))
    if lock := cluster_lock(method, path):
        return Refusal(text=f"{lock[1]}cfs-lock '{lock[0]}' error: no quorum!", waits=True)
    return None


def not_writable(node: str, kind: str, vmid: int | str) -> str:
    """What the cluster's file system says of a guest's configuration without quorum."""
    folder = "qemu-server" if kind == "qemu" else "lxc"
    return (
        f"unable to open file '/etc/pve/nodes/{node}/{folder}/{vmid}.conf.tmp.{_PID}' - "
        "Permission denied"
    )


def task_refused(node: str, kind: str, about: str) -> str | None:
    """How a task fails without quorum, or None for one that needs none."""
    if kind not in _WRITING_TASKS:
        return None
    return not_writable(node, "lxc" if kind.startswith("vz") else "qemu", about)
