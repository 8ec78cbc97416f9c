"""The program of the stacks under test: it builds the resources that resources.json describes.

A resource is {"name", "type", "args", "after"?}. In arguments, {"secret": value}, {"file": path},
{"text": text} and {"archive": path} stand for what JSON cannot say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
from pulumi_command import local, remote

_KINDS: dict[str, Callable[..., pulumi.CustomResource]] = {
    "local.Command": local.Command,
    "remote.Command": remote.Command,
    "remote.CopyToRemote": remote.CopyToRemote,
}
_SPECIAL: dict[str, Callable[[Any], object]] = {
    "secret": pulumi.Output.secret,
    "file": pulumi.FileAsset,
    "text": pulumi.StringAsset,
    "archive": pulumi.FileArchive,
}


def value(given: Any) -> Any:
    """An argument as the SDK takes it."""
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, dict):
        return given
    if len(given) == 1 and (key := next(iter(given))) in _SPECIAL:
        return _SPECIAL[key](given[key])
    return {key: value(item) for key, item in given.items()}


def main() -> None:
    """Build everything; export each command's output and run the function if asked."""
    made: dict[str, pulumi.CustomResource] = {}
    for entry in json.loads(Path("resources.json").read_text()):
        if entry["type"] == "local.run":
            pulumi.export(entry["name"], local.run(**value(entry["args"])).stdout)
            continue
        options = pulumi.ResourceOptions(depends_on=[made[name] for name in entry.get("after", [])])
        resource = _KINDS[entry["type"]](entry["name"], opts=options, **value(entry["args"]))
        made[entry["name"]] = resource
        if isinstance(resource, local.Command | remote.Command):
            pulumi.export(entry["name"], resource.stdout)


if __name__ == "__main__":
    main()
