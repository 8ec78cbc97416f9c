"""Records every resource that a program registers, as plain data for golden files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime import mocks

# The engine's own marker of a secret value inside a property (sdk/proto, "special signature").
STACK = "pulumi:pulumi:Stack"
SIGNATURE = "4dabf18193072939515e22adb298388d"


class EchoMocks(mocks.Mocks):
    """Every resource comes out as it went in; a look-up of any kind is a failure."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"the program looks something up: {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)


class RecordingMonitor(mocks.MockMonitor):
    """A monitor that keeps what was asked, options included."""

    def __init__(self) -> None:
        super().__init__(EchoMocks())
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.requests.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def graph(
    build: Callable[[], None], *, stack: str, config: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """What `build` registers, in a stable order: type, name, parent, options, inputs."""
    monitor = RecordingMonitor()
    _ensure_loop()
    mocks.set_mocks(EchoMocks(), project="practicum", stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.set_all_config(config or {})
    pulumi.runtime.test(build)()  # type: ignore[no-untyped-call]
    found = [_record(each) for each in monitor.requests if each.type != "pulumi:pulumi:Stack"]
    return sorted(found, key=lambda each: (each["type"], each["name"]))


def _ensure_loop() -> None:
    """The SDK takes the thread's event loop, which `asyncio.run` of a test before takes away."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def _record(request: Any) -> dict[str, Any]:
    record = {
        "type": request.type,
        "name": request.name,
        "parent": _short(request.parent),
        "after": sorted(_short(urn) for urn in request.dependencies),
        "deletedWith": _short(request.deletedWith),
        "deleteBeforeReplace": request.deleteBeforeReplace,
        "ignoreChanges": list(request.ignoreChanges),
        "inputs": _plain(json_format.MessageToDict(request.object)),
    }
    return {key: value for key, value in record.items() if value not in ("", [], {}, False)}


def _short(urn: str) -> str:
    """Type and name; the stack without its name, which is the first test's in a process."""
    short = "::".join(urn.split("::")[2:]).split("$")[-1] if urn else ""
    return STACK if short.startswith(f"{STACK}::") else short


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if SIGNATURE in value:
            return "[secret]"
        return {key: _plain(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
