"""Orders: the files and scripts that one guest gets, in the order in which they are carried out.

Nothing here talks to a guest. Texts may derive from the event's secret, so none of them is part
of a representation; a digest tells whether something has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file for a guest. `owner` is a login of the guest; its group is that login's own."""

    path: str
    text: str = field(repr=False)
    mode: str = "0644"
    owner: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script of sh that root runs on a guest. `given` goes to its standard input.

    It runs again only when its text, its input or one of the `files` of its level has changed.
    """

    name: str
    text: str = field(repr=False)
    given: str = field(default="", repr=False)
    files: tuple[File, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """Changes exactly when the script has to run again."""
        parts = [self.name, self.text, self.given]
        parts += [part for file in self.files for part in (file.path, file.text)]
        return digest(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Everything for one guest; `checks` run once all guests of the cluster have theirs."""

    guest: str
    vmid: int
    level: str
    files: tuple[File, ...]
    scripts: tuple[Script, ...]
    checks: tuple[Script, ...] = ()
    marks: tuple[Script, ...] = ()  # of playbooks that it is in

    def as_json(self, *, force: bool = False) -> dict[str, Any]:
        """What the carrier on the guest reads. Holds secrets."""
        return {
            "force": force,
            "level": self.level,
            "files": [
                {"path": each.path, "mode": each.mode, "owner": each.owner, "text": each.text}
                for each in self.files
            ],
            "scripts": [_script(each) for each in self.scripts],
            "marks": [{"name": each.name, "digest": each.digest} for each in self.marks],
        }

    def checks_as_json(self) -> dict[str, Any]:
        """The checks, as orders that are never remembered as done."""
        return {"files": [], "scripts": [_script(each, again=True) for each in self.checks]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """An Ansible playbook for guests of a cluster; `facts` by guest become its variables.

    It runs again when one of its guests has not had it with this `digest`.
    """

    name: str
    path: Path = field(repr=False)
    digest: str
    facts: Mapping[str, dict[str, Any]]

    @property
    def mark(self) -> Script:
        """What a guest remembers it by once it has ended well."""
        return Script(name=f"playbook {self.name}", text=":", given=self.digest)

    def done_as_json(self) -> dict[str, Any]:
        """Orders by which a guest remembers that it was played."""
        return {"files": [], "scripts": [_script(self.mark)]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOrders:
    """Orders for the guests of one cluster; the head comes first."""

    cluster: str
    guests: tuple[Orders, ...]
    playbooks: tuple[Playbook, ...] = ()

    @property
    def digest(self) -> str:
        """Changes exactly when something for one of the guests has: 16 hex digits, no secret.

        The texts hold keys of 256 bits, which nobody can search through.
        """
        parts = [part for each in self.playbooks for part in (each.name, each.digest)]
        for orders in self.guests:
            parts += [orders.guest, orders.level]
            parts += [each.digest for each in (*orders.scripts, *orders.checks)]
            for file in orders.files:
                parts += [file.path, file.mode, file.owner, file.text]
        return digest(parts)[:16]


def _script(script: Script, *, again: bool = False) -> dict[str, Any]:
    return {
        "name": script.name,
        "text": script.text,
        "given": script.given,
        "digest": "" if again else script.digest,
    }


def digest(parts: Iterable[str]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode()
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
