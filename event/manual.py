"""The reference page of stack files: every key, what may be written, its default, its meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from event.model import Event, Lab, Site
from event.problems import shown
from event.shape import Shape, field_shape, fields_of

INTRODUCTION = """\
# Stack files

*Generated from the models in `event/` by `python -m event.schema --write`; do not edit.*

A stack file, `stacks/Pulumi.<stack>.yaml`, describes one **site** (`practicum:site`: the machines,
storages, images and ranges) or one **event** (`practicum:event`: a tutorial on a site). An event
names its site by the site's stack name. A site may also have `practicum:lab`: settings of the lab
that stands in for it. The first line tells editors where the schema is:

```yaml
# yaml-language-server: $schema=event.schema.json
config:
  practicum:event:
    title: Linux Cluster Construction
    on: lab
    clusters: {count: 26}
    nodeGroups:
      head: {image: debian-12, cores: 2, memoryMib: 1024, exposed: true}
      compute: {image: debian-12, count: 4}
```

Single values can be set from the command line, and comments stay:

```sh
pulumi config set --path 'practicum:event.clusters.count' 27
pulumi config set --path 'practicum:event.overrides.c07.title' 'Red team'
```

**Reading is strict.** Unknown keys, keys that are written twice, aliases without end, tags and
merge keys are refused, and so are words that readers of YAML take differently without quotes:
`no`, `on` and `yes` as values, `010`, `12:30:00`, `52:54:00:12:34:56`, `1_000`, `1e3`, dates.
All problems of a file are told at once, each with line, path, what was found and what to write.
A file may have 5 MB, 64 levels, 50,000 keys and values, and 100 aliases.

Sizes are in the unit that the key ends in: `memoryMib`, `diskGib`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    parts = [INTRODUCTION]
    for name, model in (("event", Event), ("site", Site), ("lab", Lab)):
        parts += (section for section in _sections(name, model))
    return "\n".join(parts)


def _sections(path: str, model: type[BaseModel]) -> Iterator[str]:
    """A section for a model, then one for every model below it."""
    level = "##" if "." not in path else "###"
    lines = [f"{level} `{path}`", "", _description(model), ""]
    lines += ["| key | write | default | meaning |", "| --- | --- | --- | --- |"]
    inner: list[tuple[str, type[BaseModel]]] = []
    for key, info in fields_of(model).items():
        shape = field_shape(model, key)
        assert shape is not None
        below = _below(f"{path}.{key}", shape)
        if below is not None:
            inner.append(below)
        what = f"see [`{below[0]}`](#{_anchor(below[0])})" if below else _cell(shape.allowed)
        lines.append(f"| `{key}` | {what} | {_default(info)} | {_cell(info.description or '')} |")
    yield "\n".join(lines) + "\n"
    for inner_path, inner_model in inner:
        yield from _sections(inner_path, inner_model)


def _below(path: str, shape: Shape) -> tuple[str, type[BaseModel]] | None:
    """Path and model of the mappings in a field, if it has any."""
    if shape.model is not None:
        return path, shape.model
    if shape.item is not None and shape.item.model is not None:
        return f"{path}[]" if shape.key is None else f"{path}.<name>", shape.item.model
    return None


def _description(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    default: Any = info.default
    if default is None:
        return "–"
    if isinstance(default, BaseModel):
        return "the defaults below"
    if isinstance(default, list) and default and isinstance(default[0], BaseModel):
        written = [
            each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in default
        ]
        return f"`{json.dumps(written)}`"
    if isinstance(default, (list, dict)):
        return f"`{json.dumps(default)}`"
    return f"`{shown(default)}`" if not isinstance(default, str) else f"`{default or chr(34) * 2}`"


def _cell(text: str) -> str:
    """Text for a cell of a table, where a bar would end it and <…> would be a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def _anchor(path: str) -> str:
    """The anchor that Markdown readers make of a heading."""
    return "".join(each for each in path.lower() if each.isalnum() or each in "-_")
