"""JSON Schemas of stack files, for editors; and the manual's page, written from the same models.

`python -m event.schema --write` writes `stacks/site.schema.json`, `stacks/event.schema.json` and
`docs/stack-file.md`; `--check` says which of them no longer match the models, and fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from event.manual import page
from event.model import Event, Lab, Site
from event.source import OTHER_KEYS, TOP_KEYS
from event.strict_yaml import PROJECT

ROOT = Path(__file__).resolve().parents[1]
DRAFT = "https://json-schema.org/draft/2020-12/schema"

SITE_SECTIONS: dict[str, type[BaseModel]] = {"site": Site, "lab": Lab}
EVENT_SECTIONS: dict[str, type[BaseModel]] = {"event": Event}


def stack_schema(title: str, sections: dict[str, type[BaseModel]]) -> dict[str, Any]:
    """Schema of a whole stack file; the first of its sections must be there."""
    references, definitions = models_json_schema(
        [(model, "validation") for model in sections.values()], ref_template="#/$defs/{model}"
    )
    properties: dict[str, Any] = {
        PROJECT + name: references[model, "validation"] for name, model in sections.items()
    }
    properties |= {
        PROJECT + key: {"description": "A secret; set it with pulumi config set --secret."}
        for key in OTHER_KEYS
    }
    config = {
        "type": "object",
        "description": "Configuration of the stack; keys of other projects are left alone.",
        "properties": properties,
        "patternProperties": {f"^(?!{PROJECT})": {}},
        "additionalProperties": False,
        "required": [PROJECT + next(iter(sections))],
    }
    others = {key: {"description": "Written by Pulumi."} for key in TOP_KEYS if key != "config"}
    schema = {
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": {"config": config, **others},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions["$defs"],
    }
    return {key: _tidied(value) for key, value in schema.items()}


def _tidied(schema: Any) -> Any:
    """The schema without titles made up from field names, and closed to keys it does not name."""
    if isinstance(schema, list):
        return [_tidied(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "patternProperties" in schema else {}
    return closed | {
        key: value if key in {"default", "examples"} else _tidied(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def documents() -> dict[Path, str]:
    """The files that follow from the models, by path from the project's root."""
    return {
        Path("stacks/site.schema.json"): _json("Stack file of a site", SITE_SECTIONS),
        Path("stacks/event.schema.json"): _json("Stack file of an event", EVENT_SECTIONS),
        Path("docs/stack-file.md"): page(),
    }


def _json(title: str, sections: dict[str, type[BaseModel]]) -> str:
    return json.dumps(stack_schema(title, sections), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; the exit code is 1 if one does not match."""
    parser = argparse.ArgumentParser(prog="python -m event.schema", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the files")
    action.add_argument("--check", action="store_true", help="compare them with the models")
    write = parser.parse_args(arguments).write
    stale = []
    for path, text in documents().items():
        target = ROOT / path
        if write:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            stale.append(str(path))
    for name in stale:
        print(f"{name}: does not match the models; run python -m event.schema --write")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
