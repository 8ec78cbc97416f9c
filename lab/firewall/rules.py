"""One firewall rule: what is wrong with it, and how it is shown."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import bad_parameter
from lab.firewall.addresses import ALIAS, IPSET, version_of
from lab.firewall.words import ICMP, ICMP6_TYPES, ICMP_TYPES, WITH_PORTS, macro_name
from lab.store import Value

Rule = dict[str, Any]
FIELDS = (
    "type", "action", "enable", "macro", "iface", "source", "dest", "proto", "sport", "dport",
    "icmp-type", "log", "comment",
)  # fmt: skip
_VERDICTS = ("ACCEPT", "DROP", "REJECT")
_GROUP = re.compile(r"[A-Za-z][A-Za-z0-9\-_]+")
_CARD = re.compile(r"net\d+")


def checked(rule: Rule, *, env: str, directions: tuple[str, ...], scopes: list[Value]) -> Rule:
    """The rule with its macro in the right spelling; 400 that names what does not fit.

    `scopes` are the settings in which aliases and IP sets are looked for.
    """
    _check_verdict(rule, env, directions)
    if "iface" in rule and env in ("vm", "ct") and not _CARD.fullmatch(rule["iface"]):
        raise bad_parameter("iface", r"value does not match the regex pattern 'net\d+'")
    found = dict(rule)
    if "macro" in rule:
        name = macro_name(rule["macro"])
        if name is None:
            raise bad_parameter("macro", f"unknown macro '{rule['macro']}'")
        found["macro"] = name
    _check_ports(rule)
    _check_icmp(rule)
    _check_addresses(rule, scopes)
    return found


def _check_verdict(rule: Rule, env: str, directions: tuple[str, ...]) -> None:
    kind, action = rule["type"], rule["action"]
    if kind not in directions:
        raise bad_parameter("type", f"invalid rule type '{kind}' for rule_env '{env}'")
    if kind != "group" and action not in _VERDICTS:
        raise bad_parameter("action", f"unknown action '{action}'")
    if kind == "group" and not _GROUP.fullmatch(action):
        raise bad_parameter("action", "invalid characters in security group name")


def _check_ports(rule: Rule) -> None:
    protocol = rule.get("proto")
    for name in ("dport", "sport"):
        if name not in rule:
            continue
        if not protocol:
            raise bad_parameter("proto", f"missing property - '{name}' requires this property")
        if protocol not in WITH_PORTS and not (name == "dport" and protocol in ICMP):
            raise bad_parameter(name, f"protocol '{protocol}' does not support ports")


def _check_icmp(rule: Rule) -> None:
    kind = rule.get("icmp-type")
    if kind is None:
        return
    version = ICMP.get(rule.get("proto", ""))
    if version is None:
        raise bad_parameter("proto", "missing property - 'icmp-type' requires this property")
    if "dport" in rule:
        raise bad_parameter("icmp-type", "'icmp-type' cannot be specified together with 'dport'")
    if not kind.isdigit() and kind not in (ICMP_TYPES if version == 4 else ICMP6_TYPES):
        raise bad_parameter("icmp-type", f"Unknown icmp-type '{kind}'")


def _check_addresses(rule: Rule, scopes: list[Value]) -> None:
    for name in ("source", "dest"):
        text = rule.get(name)
        if text is None:
            continue
        if text.startswith("+"):
            _check_ipset(name, text, scopes)
        elif (found := ALIAS.fullmatch(text)) and not _aliases(found[2], scopes):
            raise bad_parameter(name, f"no such alias '{text}'")
    versions = [_version(rule.get(name), scopes) for name in ("source", "dest")]
    if None not in versions and versions[0] != versions[1]:
        raise bad_parameter("dest", "detected mixed ipv4/ipv6 addresses in rule")


def _check_ipset(name: str, text: str, scopes: list[Value]) -> None:
    found = IPSET.fullmatch(text)
    if found is None:
        raise bad_parameter(name, f"invalid ipset name '{text}'")
    if not any(found[2] in scope["ipset"] for scope in scopes):
        raise bad_parameter(name, f"no such ipset '{found[2]}'")


def _aliases(name: str, scopes: list[Value]) -> list[Value]:
    found = (scope["aliases"].get(name.lower()) for scope in scopes)
    return [alias for alias in found if alias is not None]


def _version(text: str | None, scopes: list[Value]) -> int | None:
    if text is None:
        return None
    if found := ALIAS.fullmatch(text):
        aliases = _aliases(found[2], scopes)
        return version_of(aliases[0]["cidr"]) if aliases else None
    return version_of(text)


def shown(rule: Rule, scopes: list[Value]) -> dict[str, Any]:
    """The rule as it is read back: with the IP version that its addresses or protocol imply."""
    versions = [ICMP.get(rule.get("proto", ""))]
    versions += [_version(rule.get(name), scopes) for name in ("source", "dest")]
    version = next((v for v in versions if v is not None), None)
    answer = {name: value for name, value in rule.items() if value != ""}
    return answer | ({"ipversion": version} if version else {})
