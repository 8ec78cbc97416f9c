"""Parameters against descriptions: types, ranges, formats and the texts of their faults."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lab.named_formats  # noqa: F401 - registers the formats
from lab.errors import ApiError
from lab.formats import (
    check_format,
    parse_property_string,
    print_property_string,
    split_list,
)
from lab.spec import MethodSpec, PropertyString, properties
from lab.validate import validate

MISSING = "property is missing and it is not optional"


def spec(**parameters: dict[str, Any]) -> MethodSpec:
    return MethodSpec(method="PUT", pattern="/x", parameters=properties(parameters))


def faults(method: MethodSpec, **raw: Any) -> dict[str, str]:
    with pytest.raises(ApiError) as refused:
        validate(method, raw)
    assert refused.value.status == 400
    return refused.value.errors


@pytest.mark.parametrize(
    ("description", "value", "text"),
    [
        ({"type": "integer"}, "1.5", "type check ('integer') failed - got '1.5'"),
        ({"type": "integer"}, "", "type check ('integer') failed - got ''"),
        ({"type": "integer"}, "0x10", "type check ('integer') failed - got '0x10'"),
        ({"type": "integer"}, "٣", "type check ('integer') failed - got '٣'"),
        ({"type": "number"}, "x", "type check ('number') failed - got 'x'"),
        ({"type": "boolean"}, "true", "type check ('boolean') failed - got 'true'"),
        ({"type": "boolean"}, "01", "type check ('boolean') failed - got '01'"),
        ({"type": "integer", "minimum": 1}, "0", "value must have a minimum value of 1"),
        ({"type": "integer", "maximum": 4094}, "4095", "value must have a maximum value of 4094"),
        (
            {"type": "number", "maximum": 999999999},
            "1000000000",
            "value must have a maximum value of 999999999",
        ),
        ({"maxLength": 3}, "abcd", "value may only be 3 characters long"),
        ({"minLength": 8}, "short", "value must be at least 8 characters long"),
        ({"pattern": "[a-z]+"}, "abc1", "value does not match the regex pattern"),
        (
            {"enum": ["a", "b"]},
            "A",
            "value 'A' does not have a value in the enumeration 'a, b'",
        ),
        (
            {"format": "pve-vmid"},
            "99",
            "invalid format - value does not look like a valid VM ID\n",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_named_in_proxmox_words(
    description: dict[str, Any], value: str, text: str
) -> None:
    assert faults(spec(a=description), a=value) == {"a": text}


def test_each_member_of_a_list_is_named_by_its_place() -> None:
    method = spec(a={"type": "array", "items": {"maxLength": 1}})
    text = "value may only be 1 characters long"
    assert faults(method, a="ab") == {"a[0]": text}
    assert faults(method, a=["a", "bc", "de"]) == {"a[1]": text, "a[2]": text}


def test_values_get_their_types() -> None:
    method = spec(
        i={"type": "integer"},
        n={"type": "number"},
        b={"type": "boolean"},
        s={},
        a={"type": "array", "items": {}},
    )
    got = validate(method, {"i": "007", "n": "0.5", "b": "1", "s": "x", "a": "one"})
    assert got == {"i": 7, "n": 0.5, "b": 1, "s": "x", "a": ["one"]}


def test_json_values_are_taken_for_what_they_say() -> None:
    method = spec(i={"type": "integer"}, b={"type": "boolean"}, s={})
    assert validate(method, {"i": 7, "b": True, "s": 5}) == {"i": 7, "b": 1, "s": "5"}
    assert faults(method, i=True) == {
        "i": "type check ('integer') failed - got JSON::PP::Boolean",
        "b": MISSING,
        "s": MISSING,
    }


def test_every_fault_is_told_at_once() -> None:
    method = spec(a={"type": "integer"}, b={}, c={"optional": True})
    assert set(faults(method, a="x", d="1")) == {"a", "b", "d"}


def test_null_is_an_absent_parameter() -> None:
    method = spec(a={"optional": True}, b={})
    assert validate(method, {"a": None, "b": ""}) == {"b": ""}
    assert faults(method, a="x", b=None) == {"b": MISSING}


def test_a_parameter_can_require_another() -> None:
    method = spec(a={"optional": True, "requires": "b"}, b={"optional": True})
    assert faults(method, a="1") == {"b": "missing property required by 'a'"}


def test_numbered_parameters_end_at_their_last_number() -> None:
    method = spec(**{"net[n]": {"optional": True, "max": 31}})
    assert validate(method, {"net31": "x"}) == {"net31": "x"}
    assert set(faults(method, net32="x")) == {"net32"}


STRING = PropertyString(
    properties=properties(
        {
            "model": {"enum": ["virtio", "e1000"], "default_key": True},
            "macaddr": {"format": "mac-addr", "optional": True},
            "virtio": {"alias": "macaddr", "keyAlias": "model", "optional": True},
            "tag": {"type": "integer", "minimum": 1, "maximum": 4094, "optional": True},
            "up": {"type": "boolean", "optional": True},
        }
    )
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("virtio", {"model": "virtio"}),
        ("model=virtio,tag=5", {"model": "virtio", "tag": 5}),
        (
            "virtio=02:00:00:00:00:01,up=yes",
            {"model": "virtio", "macaddr": "02:00:00:00:00:01", "up": 1},
        ),
        (",e1000,,up=off,", {"model": "e1000", "up": 0}),
    ],
)
def test_a_property_string_is_taken_apart(text: str, found: dict[str, Any]) -> None:
    assert parse_property_string(STRING, text) == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("virtio,tag=5000", "format error\nx.tag: value must have a maximum value of 4094\n"),
        ("tag=1", f"format error\nx.model: {MISSING}\n"),
        (
            "virtio,no=1",
            "format error\nx.no: property is not defined in schema and the schema does not "
            "allow additional properties\n",
        ),
        ("virtio,e1000", "duplicate key in comma-separated list property: model\n"),
        ("virtio,tag=1,tag=2", "duplicate key in comma-separated list property: tag\n"),
        ("virtio,tag=", "missing key in comma-separated list property\n"),
        ("virtio,=1", "missing key in comma-separated list property\n"),
        (
            "virtio,up=maybe",
            "format error\nx.up: type check ('boolean') failed - got 'maybe'\n",
        ),
        (
            "virtio=03:00:00:00:00:01",
            "format error\nx.macaddr: invalid format - value does not look like a valid unicast "
            "MAC address\n\n",
        ),
    ],
)
def test_a_faulty_property_string_says_where(text: str, fault: str) -> None:
    assert check_format(STRING, text, "x") == fault


def test_a_value_without_key_needs_a_default_key() -> None:
    plain = PropertyString(properties=properties({"a": {"optional": True}}))
    assert check_format(plain, "x") == (
        "value without key, but schema does not define a default key\n"
    )


def test_a_property_string_is_printed_with_its_model_first() -> None:
    values = {"tag": 5, "model": "virtio", "macaddr": "02:00:00:00:00:01"}
    assert print_property_string(STRING, values) == "virtio=02:00:00:00:00:01,tag=5"
    assert print_property_string(STRING, {"up": 1, "model": "e1000"}) == "e1000,up=1"


@given(
    tag=st.none() | st.integers(1, 4094),
    mac=st.none() | st.just("02:00:00:00:00:01"),
    up=st.none() | st.sampled_from([0, 1]),
)
def test_printing_and_parsing_a_property_string_are_inverse(
    tag: int | None, mac: str | None, up: int | None
) -> None:
    values: dict[str, Any] = {"model": "virtio", "tag": tag, "macaddr": mac, "up": up}
    values = {name: value for name, value in values.items() if value is not None}
    assert parse_property_string(STRING, print_property_string(STRING, values)) == values


@pytest.mark.parametrize("text", ["a,b", "a;b", "a b", " a,, b ", "a\x00b"])
def test_lists_are_split_at_commas_semicolons_and_blanks(text: str) -> None:
    assert split_list(text) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("pve-vmid", ["100", "999999999"], ["99", "0100", "1000000000", "-100", ""]),
        ("pve-node", ["pve1", "a-b", "X"], ["-x", "a_b", "a.b", "x-", ""]),
        ("pve-storage-id", ["ab", "a.b", "local-lvm"], ["a", "1a", "a b", "a-"]),
        ("mac-addr", ["02:00:00:00:00:aa", "00:00:00:00:00:00"], ["01:00:00:00:00:00", "02:00"]),
        ("dns-name", ["a", "a-b.c"], ["-a", "a..b", "a_b", ""]),
        ("pve-poolid", ["a", "a/b/c"], ["/a", "a/", "a//b", "a/b/c/d", "ü"]),
        ("pve-userid", ["a@pve", "a@b@pve"], ["a", "@pve", "a@", "a b@pve", "a:b@pve"]),
        ("pve-iface", ["vmbr0", "eth0.17"], ["x", "1x", "x/y"]),
        ("CIDRv4", ["10.0.0.1/32", "10.0.0.0/8"], ["10.0.0.1", "10.0.0.1/7", "10.0.0.1/33"]),
        ("pve-tag-list", ["", "a;b", "A_1"], ["a;-b", "ü"]),
        ("email-opt", ["", "0", "a@b.example", "ü+x@b"], ["a", "a@b_c", "a..b@c"]),
        ("graphite-path", ["a", "a-b.c"], ["-a", "a_b", "a..b"]),
        ("address", ["1", "a.b", "10.0.0.1", "::1"], ["0", "a_b", ""]),
        ("storage-pair-list", ["0", "1", "ab:cd", ""], ["a", "ab:c"]),
        ("email-or-username", ["a+b", "a.b", "a@b"], ["a..b", ".a", "a b"]),
        ("pve-vlan-id-or-range-list", ["2-4094", "5 7"], ["1-5", "9-3", "x"]),
    ],
)
def test_named_formats_tell_good_from_bad(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if check_format(name, text) is not None] == []
    assert [text for text in bad if check_format(name, text) is None] == []
