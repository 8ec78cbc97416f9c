"""What the published Python SDK says about its package, read from its source."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

_SCALARS = {
    "_builtins.str": {"type": "string"},
    "_builtins.bool": {"type": "boolean"},
    "_builtins.int": {"type": "integer"},
    "_builtins.float": {"type": "number"},
    "Any": {"$ref": "pulumi.json#/Any"},
    "pulumi.Archive": {"$ref": "pulumi.json#/Archive"},
    "Union[pulumi.Asset, pulumi.Archive]": {"$ref": "pulumi.json#/Asset"},
}
_WRAPPERS = {"Optional", "pulumi.Input", "pulumi.Output"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A class's properties: their types as a schema writes them, and the required ones."""

    types: dict[str, dict[str, object]]
    required: set[str]


def source(module: str) -> ast.Module:
    """The syntax tree of a module of the SDK, such as local.command; the SDK is not imported."""
    spec = importlib.util.find_spec("pulumi_command")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def class_of(module: str, name: str) -> ast.ClassDef:
    """A class of a module."""
    tree = source(module)
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def shape(module: str, name: str) -> Shape:
    """A class's properties, from its annotated getters."""
    area = module.split(".")[0]
    types: dict[str, dict[str, object]] = {}
    required = set()
    for node in class_of(module, name).body:
        if isinstance(node, ast.FunctionDef) and (wire := _wire_name(node)):
            assert node.returns is not None
            types[wire] = _schema_type(node.returns, area)
            if "Optional" not in ast.unparse(node.returns):
                required.add(wire)
    return Shape(types=types, required=required)


def _wire_name(function: ast.FunctionDef) -> str | None:
    for decorator in function.decorator_list:
        if ast.unparse(decorator) == "pulumi.getter":
            return function.name
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pulumi.getter":
            (name,) = (item.value for item in decorator.keywords if item.arg == "name")
            return str(ast.literal_eval(name))
    return None


def _schema_type(annotation: ast.expr, area: str) -> dict[str, object]:
    text = ast.unparse(annotation)
    if text in _SCALARS:
        return dict(_SCALARS[text])
    if isinstance(annotation, ast.Constant):
        name = str(annotation.value).removeprefix("outputs.").removesuffix("Args")
        return {"$ref": f"#/types/command:{area}:{name}"}
    assert isinstance(annotation, ast.Subscript), text
    outer = ast.unparse(annotation.value)
    if outer in _WRAPPERS:
        return _schema_type(annotation.slice, area)
    if outer == "Sequence":
        return {"type": "array", "items": _schema_type(annotation.slice, area)}
    assert outer == "Mapping", text
    assert isinstance(annotation.slice, ast.Tuple)
    return {"type": "object", "additionalProperties": _schema_type(annotation.slice.elts[1], area)}


def defaults(module: str, name: str) -> dict[str, object]:
    """The values that a class's constructor fills in, by the parameter's Python name."""
    found = {}
    for node in ast.walk(class_of(module, name)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith(" is None"):
            (assignment,) = node.body
            assert isinstance(assignment, ast.Assign)
            found[ast.unparse(assignment.targets[0])] = ast.literal_eval(assignment.value)
    return found


def option(module: str, name: str, keyword: str) -> set[str]:
    """The names in a resource option that a class's constructor sets; [*] is left out."""
    return {
        entry.removesuffix("[*]")
        for node in ast.walk(class_of(module, name))
        if isinstance(node, ast.keyword) and node.arg == keyword
        for entry in ast.literal_eval(node.value)
    }


def is_deprecated(module: str, name: str) -> bool:
    """True when the class warns of its use."""
    return any("DeprecationWarning" in ast.unparse(node) for node in class_of(module, name).body)


def token(module: str, name: str) -> str:
    """The class's type token."""
    for decorator in class_of(module, name).decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pulumi.type_token":
            return str(ast.literal_eval(decorator.args[0]))
    raise AssertionError(f"{module}.{name} has no token")


def enum_values(module: str, name: str) -> set[str]:
    """The values of an enumeration."""
    return {
        str(ast.literal_eval(node.value))
        for node in class_of(module, name).body
        if isinstance(node, ast.Assign)
    }


def function_arguments(module: str, name: str) -> set[str]:
    """The names of a function's arguments on the wire."""
    tree = source(module)
    function = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return {
        str(ast.literal_eval(node.targets[0].slice))
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and ast.unparse(node.targets[0].value) == "__args__"
    }
