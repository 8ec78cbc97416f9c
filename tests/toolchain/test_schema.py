"""The compiled proxmoxve plugin serves exactly what the published Python SDK sends.

The SDK is read by introspection: tokens, input names, which are required, their types down
to the last nested block, and the properties that are always secret.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ForwardRef, Union, get_args, get_origin

import pytest

from toolchain import pins, places

pytestmark = pytest.mark.engine

# The classes that the program creates, or that a site may be given by hand.
USED = {
    "index": [
        *("VmLegacy", "PoolLegacy", "GroupLegacy", "RoleLegacy", "UserLegacy", "Acl"),
        *("FileLegacy", "Haresource", "Harule"),
    ],
    "cluster": ["FirewallLegacy"],
    "cluster/firewall/security": ["GroupLegacy"],
    "firewall": ["OptionsLegacy", "RulesLegacy", "AliasLegacy", "IpsetLegacy"],
    "node": ["Firewall"],
    "network/linux": ["Bridge"],
    "download": ["File"],
    "backup": ["Job"],
    "storage": ["Directory", "Nfs"],
    "sdn/zone": ["Simple", "Vlan", "Qinq", "Vxlan", "Evpn"],
    "sdn": ["Vnet", "Applier"],
    "user": ["Token"],
}

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}

Spec = dict[str, Any]
Shape = dict[str, tuple[str, bool]]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """The schema as the engine gets it from the plugin."""
    cache = places.current()
    plugin = cache.set / pins.PROXMOXVE.target.output
    if not (cache.is_built(pins.PROXMOXVE.target) and cache.is_built(pins.ENGINE)):
        pytest.skip("not compiled; run `python -m toolchain build`")
    home = tmp_path_factory.mktemp("home")
    answer = subprocess.run(
        [str(cache.bin / "pulumi"), "package", "get-schema", str(plugin)], cwd=home,
        env={**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    result: Spec = json.loads(answer.stdout)
    return result


@pytest.fixture(scope="module")
def classes() -> dict[str, tuple[type, type]]:
    """Token -> the SDK's resource class and its Args class."""
    return {str(token): pair for token, pair in _classes()}


def _modules() -> Iterator[Any]:
    package = importlib.import_module("pulumi_proxmoxve")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)


def _classes() -> Iterator[tuple[str, tuple[type, type]]]:
    for module in _modules():
        for name, value in list(vars(module).items()):
            token = getattr(value, "pulumi_type", None)
            if token and inspect.isclass(value) and value.__module__ == module.__name__:
                yield token, (value, getattr(module, f"{name}Args"))


def _spec(schema: Spec, token: str) -> Spec:
    found: Spec = schema["provider"] if token.startswith("pulumi:") else schema["resources"][token]
    return found


def _plain(annotation: Any) -> Any:
    """The annotation without what pulumi.Input and Optional put around it."""
    import pulumi

    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    kinds = [
        kind
        for kind in get_args(annotation)
        if kind is not types.NoneType
        and get_origin(kind) is not collections.abc.Awaitable
        and kind != ForwardRef("Output[T]")
        and get_origin(kind) is not pulumi.Output
    ]
    assert len(kinds) == 1, annotation
    return _plain(kinds[0])


def _python_type(annotation: Any, module: str) -> tuple[str, type | None]:
    """`array(object)` and the like for an annotation, with the class of the object."""
    plain = _plain(annotation)
    if isinstance(plain, str | ForwardRef):
        name = plain if isinstance(plain, str) else plain.__forward_arg__
        return "object", getattr(sys.modules[module], name)
    if get_origin(plain) is collections.abc.Sequence:
        inner, nested = _python_type(get_args(plain)[0], module)
        return f"array({inner})", nested
    if get_origin(plain) is collections.abc.Mapping:
        inner, nested = _python_type(get_args(plain)[1], module)
        return f"map({inner})", nested
    return _SCALARS[plain], None


def _schema_type(spec: Spec) -> tuple[str, str]:
    """The same for a property of the schema, with the token of the object's type."""
    if reference := spec.get("$ref", ""):
        return "object", reference.removeprefix("#/types/")
    if spec["type"] == "array":
        inner, token = _schema_type(spec["items"])
        return f"array({inner})", token
    if spec["type"] == "object":
        inner, token = _schema_type(spec["additionalProperties"])
        return f"map({inner})", token
    return str(spec["type"]), ""


