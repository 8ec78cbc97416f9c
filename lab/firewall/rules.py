"""One firewall rule: what is wrong with it, and how it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from lab.errors import ApiError, bad_parameter, failure
from lab.firewall.addresses import ALIAS, IPSET, network, version_of
from lab.firewall.macros import MEANING
from lab.firewall.words import (
    ICMP,
    ICMP6_TYPES,
    ICMP_TYPES,
    WITH_PORTS,
    check_ports,
    macro_name,
)
from lab.store import Value

Rule = dict[str, Any]
FIELDS = (
    "type", "action", "enable", "macro", "iface", "source", "dest", "proto", "sport", "dport",
    "icmp-type", "log", "comment",
)  # fmt: skip
_VERDICTS = ("ACCEPT", "DROP", "REJECT")
_GROUP = re.compile(r"[A-Za-z][A-Za-z0-9\-_]+")
_MIXED = "detected mixed ipv4/ipv6 addresses in rule"
_CARD = re.compile(r"net\d+")


def checked(rule: Rule, *, env: str, directions: tuple[str, ...], scopes: list[Value]) -> Rule:
    """The rule with its macro in the right spelling; 400 that names what does not fit.

    `scopes` are the settings in which aliases and IP sets are looked for.
    """
    _check_verdict(rule, env, directions)
    _check_interface(rule, env)
    found = dict(rule)
    if "macro" in rule:
        name = macro_name(rule["macro"])
        if name is None:
            raise bad_parameter("macro", f"unknown macro '{rule['macro']}'")
        found["macro"] = name
    _check_target_ports(rule)
    _check_icmp(rule)
    _check_source_ports(rule)
    _check_addresses(rule, scopes)
    if "macro" in found:
        _check_macro(found)
    return found


def _check_macro(rule: Rule) -> None:
    """What a macro says cannot be said otherwise beside it."""
    for way in MEANING[rule["macro"]]:
        for name, value in way.items():
            if rule.get(name, value) != value:
                text = f"parameter '{name}' already define in macro (value = '{value}')"
                raise bad_parameter(name, text)


def _check_verdict(rule: Rule, env: str, directions: tuple[str, ...]) -> None:
    kind, action = rule["type"], rule["action"]
    if kind not in directions:
        raise bad_parameter("type", f"invalid rule type '{kind}' for rule_env '{env}'")
    if kind == "forward" and action == "REJECT":
        raise bad_parameter("action", "cannot define REJECT rules on forward chain")
    if kind != "group" and action not in _VERDICTS:
        raise bad_parameter("action", f"unknown action '{action}'")
    if kind == "group" and not _GROUP.fullmatch(action):
        raise bad_parameter("action", "invalid characters in security group name")


def _check_interface(rule: Rule, env: str) -> None:
    if "iface" not in rule:
        return
    if env in ("group", "vnet"):
        raise bad_parameter("type", "parameter -i not allowed for this rule type")
    if env in ("vm", "ct") and not _CARD.fullmatch(rule["iface"]):
        raise bad_parameter("iface", r"value does not match the regex pattern 'net\d+'")


def _check_target_ports(rule: Rule) -> None:
    protocol, icmp = rule.get("proto"), rule.get("proto") in ICMP
    if "dport" not in rule:
        return
    _check_text("dport", lambda: check_ports(rule["dport"], icmp=icmp))
    if not protocol:
        raise bad_parameter("proto", "missing property - 'dport' requires this property")
    if protocol not in WITH_PORTS and not icmp:
        raise bad_parameter("dport", f"protocol '{protocol}' does not support ports")


def _check_source_ports(rule: Rule) -> None:
    protocol = rule.get("proto")
    if "sport" not in rule:
        return
    if not protocol:
        raise bad_parameter("proto", "missing property - 'sport' requires this property")
    if protocol not in WITH_PORTS:
        raise bad_parameter("sport", f"protocol '{protocol}' does not support ports")


def _check_icmp(rule: Rule) -> None:
    kind, protocol = rule.get("icmp-type"), rule.get("proto", "")
    if kind is None:
        return
    version = ICMP.get(protocol)
    if version is None:
        raise bad_parameter("proto", "missing property - 'icmp-type' requires this property")
    if "dport" in rule:
        raise bad_parameter("icmp-type", "'icmp-type' cannot be specified together with 'dport'")
    if kind not in (ICMP_TYPES if version == 4 else ICMP6_TYPES):
        raise bad_parameter("icmp-type", f"invalid icmp-type '{kind}' for proto '{protocol}'")


def _check_text(name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except ValueError as error:
        raise bad_parameter(name, str(error)) from error


def _check_addresses(rule: Rule, scopes: list[Value]) -> None:
    for name, text in _address_faults(rule, scopes):
        raise bad_parameter(name, text)


def _address_faults(rule: Rule, scopes: list[Value]) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule's source and destination; `ApiError` for aliases of both kinds."""
    version = ICMP.get(rule.get("proto", ""))
    for name in ("source", "dest"):
        text = rule.get(name)
        if text is None:
            continue
        own = version_of(text)
        if None not in (own, version) and own != version:
            yield name, _MIXED
        version = own or version
        if text.startswith("+"):
            if fault := _ipset_fault(text, scopes):
                yield name, fault
        elif found := ALIAS.fullmatch(text):
            if not any(found[2].lower() in scope["aliases"] for scope in scopes):
                yield name, f"no such alias '{text}'"
            own = _version(text, scopes)
            if None not in (own, version) and own != version:
                raise failure(_MIXED)
            version = own or version


def _ipset_fault(text: str, scopes: list[Value]) -> str | None:
    found = IPSET.fullmatch(text)
    if found is None:
        return f"invalid ipset name '{text}'"
    there = any(found[2] in scope["ipset"] for scope in scopes)
    return None if there else f"no such ipset '{found[2]}'"


def _version(text: str | None, scopes: list[Value]) -> int | None:
    if text is None:
        return None
    if found := ALIAS.fullmatch(text):
        named = _named(found[1], scopes)
        rows = (scope["aliases"].get(found[2].lower()) for scope in named)
        return next((network(row["cidr"]).version for row in rows if row is not None), None)
    return version_of(text)


def _named(prefix: str | None, scopes: list[Value]) -> list[Value]:
    """Where an alias with such a prefix is looked up; `scopes` ends with the datacenter's."""
    if prefix == "dc/":
        return scopes[-1:]
    return scopes[:-1] if prefix == "guest/" else scopes


def shown(rule: Rule, scopes: list[Value]) -> dict[str, Any]:
    """The rule as it is read back: with the IP version that its addresses or protocol imply, and
    what does not fit any more since a name that it uses is gone."""
    versions = [ICMP.get(rule.get("proto", ""))]
    versions += [_version(rule.get(name), scopes) for name in ("source", "dest")]
    version = next((v for v in versions if v is not None), None)
    answer = {name: value for name, value in rule.items() if value != ""}
    if version:
        answer["ipversion"] = version
    if errors := _faults_by_name(rule, scopes):
        answer["errors"] = errors
    return answer


def _faults_by_name(rule: Rule, scopes: list[Value]) -> dict[str, str]:
    errors: dict[str, str] = {}
    try:
        for name, text in _address_faults(rule, scopes):
            errors.setdefault(name, text)
    except ApiError:
        pass  # aliases of both kinds: such a rule is told without a word
    return errors
