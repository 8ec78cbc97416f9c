"""Descriptions of the API's methods: our own data in the YAML files beside this module.

A file maps paths to verbs to methods::

    /pools/{poolid}:
      PUT:
        permission: {check: [perm, "/pool/{poolid}", [Pool.Allocate]]}
        parameters:
          poolid: {type: string, format: pve-poolid}
          comment: {type: string, optional: true}

A key `net[n]` with `max: 31` stands for net0 to net31. Files whose name starts with `formats`
map names to property strings (the keys that may stand in one text such as
`virtio=MAC,bridge=vmbr0`). In a `parameters` mapping `use: NAME` takes in a group of the files
whose name starts with `groups`, and `without: [NAME]` leaves out what a merged mapping has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


class Properties(dict[str, "Property"]):
    """Properties by name; complete before `required` is first asked for."""

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names that must have a value."""
        return tuple(n for n, p in self.items() if not p.optional and p.alias is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What one parameter, or one key of a property string, may be.

    `alias` and `key_alias` are for property strings: `virtio=MAC` sets the key named by `alias`
    to the value and the key named by `key_alias` to the word that was used.
    """

    type: str = "string"
    optional: bool = False
    format: str | PropertyString | None = None
    pattern: str | None = None
    enum: tuple[str, ...] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    requires: str | None = None
    default: Any = None
    default_key: bool = False
    alias: str | None = None
    key_alias: str | None = None
    items: Property | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyString:
    """The keys that may stand, comma-separated, in one text."""

    properties: Properties

    @property
    def default_key(self) -> str | None:
        """The key whose value may stand without its name."""
        return next((k for k, p in self.properties.items() if p.default_key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """One method of one path.

    - `permission`: `world` (no credentials), `all` (any user), `root`, or `{check: [...]}`
    - `protected`: done by the host's privileged service
    - `token`: whether API tokens may call it
    - `index`: what a folder lists, as (key, names); such a method needs no handler
    - `task`: whether the answer is the id of a task
    - `variants`: a parameter's name, and which further parameters each of its values brings
    """

    method: str
    pattern: str
    parameters: Properties = field(default_factory=Properties)
    permission: Any = "root"
    task: bool = False
    protected: bool = False
    token: bool = True
    additional: bool = False
    index: tuple[str, tuple[str, ...]] | None = None
    variants: tuple[str, dict[str, Properties]] | None = None


@cache
def load_methods() -> dict[tuple[str, str], MethodSpec]:
    """All described methods by (method, pattern)."""
    methods: dict[tuple[str, str], MethodSpec] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.stem.startswith(("formats", "groups")):
            continue
        for pattern, verbs in (_read(file) or {}).items():
            for verb, raw in verbs.items():
                key = (verb.upper(), pattern)
                if key in methods:
                    raise ValueError(f"{file.name}: {verb} {pattern} is described twice")
                methods[key] = _method(*key, raw or {})
    return methods


@cache
def load_formats() -> dict[str, PropertyString]:
    """All named property strings."""
    formats: dict[str, PropertyString] = {}
    for file in sorted(FOLDER.glob("formats*.yaml")):
        for name, raw in (_read(file) or {}).items():
            if name in formats:
                raise ValueError(f"{file.name}: format {name} is described twice")
            formats[name] = PropertyString(properties=properties(raw))
    return formats


@cache
def _groups() -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for file in sorted(FOLDER.glob("groups*.yaml")):
        groups |= _read(file) or {}
    return groups


def _read(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(file.read_bytes(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return loaded


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _method(method: str, pattern: str, raw: dict[str, Any]) -> MethodSpec:
    known = dict(raw)
    parameters = properties(known.pop("parameters", {}) or {})
    for segment in pattern.split("/"):
        if segment.startswith("{") and segment[1:-1] not in parameters:
            parameters[segment[1:-1]] = _path_variable(segment[1:-1])
    index = known.pop("index", None)
    variants = known.pop("variants", None)
    known.pop("returns", None)
    return MethodSpec(
        method=method,
        pattern=pattern,
        parameters=parameters,
        index=(index["key"], tuple(index["names"])) if index else None,
        variants=_variants(variants) if variants else None,
        **known,
    )


def _variants(raw: dict[str, Any]) -> tuple[str, dict[str, Properties]]:
    return raw["by"], {value: properties(more) for value, more in raw.items() if value != "by"}


def _path_variable(name: str) -> Property:
    groups = _groups().get("path variables", {})
    if name not in groups:
        raise ValueError(f"path variable {name} is not described")
    return _property(groups[name])


def properties(raw: dict[str, Any]) -> Properties:
    """Properties from their description; `name[n]` is spelled out."""
    found = Properties()
    absent = raw.get("without", ())
    for name, description in raw.items():
        if name == "without" or name in absent:
            continue
        if name == "use":
            for group in [description] if isinstance(description, str) else description:
                found |= properties(_groups()[group])
        elif name.endswith("[n]"):
            numbered = dict(description)
            last = numbered.pop("max")
            shared = _property(numbered)
            found |= {f"{name[:-3]}{n}": shared for n in range(last + 1)}
        else:
            found[name] = _property(description or {})
    return found


_RENAMED = {"minLength": "min_length", "maxLength": "max_length", "keyAlias": "key_alias"}


def _property(raw: dict[str, Any]) -> Property:
    known = {_RENAMED.get(k, k): v for k, v in raw.items() if k != "description"}
    if isinstance(known.get("format"), dict):
        known["format"] = PropertyString(properties=properties(known["format"]))
    if "enum" in known:
        known["enum"] = tuple(str(word) for word in known["enum"])
    if "items" in known:
        known["items"] = _property(known["items"])
    known["optional"] = bool(known.get("optional", False))
    return Property(**known)
