"""Descriptions and handlers fit together, and every name in them is defined."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.app import make_routes
from lab.formats import check_format
from lab.roles import PRIVILEGES
from lab.routes import Endpoint, Routes, handlers
from lab.spec import MethodSpec, Properties, Property, PropertyString, load_formats, load_methods


@pytest.fixture(scope="module")
def tree() -> Routes:
    return make_routes()


def every_property(properties: Properties) -> Iterator[Property]:
    for known in properties.values():
        yield known
        if isinstance(known.format, PropertyString):
            yield from every_property(known.format.properties)
        if known.items is not None:
            yield known.items


def test_every_handler_is_described(tree: Routes) -> None:
    served = {(endpoint.method, endpoint.pattern) for endpoint in tree.endpoints}
    assert handlers().keys() <= served


def test_every_described_method_is_answered(tree: Routes) -> None:
    served = {(endpoint.method, endpoint.pattern) for endpoint in tree.endpoints}
    assert load_methods().keys() - served == set()


def test_every_named_format_is_defined(tree: Routes) -> None:
    known = [p for method in load_methods().values() for p in every_property(method.parameters)]
    known += [p for found in load_formats().values() for p in every_property(found.properties)]
    for name in {p.format for p in known if isinstance(p.format, str)}:
        check_format(name, "x")


def test_every_default_and_alias_of_a_property_string_exists() -> None:
    for name, found in load_formats().items():
        defaults = [key for key, known in found.properties.items() if known.default_key]
        assert len(defaults) <= 1, name
        for known in found.properties.values():
            assert known.alias is None or known.alias in found.properties, name
            assert known.requires is None or known.requires in found.properties, name


def test_permissions_name_privileges_that_exist() -> None:
    for method in load_methods().values():
        if isinstance(method.permission, dict):
            unknown = set(_privileges(method.permission["check"])) - set(PRIVILEGES)
            assert not unknown, (method.method, method.pattern)
        else:
            assert method.permission in ("world", "all", "root"), method.pattern


def _privileges(rule: list[object]) -> Iterator[str]:
    for part in rule:
        if isinstance(part, list):
            yield from _privileges(part)
        elif isinstance(part, str) and part[:1].isupper():
            yield part


def test_a_path_that_takes_the_rest_keeps_its_slashes(tree: Routes) -> None:
    path = ["cluster", "firewall", "ipset", "a", "10.0.0.0", "8"]
    found = tree.find("GET", path)
    assert found is not None
    assert found[1] == {"name": "a", "cidr": "10.0.0.0/8"}


def test_fixed_segments_win_over_variables() -> None:
    async def handler(call: object) -> None:
        return None

    tree = Routes()
    for pattern in ("/a/{name}", "/a/b"):
        spec = MethodSpec(method="GET", pattern=pattern)
        tree.add(Endpoint(method="GET", pattern=pattern, spec=spec, handler=handler))
    found = [tree.find("GET", ["a", last]) for last in ("b", "c")]
    assert [hit[0].pattern for hit in found if hit] == ["/a/b", "/a/{name}"]
    assert tree.find("GET", ["a"]) is None
