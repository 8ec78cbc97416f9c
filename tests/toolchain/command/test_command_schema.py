"""The plugin's schema is the one that the published Python SDK 1.2.1 was made from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.toolchain.command import sdk

pytestmark = pytest.mark.engine

RESOURCES = [
    ("local.command", "Command"),
    ("remote.command", "Command"),
    ("remote.copy_to_remote", "CopyToRemote"),
    ("remote.copy_file", "CopyFile"),
]
CONNECTIONS = ["Connection", "ProxyConnection"]


@pytest.fixture(scope="module")
def schema(plugin: Path) -> Iterator[dict[str, Any]]:
    """What a running plugin answers to GetSchema."""
    process = subprocess.Popen([str(plugin)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        options = [("grpc.max_receive_message_length", 1 << 24)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            answer = provider_pb2_grpc.ResourceProviderStub(channel).GetSchema(
                provider_pb2.GetSchemaRequest(version=0), timeout=20
            )
        yield json.loads(answer.schema)
    finally:
        process.terminate()
        process.wait(10)


def bare(properties: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Properties without what the SDK's annotations cannot say."""
    hidden = {"description", "secret", "replaceOnChanges", "default"}
    return {
        name: {key: item for key, item in spec.items() if key not in hidden}
        for name, spec in properties.items()
    }


def marked(properties: dict[str, dict[str, Any]], mark: str) -> set[str]:
    """The names of properties that have a mark."""
    return {name for name, spec in properties.items() if spec.get(mark)}


def test_the_package_has_the_published_name_and_version(schema: dict[str, Any]) -> None:
    assert (schema["name"], schema["version"]) == ("command", "1.2.1")


def test_the_package_has_the_published_resources_and_function(schema: dict[str, Any]) -> None:
    assert set(schema["resources"]) == {sdk.token(*entry) for entry in RESOURCES}
    assert set(schema["functions"]) == {"command:local:run"}


@pytest.mark.parametrize(("module", "name"), RESOURCES)
def test_every_input_has_the_published_name_and_type(
    schema: dict[str, Any], module: str, name: str
) -> None:
    resource = schema["resources"][sdk.token(module, name)]
    published = sdk.shape(module, f"{name}Args")
    assert bare(resource["inputProperties"]) == published.types
    assert set(resource.get("requiredInputs", [])) == published.required


@pytest.mark.parametrize(("module", "name"), RESOURCES)
def test_every_output_has_the_published_name_and_type(
    schema: dict[str, Any], module: str, name: str
) -> None:
    resource = schema["resources"][sdk.token(module, name)]
    published = sdk.shape(module, name)
    assert bare(resource["properties"]) == published.types
    assert set(resource["required"]) == published.required


@pytest.mark.parametrize(("module", "name"), RESOURCES)
def test_secrets_replacements_and_deprecation_are_the_published_ones(
    schema: dict[str, Any], module: str, name: str
) -> None:
    resource = schema["resources"][sdk.token(module, name)]
    for properties in (resource["properties"], resource["inputProperties"]):
        secret = sdk.option(module, name, "additional_secret_outputs")
        replacing = sdk.option(module, name, "replace_on_changes")
        assert marked(properties, "secret") == secret
        assert marked(properties, "replaceOnChanges") == replacing
    assert ("deprecationMessage" in resource) == sdk.is_deprecated(module, name)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_connection_has_the_published_fields_and_defaults(
    schema: dict[str, Any], name: str
) -> None:
    spec = schema["types"][f"command:remote:{name}"]
    given = sdk.shape("remote._inputs", f"{name}Args")
    assert bare(spec["properties"]) == given.types
    assert set(spec["required"]) == given.required
    assert sdk.shape("remote.outputs", name) == given
    defaults = {
        key: item["default"] for key, item in spec["properties"].items() if "default" in item
    }
    assert defaults == {
        "dialErrorLimit": 10, "perDialTimeout": 15, "port": 22, "user": "root",
    }  # fmt: skip
    assert sdk.defaults("remote._inputs", f"{name}Args") == {
        "dial_error_limit": 10, "per_dial_timeout": 15, "port": 22, "user": "root",
    }  # fmt: skip
    assert marked(spec["properties"], "secret") == {"password", "privateKey", "privateKeyPassword"}


@pytest.mark.parametrize("area", ["local", "remote"])
def test_logging_has_the_published_values(schema: dict[str, Any], area: str) -> None:
    values = {entry["value"] for entry in schema["types"][f"command:{area}:Logging"]["enum"]}
    assert values == sdk.enum_values(f"{area}._enums", "Logging")


def test_the_function_takes_and_returns_what_is_published(schema: dict[str, Any]) -> None:
    function = schema["functions"]["command:local:run"]
    published = sdk.shape("local.run", "RunResult")
    assert bare(function["outputs"]["properties"]) == published.types
    assert set(function["outputs"]["required"]) == published.required
    arguments = sdk.function_arguments("local.run", "run")
    assert bare(function["inputs"]["properties"]) == {
        name: published.types[name] for name in arguments
    }
    assert function["inputs"]["required"] == ["command"]
