"""Scenarios of calls and answers, replayed against an endpoint.

A scenario is a JSON file: `{"title": …, "needs": "3 nodes", "steps": […]}`. A step has

- `method`, `path`, `params` (an object, or pairs when a key comes twice); instead of `params`
  a `raw` body with its `content_type`; or besides them a `file` `{"name", "size", "field"}`
- `as`: who asks. Absent: who the endpoint is opened for; `none`; `csrf:VALUE`; `cookie:VALUE`;
  `ticket:USER:PASSWORD`; `token:USER@REALM!NAME=SECRET`
- `save`: `{"variable": "data.key"}` for later steps; `until`: ask again until the answer has these
  values; `pick`: keep only members of a list that fit; `mask`: hide these keys too
- `answer`: `{"status", "reason", "body"}`, and `task`: `{"exitstatus", "last"}`, both masked

`{name}` in a path, a parameter, a body or `as` is a variable: `{node}` `{node2}` `{node3}`,
`{address}`…, `{storage}`, `{web}`, `{digest}` and `{upid}` of the answer before, and what was
saved.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.endpoint import Endpoint, Reply
from tests.conformance.masks import Mask, Vmids, differences

PATIENCE_S = 60
TASK_S = 180
Step = dict[str, Any]


@dataclass(slots=True)
class Fault:
    """A step that was answered otherwise than it should be."""

    number: int
    step: Step
    lines: list[str]

    def __str__(self) -> str:
        step = self.step
        head = f"step {self.number} {step['method']} {step['path']} {step.get('params') or ''}"
        return "\n    ".join([head.rstrip(), *self.lines])


@dataclass(slots=True)
class Replay:
    """Asks an endpoint what scenarios say. `vmid` is the first of 800 numbers for guests."""

    endpoint: Endpoint
    storage: str = "local"
    web: str = "127.0.0.1:8085"
    vmid: int = Vmids.FIRST
    first_node: str | None = None
    nodes: list[str] = field(init=False)
    _names: dict[str, str | None] = field(init=False)
    _mask: Mask = field(init=False)
    _vmids: Vmids = field(init=False)

    def __post_init__(self) -> None:
        """Learn the names of hosts, their addresses and the cluster's name."""
        self.nodes = sorted(each["node"] for each in self.endpoint.get("nodes"))
        if self.first_node:
            self.nodes = sorted(self.nodes, key=lambda name: (name != self.first_node, name))
        rows = self.endpoint.get("cluster/status")
        address = {row["name"]: row.get("ip") for row in rows}
        self._names = {}
        for number, name in enumerate(self.nodes, 1):
            suffix = "" if number == 1 else str(number)
            self._names |= {f"node{suffix}": name, f"address{suffix}": address.get(name)}
        cluster = next((row["name"] for row in rows if row["type"] == "cluster"), None)
        self._vmids = Vmids(self.vmid)
        self._mask = Mask({**self._names, "web": self.web, "cluster": cluster}, self._vmids)

    def lacks(self, scenario: Path) -> str | None:
        """What a scenario needs and the endpoint does not have."""
        needs = json.loads(scenario.read_text()).get("needs") or "1 nodes"
        return needs if len(self.nodes) < int(needs.split()[0]) else None

    def play(self, scenario: Path) -> list[Fault]:
        """All steps of a scenario, also those after one with another answer than wanted."""
        return [
            Fault(number, step, lines)
            for number, step, found in self.answers(scenario)
            if (lines := list(differences(_wanted(step), found)))
        ]

    def answers(self, scenario: Path) -> list[tuple[int, Step, dict[str, Any]]]:
        """Each step with its number and the masked answer."""
        variables: dict[str, Any] = {**self._names, "storage": self.storage, "web": self.web}
        steps = json.loads(scenario.read_text())["steps"]
        return [(number, step, self._step(step, variables)) for number, step in enumerate(steps, 1)]

    def _step(self, step: Step, variables: dict[str, Any]) -> dict[str, Any]:
        reply = self._asked(step, variables)
        for name, place in (step.get("save") or {}).items():
            variables[name] = _at(reply.body, place)
        data = reply.data
        if isinstance(data, dict) and data.get("digest"):
            variables["digest"] = data["digest"]
        body = self._mask.value(reply.body, step.get("mask") or ())
        reason = self._mask.text(reply.reason)
        found: dict[str, Any] = {"answer": {"status": reply.status, "reason": reason, "body": body}}
        if reply.status == 200 and isinstance(data, str) and data.startswith("UPID:"):
            variables["upid"] = data
            found["task"] = self._mask.value(self._ended(data))
        return found

    def _asked(self, step: Step, variables: dict[str, Any]) -> Reply:
        wanted = _filled(step.get("until") or {}, variables)
        end = time.monotonic() + PATIENCE_S
        while True:
            reply = self._ask(step, variables)
            if step.get("pick") and isinstance(reply.data, list):
                pick = self._sent(step["pick"], variables)
                reply.body["data"] = [row for row in reply.data if _fits(row, pick)]
            if _fits_all(reply.body, wanted) or time.monotonic() > end:
                return reply
            time.sleep(0.2)

    def _ask(self, step: Step, variables: dict[str, Any]) -> Reply:
        method, path = step["method"], self._sent(step["path"], variables)
        params = self._sent(step.get("params") or {}, variables)
        pairs = list(params.items()) if isinstance(params, dict) else [tuple(p) for p in params]
        who = self._sent(step.get("as"), variables)
        if "file" in step:
            return self.endpoint.upload(path, pairs, _filled(step["file"], variables), who)
        if "raw" in step:
            kind = step.get("content_type", "application/x-www-form-urlencoded")
            headers = {**self.endpoint.identity(who), "Content-Type": kind}
            return self.endpoint.send(method, path, self._sent(step["raw"], variables), headers)
        return self.endpoint.ask(method, path, pairs, who)

    def _sent(self, value: Any, variables: dict[str, Any]) -> Any:
        return _mapped(_filled(value, variables), self._vmids.moved)

    def _ended(self, upid: str) -> dict[str, Any]:
        """The exit status of a task and the last line of its log."""
        place = f"nodes/{upid.split(':')[1]}/tasks/{upid}"
        end = time.monotonic() + TASK_S
        while (state := self.endpoint.get(f"{place}/status"))["status"] == "running":
            if time.monotonic() > end:
                return {"exitstatus": "<still running>", "last": None}
            time.sleep(0.1)
        log = self.endpoint.get(f"{place}/log", limit=500)
        return {"exitstatus": state.get("exitstatus"), "last": log[-1]["t"] if log else None}


def _wanted(step: Step) -> dict[str, Any]:
    return {key: step[key] for key in ("answer", "task") if key in step}


def _filled(value: Any, variables: dict[str, Any]) -> Any:
    return _mapped(
        value, lambda text: re.sub(r"\{(\w+)\}", lambda m: str(variables.get(m[1], m[0])), text)
    )


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(member, change) for member in value]
    if isinstance(value, dict):
        return {key: _mapped(member, change) for key, member in value.items()}
    return value


def _at(value: Any, place: str) -> Any:
    for part in place.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _fits(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(str(row.get(key)) == str(value) for key, value in wanted.items())


def _fits_all(body: Any, wanted: dict[str, Any]) -> bool:
    return all(str(_at(body, place)) == str(value) for place, value in wanted.items())
