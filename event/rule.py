"""A rule: how one kind of value is written, told alike to pydantic, to people and to editors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

REFUSED = "refused"
"""Error type of a text that a rule refuses; the context has `message`, `hint`, `conceal`."""

NOT_TEXT = "not_text"
"""Error type of a value that is no text at all."""


class RefusedError(Exception):
    """A text breaks a rule: what is the matter with it, and if it helps, what to write.

    `conceal` keeps the text itself out of the message: it may hold a secret.
    """

    def __init__(self, message: str, hint: str = "", *, conceal: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.conceal = conceal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a value is written. `allowed` completes the sentence "write …".

    `parse` turns the text into the value or raises `RefusedError`; a hint that it leaves empty is
    filled from `allowed`. `pattern` is for editors: as strict as a JSON Schema can say it.
    """

    allowed: str
    parse: Callable[[str], Any]
    example: str
    pattern: str | None = None
    max_length: int | None = None

    def check(self, value: object) -> Any:
        """The value of the text, for pydantic."""
        if not isinstance(value, str):
            if not isinstance(value, (bool, int, float, list, dict, type(None))):
                return value  # a default that has been parsed already
            raise PydanticCustomError(NOT_TEXT, "not text")
        try:
            return self.parse(value)
        except RefusedError as refused:
            context = {
                "message": refused.message,
                "hint": refused.hint or f"write {self.allowed}",
                "conceal": refused.conceal,
            }
            raise PydanticCustomError(REFUSED, "{message}; {hint}", context) from None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.check, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema: dict[str, Any] = {"type": "string", "examples": [self.example]}
        if self.pattern is not None:
            json_schema["pattern"] = self.pattern
        if self.max_length is not None:
            json_schema["maxLength"] = self.max_length
        return json_schema
