"""Shapes: what a field of the models takes, read off its type for messages and manual alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from event.rule import Rule


@dataclass(slots=True, kw_only=True)
class Shape:
    """What may be written in one place. `allowed` completes the sentence "write …"."""

    kind: type[Any] | None = None
    rule: Rule | None = None
    least: float | None = None
    more_than: float | None = None
    most: float | None = None
    fewest_items: int = 0
    most_items: int | None = None
    choices: tuple[str, ...] = ()
    key: Shape | None = None
    item: Shape | None = None
    model: type[BaseModel] | None = None
    optional: bool = False
    metadata: list[Any] = field(default_factory=list)

    @property
    def allowed(self) -> str:
        """What to write, in words."""
        if self.rule is not None:
            return self.rule.allowed
        if self.choices:
            return (
                f"one of {', '.join(self.choices)}"
                if self.choices[1:]
                else f"the only choice, {self.choices[0]}"
            )
        if self.kind is bool:
            return "true or false"
        if self.kind in {int, float}:
            return ("a whole number" if self.kind is int else "a number") + self._bounds()
        if self.model is not None:
            return f"a mapping with {', '.join(keys_of(self.model))}"
        what = self.item.allowed if self.item else "anything"
        return f"a list, each item {what}" if self.key is None else f"a mapping, each value {what}"

    def _bounds(self) -> str:
        if self.more_than is not None:
            return f" above {_plain(self.more_than)}" + (
                f", at most {_plain(self.most)}" if self.most is not None else ""
            )
        if self.least is not None and self.most is not None:
            return f" from {_plain(self.least)} to {_plain(self.most)}"
        return ""


def keys_of(model: type[BaseModel]) -> list[str]:
    """Keys of a model as they are written."""
    return [str(info.alias) for info in model.model_fields.values()]


@cache
def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model by the key that is written."""
    return {str(info.alias): info for info in model.model_fields.values()}


@cache
def field_shape(model: type[BaseModel], key: str) -> Shape | None:
    """Shape of a key of a model; None if the model has no such key."""
    info = fields_of(model).get(key)
    return _shape(info.annotation, info.metadata) if info else None


def shape_at(model: type[BaseModel], path: tuple[str | int, ...]) -> Shape | None:
    """Shape of the place that a path leads to; None if nothing is known there."""
    shape: Shape | None = Shape(model=model)
    for part in path:
        if shape is None:
            return None
        shape = field_shape(shape.model, str(part)) if shape.model else shape.item
    return shape


def _shape(annotation: Any, metadata: list[Any]) -> Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        return _shape(inner, [*metadata, *extra])
    if origin in {Union, UnionType}:
        (inner,) = (each for each in get_args(annotation) if each is not NoneType)
        shape = _shape(inner, metadata)
        shape.optional = True
        return shape
    shape = Shape()
    if origin is Literal:
        shape.choices = tuple(str(choice) for choice in get_args(annotation))
    elif origin is list:
        shape.item = _shape(get_args(annotation)[0], [])
    elif origin is dict:
        shape.key, shape.item = (_shape(each, []) for each in get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        shape.model = annotation
    else:
        shape.kind = annotation
        shape.rule = getattr(annotation, "RULE", None)
    _limit(shape, metadata)
    return shape


def _limit(shape: Shape, metadata: list[Any]) -> None:
    """Put the limits that pydantic enforces into the shape."""
    for limit in metadata:
        match limit:
            case Rule():
                shape.rule = limit
            case Ge():
                shape.least = _number(limit.ge)
            case Gt():
                shape.more_than = _number(limit.gt)
            case Le():
                shape.most = _number(limit.le)
            case MinLen():
                shape.fewest_items = limit.min_length
            case MaxLen():
                shape.most_items = limit.max_length
            case FieldInfo():
                _limit(shape, limit.metadata)


def _number(limit: Any) -> float:
    return float(limit)


def _plain(number: float | None) -> str:
    assert number is not None
    return str(int(number)) if number == int(number) else str(number)
