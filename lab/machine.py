"""What virtual machines and containers have in common: the record of a guest.

A row is keyed by the VMID: `node`, `config` (numbers and texts as the API shows them), `pending`
(values that wait), `pending_delete` (keys whose removal waits, with 1 when volumes are to be
destroyed with them), `status` (`running` or `stopped`), `since` (time of the start), `pid`, and
`snapshots`: configurations by name, each with `snaptime`, `parent`, `description`, `vmstate` (the
volume with the memory) and, while one is made or removed, `snapstate`.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from lab.digest import CHANGED, told
from lab.errors import bad_parameters, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab

Config = dict[str, Any]
_UNUSED = re.compile(r"unused\d+")
_STARTUP = re.compile(r"(?:^|,)\s*(?:(order|up|down)=)?(\d+)(?=,|$)")


@dataclass(slots=True, kw_only=True)
class Machine:
    """A working copy of a guest's row; nothing changes before `save`.

    `KIND` is the kind of the row and the type in lists, `WORD` what messages call a guest.
    """

    KIND: ClassVar[str]
    WORD: ClassVar[str]

    lab: Lab
    vmid: int
    node: str
    config: Config = field(default_factory=dict)
    pending: Config = field(default_factory=dict)
    pending_delete: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, Config] = field(default_factory=dict)
    status: str = "stopped"
    since: float = 0
    pid: int = 0

    @property
    def running(self) -> bool:
        """Whether the guest has power (a paused one has)."""
        return self.status == "running"

    @property
    def template(self) -> bool:
        """Whether the guest is a template."""
        return bool(self.config.get("template"))

    @property
    def digest(self) -> str:
        """A fingerprint of the record, as a configuration file has."""
        return hashlib.sha1(
            orjson.dumps(self.content(), option=orjson.OPT_SORT_KEYS), usedforsecurity=False
        ).hexdigest()

    def content(self) -> tuple[Config, ...]:
        """What a configuration file would hold."""
        return self.config, self.pending, self.pending_delete, self.snapshots

    def row(self) -> dict[str, Any]:
        """What is kept; its values are not the working copy's."""
        return {
            "node": self.node,
            "config": dict(self.config),
            "pending": dict(self.pending),
            "pending_delete": dict(self.pending_delete),
            "snapshots": {name: dict(config) for name, config in self.snapshots.items()},
            "status": self.status,
            "since": self.since,
            "pid": self.pid,
        }

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is changed inside is forgotten when it fails."""
        before = dict(self.config), dict(self.pending), dict(self.pending_delete)
        try:
            yield
        except BaseException:
            self.config, self.pending, self.pending_delete = before
            raise

    def shown(self, snapshot: str | None, *, current: bool) -> Config:
        """The configuration that a snapshot holds; else the present one, with pending changes as
        if they were in force, or without (`current`)."""
        if snapshot:
            return dict(self.snapshot(snapshot))
        if current:
            return dict(self.config)
        merged = self.config | self.pending
        # What Perl takes for false is shown on, although its removal waits too.
        return {
            key: value
            for key, value in merged.items()
            if key not in self.pending_delete or value in (0, "0", "")
        }

    def disks(self, config: Config) -> list[tuple[str, str]]:
        """Key and volume of the disks of a configuration of the guest."""
        raise NotImplementedError

    def save(self) -> None:
        """Write the copy; a volume that is attached again is no longer unused."""
        unused = [key for key in self.config if _UNUSED.fullmatch(key)]
        if unused:
            attached = {volid for _, volid in self.disks(self.config)}
            for key in unused:
                if self.config[key] in attached:
                    del self.config[key]
        self.lab.store.put(self.KIND, str(self.vmid), self.row())

    def remove(self) -> None:
        """Take the guest out of the cluster."""
        self.lab.store.delete(self.KIND, str(self.vmid))

    def check_lock(self) -> None:
        """500 when a backup, a clone or the like holds the guest."""
        if lock := self.config.get("lock"):
            raise failure(f"{self.WORD} is locked ({lock})")

    def check_protection(self, text: str) -> None:
        """500 when the guest is protected from what `text` says cannot be done."""
        if self.config.get("protection"):
            raise failure(f"{text} - protection mode enabled")

    def in_snapshot(self, volid: str) -> bool:
        """Whether a volume belongs to a snapshot of the guest."""
        return any(
            volume == volid
            for config in self.snapshots.values()
            for _, volume in self.disks(config)
        )

    def snapshot(self, name: str) -> Config:
        """The configuration in a snapshot; 500 when there is none of that name."""
        found = self.snapshots.get(name)
        if found is None:
            raise failure(f"snapshot '{name}' does not exist")
        return found


def fields_of(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a working copy of a row."""
    return {
        "node": row["node"],
        "config": dict(row["config"]),
        "pending": dict(row["pending"]),
        "pending_delete": dict(row["pending_delete"]),
        "snapshots": {name: dict(config) for name, config in row.get("snapshots", {}).items()},
        "status": row["status"],
        "since": row["since"],
        "pid": row["pid"],
    }


def occupied_by(lab: Lab, vmid: int | str) -> tuple[str, str] | None:
    """Kind and host of the guest that has a number (`VM` or `CT`), or None."""
    for kind, word in (("qemu", "VM"), ("lxc", "CT")):
        if row := lab.store.get(kind, str(vmid)):
            return word, row["node"]
    return None


def check_unused(lab: Lab, vmid: int | str) -> None:
    """500 when a number is taken."""
    if taken := occupied_by(lab, vmid):
        kind, node = taken
        raise failure(f"{kind} {vmid} already exists on node '{node}'")


def check_neighbours(lab: Lab, one: tuple[str, int], other: tuple[str, int], both: str) -> None:
    """500 unless two guests, each with the word that it is called by, are there and on one host."""
    hosts = []
    for word, vmid in (one, other):
        if (place := occupied_by(lab, vmid)) is None:
            raise failure(f"could not find {word} {vmid}")
        hosts.append(place[1])
    if hosts[0] != hosts[1]:
        raise failure(f"Both {both} need to be on the same node ({hosts[0]} != {hosts[1]})")


def check_unchanged(machine: Machine, digest: str | None, whose: str = "") -> None:
    """500 when the caller saw another state of the configuration; `whose` begins the message."""
    if told(digest) and digest != machine.digest:
        raise failure(f"{whose}{CHANGED}")


def startup(config: Config) -> dict[str, int]:
    """What a guest's `startup` says of its turn (`order`) and of seconds to wait (`up`, `down`)."""
    parts = _STARTUP.findall(str(config.get("startup", "")))
    return {name or "order": int(number) for name, number in reversed(parts)}


def read_choice(params: dict[str, Any]) -> tuple[str | None, bool]:
    """The snapshot that a caller asks for, or whether it is what is in force; 400 for both."""
    snapshot, current = params.get("snapshot"), bool(params.get("current"))
    if snapshot and current:
        text = "cannot use 'snapshot' parameter with 'current'"
        raise bad_parameters({"snapshot": text, "current": text})
    return snapshot, current