def _sdk_inputs(args: type) -> tuple[Shape, dict[str, type]]:
    from pulumi import _types

    names = _types.input_type_py_to_pulumi_names(args)
    shape: Shape = {}
    nested: dict[str, type] = {}
    for parameter in inspect.signature(args).parameters.values():
        name = names[parameter.name]
        kind, inner = _python_type(parameter.annotation, args.__module__)
        shape[name] = (kind, parameter.default is inspect.Parameter.empty)
        if inner is not None:
            nested[name] = inner
    return shape, nested


def _schema_inputs(properties: Mapping[str, Spec], required: list[str]) -> tuple[Shape, Spec]:
    shape: Shape = {}
    nested: Spec = {}
    for name, spec in properties.items():
        kind, token = _schema_type(spec)
        shape[name] = (kind, name in required)
        if token:
            nested[name] = token
    return shape, nested


def _differences(
    schema: Spec, args: type, properties: Mapping[str, Spec], required: list[str], where: str
) -> list[str]:
    sent, blocks = _sdk_inputs(args)
    served, tokens = _schema_inputs(properties, required)
    found = [
        f"{where}.{name}: SDK {sent.get(name)}, plugin {served.get(name)}"
        for name in sorted(sent.keys() | served.keys())
        if sent.get(name) != served.get(name)
    ]
    for name, block in blocks.items():
        inner = schema["types"].get(tokens.get(name), {})
        found += _differences(
            schema, block, inner.get("properties", {}), inner.get("required", []),
            f"{where}.{name}",
        )  # fmt: skip
    return found


def test_the_plugin_reports_the_name_and_version_of_the_sdk(schema: Spec) -> None:
    assert (schema["name"], schema["version"]) == ("proxmoxve", "8.6.0")


def test_every_resource_token_of_the_sdk_is_served_and_no_other(
    schema: Spec, classes: dict[str, tuple[type, type]]
) -> None:
    tokens = {token for token in classes if not token.startswith("pulumi:")}
    assert tokens == schema["resources"].keys()
    assert len(tokens) == 115


def test_every_data_source_token_of_the_sdk_is_served(schema: Spec) -> None:
    sent = set()
    for module in _modules():
        if module.__file__ and Path(module.__file__).name.startswith("get_"):
            text = Path(module.__file__).read_text(encoding="utf-8")
            sent |= set(re.findall(r"invoke\('(proxmoxve:[^']+)'", text))
    served = {token for token in schema["functions"] if token.startswith("proxmoxve:")}
    assert sent == served
    assert len(sent) == 91


def test_the_classes_that_we_use_are_among_them(schema: Spec) -> None:
    tokens = {
        f"proxmoxve:{module}/{name[0].lower()}{name[1:]}:{name}"
        for module, names in USED.items()
        for name in names
    }
    assert tokens <= schema["resources"].keys()


def test_every_input_has_the_name_type_and_need_that_the_sdk_shows(
    schema: Spec, classes: dict[str, tuple[type, type]]
) -> None:
    found: list[str] = []
    for token, (_, args) in sorted(classes.items()):
        spec = _spec(schema, token)
        found += _differences(
            schema, args, spec["inputProperties"], spec.get("requiredInputs", []), token
        )
    assert found == []


def test_every_property_that_the_sdk_keeps_secret_is_secret(
    schema: Spec, classes: dict[str, tuple[type, type]]
) -> None:
    different = {}
    for token, (resource, _) in classes.items():
        text = inspect.getsource(resource)
        listed = re.search(r"additional_secret_outputs=\[([^\]]*)\]", text)
        kept = set(re.findall(r'"([^"]+)"', listed.group(1))) if listed else set()
        properties = _spec(schema, token).get("properties", {})
        served = {name for name, spec in properties.items() if spec.get("secret")}
        if kept != served:
            different[token] = (kept, served)
    assert different == {}


def test_every_output_of_the_sdk_is_served(
    schema: Spec, classes: dict[str, tuple[type, type]]
) -> None:
    missing = {}
    for token, (resource, _) in classes.items():
        names = set()
        for name, value in vars(resource).items():
            if isinstance(value, property) and value.fget is not None:
                names.add(getattr(value.fget, "_pulumi_name", name))
        served = _spec(schema, token).get("properties", {}).keys()
        if absent := names - served:
            missing[token] = absent
    assert missing == {}
