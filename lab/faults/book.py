"""All faults of a lab: add, list, clear, and what the rest of the lab asks about them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lab.faults import quorum, status_daemon
from lab.faults.kinds import Scope
from lab.faults.rule import FaultError, Rule, make_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab


class Faults:
    """The faults of one lab; `changes` counts what was added or ended.

    They are kept in memory only: a lab that is started again is sound.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._rules: list[Rule] = []
        self._numbers = 0
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._blocks: dict[int, list[tuple[str, asyncio.Task[None]]]] = {}
        self._daemons: dict[int, asyncio.Task[None]] = {}
        self.changes = 0

    async def add(self, asked: dict[str, Any]) -> Rule:
        """Add a fault; `FaultError` for one that cannot be."""
        rule = make_rule(self._numbers + 1, asked)
        self._check_names(rule)
        self._numbers += 1
        self._rules.append(rule)
        self.changes += 1
        self._begin(rule)
        if (seconds := rule.get("seconds")) is not None:
            loop = asyncio.get_running_loop()
            self._timers[rule.number] = loop.call_later(seconds, self._end, rule)
        await asyncio.sleep(0)  # a free lock is held from now on
        return rule

    def _check_names(self, rule: Rule) -> None:
        """Whether host, storage and guest exist."""
        store = self._lab.store
        for setting, kind in (("host", "node"), ("storage", "storage")):
            name = rule.get(setting)
            if name is not None and store.get(kind, name) is None:
                known = ", ".join(key for key, _ in store.items(kind))
                raise FaultError(f"{setting}: there is no {name!r}; there are {known}")
        if rule.kind == "guest-locked" and self._guest_kind(rule.get("vmid")) is None:
            raise FaultError(f"vmid: there is no guest {rule.get('vmid')}")

    def _guest_kind(self, vmid: int) -> str | None:
        kinds = ("qemu", "lxc")
        return next((k for k in kinds if self._lab.store.get(k, str(vmid)) is not None), None)

    def listed(self) -> list[dict[str, Any]]:
        """All faults, those that are over included."""
        return [rule.as_record() for rule in self._rules]

    def clear(self, numbers: list[int] | None = None) -> list[int]:
        """End faults and forget them, all without `numbers`; the numbers of those there were."""
        chosen = [r for r in self._rules if numbers is None or r.number in numbers]
        for rule in chosen:
            self._end(rule)
            self._rules.remove(rule)
        return [rule.number for rule in chosen]

    def _begin(self, rule: Rule) -> None:
        if rule.kind == "lock-held":
            blocks = [
                (name, asyncio.ensure_future(self._lab.locks.block(name)))
                for name in self._lock_names(rule)
            ]
            self._blocks[rule.number] = blocks
        elif rule.kind == "guest-locked":
            self._mark_guest(rule, rule.get("text"))
        elif rule.kind == "host-offline":
            self._lab.travellers.lose(rule.get("host"))
            if rule.get("crash"):
                self._lab.tasks.kill_all_on(rule.get("host"))
        elif rule.kind == "slow-pvestatd":
            from lab.sections.resources import guest_rows  # the sections know the faults

            work = status_daemon.rounds(self._lab, rule, guest_rows)
            self._daemons[rule.number] = asyncio.ensure_future(work)

    def _end(self, rule: Rule) -> None:
        """Whatever a fault has changed is as before; a crashed host comes back with guests off."""
        if rule.ended:
            return
        rule.ended = True
        self.changes += 1
        if timer := self._timers.pop(rule.number, None):
            timer.cancel()
        if daemon := self._daemons.pop(rule.number, None):
            daemon.cancel()
        for name, task in self._blocks.pop(rule.number, []):
            task.cancel()
            self._lab.locks.unblock(name)
        if rule.kind == "guest-locked":
            self._mark_guest(rule, None)
        elif rule.kind == "host-offline" and rule.get("crash"):
            self._boot(rule.get("host"))

    def _lock_names(self, rule: Rule) -> list[str]:
        if vmid := rule.get("vmid"):
            return [f"guest/{vmid}"]
        storage = rule.get("storage")
        if storage is None:
            return []  # a file's lock: asked for by name
        if self._lab.shared(storage):
            return [f"storage/{storage}"]
        hosts = [rule.get("host")] if rule.get("host") else [n["name"] for n in self._lab.nodes()]
        return [f"storage/{host}/{storage}" for host in hosts]

    def _mark_guest(self, rule: Rule, word: str | None) -> None:
        store, vmid = self._lab.store, str(rule.get("vmid"))
        kind = self._guest_kind(rule.get("vmid"))
        row = store.get(kind, vmid) if kind else None
        if kind is None or row is None:
            return
        config = {key: value for key, value in row["config"].items() if key != "lock"}
        if word is None and row["config"].get("lock") != rule.get("text"):
            return
        store.put(kind, vmid, {**row, "config": config | ({"lock": word} if word else {})})
        store.commit()

    def _boot(self, host: str) -> None:
        """A host starts again: only guests that are marked for it start with it."""
        store = self._lab.store
        for kind in ("qemu", "lxc"):
            for vmid, row in store.items(kind):
                if row["node"] == host and row["status"] == "running" and not _starts(row):
                    stopped = {"status": "stopped", "since": 0, "pid": 0}
                    if "qmp" in row:
                        stopped["qmp"] = "stopped"
                    store.put(kind, vmid, {**row, **stopped})
        store.commit()

    def _of_kind(self, *kinds: str) -> Iterator[Rule]:
        return (rule for rule in self._rules if rule.kind in kinds and rule.active)

    def of_request(self, method: str, path: str, host: str | None) -> list[Rule]:
        """The faults that strike a request: delays and fields, and at most one that ends it."""
        found: list[Rule] = []
        ended = False
        for rule in self._rules:
            if rule.scope is not Scope.REQUEST or not rule.fits_request(method, path, host):
                continue
            goes_on = rule.kind in ("delay", "field")
            if (goes_on or not ended) and rule.strikes():
                found.append(rule)
                ended = ended or not goes_on
        return found

    def of_task(self, kind: str, about: str, host: str, *, start: bool) -> list[Rule]:
        """The faults that strike a task: those that keep it from starting, or the others."""
        return [
            rule
            for rule in self._rules
            if rule.scope is Scope.TASK
            and (rule.kind == "no-worker") == start
            and rule.fits_task(kind, about, host)
            and rule.strikes()
        ]

    def state(self, kind: str, **settings: Any) -> Rule | None:
        """The first active fault of a kind whose settings, where it has them, are these."""
        for rule in self._of_kind(kind):
            if all(rule.get(name, value) == value for name, value in settings.items()):
                return rule
        return None

    def offline(self, host: str) -> bool:
        """Whether a host cannot be reached."""
        return bool(self._rules) and self.state("host-offline", host=host) is not None

    @property
    def quorate(self) -> bool:
        """Whether more than half of the hosts see each other, and nothing else is wrong."""
        if not self._rules:
            return True
        nodes = self._lab.nodes()
        online = sum(not self.offline(node["name"]) for node in nodes)
        return next(self._of_kind("no-quorum"), None) is None and 2 * online > len(nodes)

    def held_file(self, lock: str) -> Rule | None:
        """The fault that holds the lock of one of the cluster's files."""
        for rule in self._of_kind("lock-held"):
            if rule.get("file") is not None and quorum.lock_name(rule.get("file")) == lock:
                return rule
        return None

    def full(self, storage: str, node: str) -> Rule | None:
        """The fault that says that nothing more fits on a storage of a host."""
        return self.state("storage-full", storage=storage, host=node) if self._rules else None

    def __bool__(self) -> bool:
        return bool(self._rules)


def _starts(row: dict[str, Any]) -> bool:
    return bool(row["config"].get("onboot"))
