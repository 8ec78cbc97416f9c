"""pydantic's errors in our words."""
from __future__ import annotations
from pydantic import BaseModel, ValidationError
from event.problems import Problem, path_text, shown
from event.source import Section


def translate(error: ValidationError, kind: type[BaseModel], section: Section) -> list[Problem]:
    return [Problem(where=section.locate((section.name, *e["loc"])), path=path_text((section.name, *e["loc"])), found=shown(e["input"]), message=e["msg"]) for e in error.errors()]
