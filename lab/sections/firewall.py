"""The firewall's calls: the same handlers over datacenter, security groups, hosts and guests."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import bad_parameter, failure
from lab.firewall import rules as rule_checks
from lab.firewall.rules import FIELDS, Rule
from lab.firewall.scopes import (
    CLUSTER,
    CONTAINER,
    DATACENTER,
    EMPTY,
    GROUP,
    GUEST,
    HOST,
    Scope,
    load,
)
from lab.firewall.words import MACROS
from lab.formats import split_list
from lab.routes import add_handler, handles
from lab.spec import load_methods
from lab.store import Value

Answer = Callable[[Scope, Call], Awaitable[Any]]
_META = ("node", "vmid", "vnet", "group", "digest", "delete", "pos", "moveto")
_OF_GROUPS = ("type", "action", "enable", "iface", "comment")
_UNDEFINED = (
    "Can't use an undefined value as an ARRAY reference "
    "at /usr/share/perl5/PVE/API2/Firewall/Rules.pm line 1."
)


def scopes_of(scope: Scope, call: Call) -> list[Value]:
    """Where names in a rule of this scope are looked for: itself, then the datacenter."""
    return [scope.read(call), load(call.lab.store, CLUSTER)]


async def read_options(scope: Scope, call: Call) -> Any:
    """The options that are set."""
    options = scope.read(call)["options"]
    return {**options, "digest": digest_of(options)}


async def change_options(scope: Scope, call: Call) -> Any:
    """Set and delete options; a name to delete that is no option at all is refused."""
    present = scope.read(call)["options"]
    check_digest(call.params.get("digest"), present)
    known = _option_names(call)
    gone = split_list(call.params.get("delete", ""))
    for name in gone:
        if name not in known:
            raise bad_parameter("delete", f"no such option '{name}'")
    kept = {k: v for k, v in present.items() if k not in gone}
    given = {k: v for k, v in call.params.items() if k in known}
    if scope is DATACENTER and given.get("enable", 0) > 1:
        given["enable"] = int(time.time())  # enabled, if nobody has locked himself out by then
    # An option without a value is a line that the file's reader does not understand.
    options = {name: value for name, value in (kept | given).items() if value != ""}
    scope.write(call, options=options)


def _option_names(call: Call) -> set[str]:
    return load_methods()["PUT", call.pattern].parameters.keys() - set(_META)


async def list_rules(scope: Scope, call: Call) -> Any:
    """All rules; `pos` is a number here."""
    rules, scopes = scope.read(call)["rules"], scopes_of(scope, call)
    digest = digest_of(rules)
    return [
        {**rule_checks.shown(rule, scopes), "pos": pos, "digest": digest}
        for pos, rule in enumerate(rules)
    ]


def _rule_at(scope: Scope, call: Call) -> Rule:
    found: list[Rule] = scope.read(call)["rules"]
    pos = call.params["pos"]
    if pos >= len(found):
        raise failure(f"no rule at position {pos}")
    return dict(found[pos])


async def read_rule(scope: Scope, call: Call) -> Any:
    """One rule; `pos` is a text here."""
    rule = rule_checks.shown(_rule_at(scope, call), scopes_of(scope, call))
    digest = digest_of(scope.read(call)["rules"])
    return {**rule, "pos": str(call.params["pos"]), "digest": digest}


def _given(call: Call) -> Rule:
    return {name: call.params[name] for name in FIELDS if name in call.params}


def _checked(scope: Scope, call: Call, rule: Rule) -> Rule:
    filled = {name: value for name, value in rule.items() if value not in ("", "-")}
    scopes = scopes_of(scope, call)
    good = rule_checks.checked(filled, env=scope.env, directions=scope.directions, scopes=scopes)
    good["enable"] = 1 if good.get("enable") else 0
    if good["type"] == "group":  # of such a rule, no more is written to the file
        return {name: value for name, value in good.items() if name in _OF_GROUPS}
    return good


def _check_there(scope: Scope, call: Call) -> None:
    """500 for settings that have no file, where nothing has been set: they have no list of rules
    that could be changed."""
    if scope is not GROUP and scope.read(call) == EMPTY:
        if scope is DATACENTER and _groups(call):
            return
        raise failure(_UNDEFINED)


async def create_rule(scope: Scope, call: Call) -> Any:
    """A new rule, always before all others; `pos` is taken and ignored."""
    present = scope.read(call)["rules"]
    scope.write(call, rules=[_checked(scope, call, _given(call)), *present])


async def change_rule(scope: Scope, call: Call) -> Any:
    """Change a rule, or with `moveto` put it before the rule that stands there."""
    present: list[Rule] = scope.read(call)["rules"]
    check_digest(call.params.get("digest"), present)
    _check_there(scope, call)
    rule, pos = _rule_at(scope, call), call.params["pos"]
    target = int(min(call.params.get("moveto", pos), len(present)))
    if target != pos:
        before = [r for place, r in enumerate(present[:target]) if place != pos]
        after = [r for place, r in enumerate(present[target:], target) if place != pos]
        scope.write(call, rules=[*before, rule, *after])
        return
    rule |= _given(call)
    for name in split_list(call.params.get("delete", "")):
        if name not in (*FIELDS, "pos", "digest"):
            raise bad_parameter("delete", f"no such property ('{name}')")
        if name in ("type", "action"):
            raise bad_parameter("delete", f"unable to delete required property '{name}'")
        rule.pop(name, None)
    changed = _checked(scope, call, rule)
    scope.write(call, rules=[*present[:pos], changed, *present[pos + 1 :]])


async def delete_rule(scope: Scope, call: Call) -> Any:
    """Remove a rule."""
    present = scope.read(call)["rules"]
    check_digest(call.params.get("digest"), present)
    _check_there(scope, call)
    _rule_at(scope, call)
    pos = call.params["pos"]
    scope.write(call, rules=[*present[:pos], *present[pos + 1 :]])


def _shorten_comment(call: Call) -> None:
    """A comment ends the line of what it is about, and is read without blanks around it."""
    if "comment" in call.params:
        call.params["comment"] = call.params["comment"].partition("\n")[0].strip()


def serve(scope: Scope, method: str, path: str, answer: Answer) -> None:
    """Register one handler for one scope."""

    async def handler(call: Call) -> Any:
        _shorten_comment(call)
        return await answer(scope, call)

    add_handler(method, f"{scope.path}{path}", handler)


for _scope in (DATACENTER, HOST, GUEST, CONTAINER):
    serve(_scope, "GET", "/options", read_options)
    serve(_scope, "PUT", "/options", change_options)
for _scope in (DATACENTER, GROUP, HOST, GUEST, CONTAINER):
    serve(_scope, "GET", _scope.rules, list_rules)
    serve(_scope, "POST", _scope.rules, create_rule)
    serve(_scope, "GET", f"{_scope.rules}/{{pos}}", read_rule)
    serve(_scope, "PUT", f"{_scope.rules}/{{pos}}", change_rule)
    serve(_scope, "DELETE", f"{_scope.rules}/{{pos}}", delete_rule)


@handles("GET", "/cluster/firewall/macros")
async def list_macros(_call: Call) -> Any:
    """All macros with a description."""
    return [{"macro": name, "descr": text} for name, text in MACROS.items()]


def _groups(call: Call) -> dict[str, Value]:
    rows = call.lab.store.items("firewall")
    return {key.removeprefix("group/"): row for key, row in rows if key.startswith("group/")}


def _group_list(call: Call) -> list[dict[str, Any]]:
    return [
        {"group": name} | ({"comment": row["comment"]} if row.get("comment") else {})
        for name, row in sorted(_groups(call).items())
    ]


@handles("GET", "/cluster/firewall/groups")
async def list_groups(call: Call) -> Any:
    """Names and comments of security groups."""
    found = _group_list(call)
    digest = digest_of(found)
    return [{**row, "digest": digest} for row in found]


@handles("POST", "/cluster/firewall/groups")
async def create_group(call: Call) -> Any:
    """A new security group, or with `rename` an existing one under another name."""
    _shorten_comment(call)
    groups, name, old = _groups(call), call.params["group"], call.params.get("rename")
    if old is not None:
        _rename_group(call, old, name)
        return
    if name in groups:
        raise bad_parameter("group", f"Security group '{name}' already exists")
    # The file keeps names in small letters, and takes a group of the same name for the same one.
    key, comment = name.lower(), call.params.get("comment", "")
    there = groups.get(key, {"rules": []})
    row = {**there, "comment": there.get("comment") or comment}
    call.lab.store.put("firewall", f"group/{key}", row)


def _rename_group(call: Call, old: str, name: str) -> None:
    """Give a group another name, also in all rules that use it; the same one changes its
    comment only."""
    groups, store = _groups(call), call.lab.store
    check_digest(call.params.get("digest"), _group_list(call))
    if old not in groups:
        raise bad_parameter("group", f"Security group '{old}' does not exist")
    if name in groups and name != old:
        raise bad_parameter("group", f"Security group '{name}' does already exist")
    row = {**groups[old], "comment": call.params.get("comment", groups[old].get("comment", ""))}
    store.put("firewall", f"group/{name.lower()}", row)
    if name == old:
        return
    for key, settings in store.items("firewall"):
        rules = settings.get("rules", [])
        renamed = [
            {**rule, "action": name} if rule["type"] == "group" and rule["action"] == old else rule
            for rule in rules
        ]
        if renamed != rules and not key.startswith("vnet/"):
            store.put("firewall", key, {**settings, "rules": renamed})
    if name.lower() != old:
        store.delete("firewall", f"group/{old}")


@handles("DELETE", "/cluster/firewall/groups/{group}")
async def delete_group(call: Call) -> Any:
    """Remove a security group that has no rules."""
    if GROUP.read(call)["rules"]:
        raise failure(f"Security group '{call.params['group']}' is not empty")
    call.lab.store.delete("firewall", f"group/{call.params['group']}")
