"""What the engine's state says is deployed: guests, unfinished operations, outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from event.problems import RunError
from operate.engine import Engine
from operate.engine_errors import explain
from operate.event_log import GUEST_TYPES, short_type, spoken, urn_name
from operate.state_file import stop_if_torn

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedGuest:
    """A virtual machine of the state; `inputs` are as the provider was given them."""

    urn: str
    parent: str  # logical name of its component: the cluster's
    inputs: Inputs = field(repr=False)

    @property
    def logical(self) -> str:
        """Its logical name, which the engine's events tell."""
        return urn_name(self.urn)

    @property
    def name(self) -> str:
        """Its name at the API, which is its logical name for guests of an event."""
        return str(self.inputs.get("name") or urn_name(self.urn))

    @property
    def vmid(self) -> int:
        """Its VMID; 0 for one that the provider was to choose, which ours never are."""
        return int(self.inputs.get("vmId") or 0)

    @property
    def host(self) -> str:
        """The host that it was put on."""
        return str(self.inputs.get("nodeName") or "")

    @property
    def disk_gib(self) -> int:
        """The size of its first disk; 0 where the state does not tell."""
        first = next(iter(self.inputs.get("disks") or ()), None) or {}
        return int(first.get("size") or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An operation that an interrupted run has begun, and nobody knows how it ended."""

    urn: str
    type: str
    operation: str  # creating, updating, deleting, …
    inputs: Inputs = field(repr=False)

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return urn_name(self.urn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A resource whose last operation failed halfway: the state has what was wanted, not what is.

    `unfinished` is true while it was never complete: nothing but its creation has touched it.
    """

    urn: str
    type: str
    inputs: Inputs = field(repr=False)
    unfinished: bool

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return urn_name(self.urn)

    @property
    def vmid(self) -> int:
        """The VMID of a guest, or of the guest that a firewall object belongs to; 0 for others."""
        return int(self.inputs.get("vmId") or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The state of a stack."""

    guests: tuple[DeployedGuest, ...]
    broken: tuple[Broken, ...]  # of all types, guests included
    security_groups: Mapping[str, Inputs]  # inputs by name
    pools: frozenset[str]
    objects: tuple[tuple[str, Inputs], ...] = field(repr=False)  # type and inputs of each
    resources: int  # all of them, providers and components included
    pending: tuple[Pending, ...]
    outputs: Mapping[str, Any]
    raw: dict[str, Any] = field(repr=False)  # the exported deployment

    @property
    def vmids(self) -> frozenset[int]:
        """VMIDs of the state's guests and templates."""
        return frozenset(guest.vmid for guest in self.guests)

    @property
    def values(self) -> dict[str, Inputs]:
        """What the provider has read of each resource, by what people call it."""
        rows = (self.raw.get("deployment") or {}).get("resources") or []
        return {spoken(row["urn"]): row.get("outputs") or row.get("inputs") or {} for row in rows}

    @property
    def digest(self) -> str | None:
        """Digest of the plan that was last built completely."""
        value = self.outputs.get("planDigest")
        return str(value) if value else None


def deployed(engine: Engine) -> Deployed | None:
    """The state of the engine's stack; None when there is no such stack.

    `RunError` for a state that cannot be read, with what to type.
    """
    stop_if_torn(engine.variables.get("PULUMI_BACKEND_URL", ""), engine.stack.name)
    answer = engine.ask("stack", "export", "--stack", engine.stack.name)
    if answer.code != 0:
        if "no stack named" in answer.err:
            return None
        raise RunError(explain(answer.err or answer.out, engine.stack.name))
    return read_export(json.loads(answer.out))


def read_export(export: dict[str, Any]) -> Deployed:
    """The state in an exported deployment."""
    body = export.get("deployment") or {}
    resources: list[dict[str, Any]] = [
        each for each in body.get("resources") or [] if not each.get("delete")
    ]
    stack = next((each for each in resources if each["type"] == "pulumi:pulumi:Stack"), {})
    return Deployed(
        guests=tuple(_guests(resources)),
        broken=tuple(_broken(resources)),
        security_groups={
            str(each["inputs"].get("name")): each["inputs"]
            for each in resources
            if each["type"].startswith("proxmoxve:Cluster/") or "security" in each["type"].lower()
            if short_type(each["type"]) == "GroupLegacy" and each.get("inputs")
        },
        pools=frozenset(
            str(each["inputs"]["poolId"])
            for each in resources
            if short_type(each["type"]) == "PoolLegacy" and each.get("inputs")
        ),
        objects=tuple(map(_object, resources)),
        resources=len(resources),
        pending=tuple(
            Pending(
                urn=each["resource"]["urn"],
                type=short_type(each["resource"]["type"]),
                operation=str(each.get("type") or ""),
                inputs=each["resource"].get("inputs") or {},
            )
            for each in body.get("pending_operations") or []
        ),
        outputs=dict(stack.get("outputs") or {}),
        raw=export,
    )


def _object(resource: dict[str, Any]) -> tuple[str, Inputs]:
    """Type and inputs; the name of a file that was uploaded beside the others."""
    kind, inputs = short_type(resource["type"]), resource.get("inputs") or {}
    if kind == "FileLegacy":
        inputs = {**inputs, "fileName": (inputs.get("sourceFile") or {}).get("fileName")}
    return kind, inputs


def _guests(resources: Iterable[dict[str, Any]]) -> Iterable[DeployedGuest]:
    for each in resources:
        if short_type(each["type"]) in GUEST_TYPES:
            yield DeployedGuest(
                urn=each["urn"],
                parent=urn_name(each.get("parent") or ""),
                inputs=each.get("inputs") or {},
            )


def _broken(resources: Iterable[dict[str, Any]]) -> Iterable[Broken]:
    """The engine writes both times at a creation, and the second one again at each change."""
    for each in resources:
        if each.get("initErrors"):
            created = each.get("created")
            yield Broken(
                urn=each["urn"],
                type=short_type(each["type"]),
                inputs=each.get("inputs") or {},
                unfinished=created is not None and created == each.get("modified"),
            )


NOTHING = read_export({})
"""The state of a stack that was never built, or whose state was lost."""
