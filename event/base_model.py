"""What all models of stack files have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Base of all models: camelCase keys, unknown keys refused, values never coerced, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        extra="forbid",
        strict=True,
        frozen=True,
        defer_build=True,
        allow_inf_nan=False,
    )
