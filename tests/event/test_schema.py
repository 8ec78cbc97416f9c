"""The schemas in stacks/ and the page in docs/ are those of the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from event.read import SiteStack, read_stack
from event.schema import ROOT, documents, main
from event.source import read_source

STACKS = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
ACCEPTED = sorted((ROOT / "tests/event/accepted").glob("Pulumi.*.yaml"))
FILES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in STACKS + ACCEPTED]


def schema(kind: str) -> Any:
    return json.loads((ROOT / f"stacks/{kind}.schema.json").read_text(encoding="utf-8"))


def config(path: Path) -> dict[str, Any]:
    sections = read_source(path, path.name).sections
    return {"config": {f"practicum:{name}": each.data for name, each in sections.items()}}


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path)) for path in documents()])
def test_a_generated_file_is_in_step_with_the_models(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == documents()[path]


def test_the_command_that_checks_is_content() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize("kind", ["site", "event"])
def test_a_schema_follows_the_draft_that_it_names(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("path", FILES)
def test_a_good_stack_file_follows_its_schema_and_can_be_read(path: Path) -> None:
    stack = read_stack(str(path), path.parent)
    kind = "site" if isinstance(stack, SiteStack) else "event"
    Draft202012Validator(schema(kind)).validate(config(path))


@pytest.mark.parametrize("path", FILES)
def test_the_first_line_of_a_stack_file_names_its_schema(path: Path) -> None:
    stack = read_stack(str(path), path.parent)
    kind = "site" if isinstance(stack, SiteStack) else "event"
    first, _, named = path.read_text(encoding="utf-8").split("\n")[0].partition("$schema=")
    assert first == "# yaml-language-server: "
    assert (path.parent / named).resolve() == ROOT / f"stacks/{kind}.schema.json"


@pytest.mark.parametrize("kind", ["site", "event"])
def test_every_key_is_described(kind: str) -> None:
    for name, model in schema(kind)["$defs"].items():
        assert model["description"], name
        for key, value in model["properties"].items():
            assert value.get("description"), f"{name}.{key}"


def test_an_editor_sees_an_unknown_key_of_practicum() -> None:
    errors = list(Draft202012Validator(schema("event")).iter_errors({"config": {"practicum:x": 1}}))
    assert errors
