"""The program of the stacks under test: it builds the resources that resources.json describes.

A resource is {"name", "type", "args"}. In arguments, {"secret": value}, {"file": path},
{"text": text}, {"archive": path} and {"stdout": name of an earlier resource} stand for what JSON
cannot say.
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


_stdouts: dict[str, pulumi.Output[str]] = {}


def value(given: Any) -> Any:
    """An argument as the SDK takes it."""
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, dict):
        return given
    if len(given) == 1:
        ((key, item),) = given.items()
        if key in _SPECIAL:
            return _SPECIAL[key](item)
        if key == "stdout":
            return _stdouts[item]
    return {key: value(item) for key, item in given.items()}


def main() -> None:
    """Build everything; export each command's output and run the function if asked."""
    for entry in json.loads(Path("resources.json").read_text()):
        name, args = entry["name"], value(entry["args"])
        if entry["type"] == "local.run":
            pulumi.export(name, local.run(**args).stdout)
            continue
        resource = _KINDS[entry["type"]](name, **args)
        if isinstance(resource, local.Command | remote.Command):
            _stdouts[name] = resource.stdout
            pulumi.export(name, resource.stdout)


if __name__ == "__main__":
    main()
