"""HA rules: on which hosts services run, and which of them together or apart."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import ApiError, failure
from lab.formats import split_list
from lab.ha.config import RESOURCE, RULE, RULE_TYPES
from lab.ha.feasibility import Faults, faults, priorities
from lab.routes import handles
from lab.section_file import Section, filled, within

_META = ("rule", "type", "digest", "delete")


def _given(params: dict[str, Any]) -> Section:
    """The options of a call as they are kept: sets sorted, a host without priority bare."""
    values = {name: value for name, value in params.items() if name not in _META}
    if not values.get("disable"):
        values.pop("disable", None)
    if "resources" in values:
        values["resources"] = ",".join(sorted(set(split_list(values["resources"]))))
    if "nodes" in values:
        found = sorted(priorities(values["nodes"]).items())
        values["nodes"] = ",".join(f"{node}:{n}" if n else node for node, n in found)
    return values


def _wrong(call: Call, rules: dict[str, Section]) -> Faults:
    return faults(rules, [node["name"] for node in call.lab.nodes()])


def _shown(call: Call, name: str, rules: dict[str, Section]) -> dict[str, Any]:
    order, digest = list(rules).index(name) + 1, digest_of(rules)
    answer = {"rule": name, **rules[name], "order": order, "digest": digest}
    wrong = _wrong(call, rules).get(name)
    return answer | ({"errors": wrong} if wrong else {})


@handles("GET", "/cluster/ha/rules")
async def list_rules(call: Call) -> Any:
    """All rules in their order, of one kind or about one resource if asked for."""
    rules = dict(call.lab.store.items(RULE))
    kind, sid = call.params.get("type"), call.params.get("resource")
    return [
        _shown(call, name, rules)
        for name, rule in rules.items()
        if kind in (None, rule["type"]) and (sid is None or sid in split_list(rule["resources"]))
    ]


@handles("GET", "/cluster/ha/rules/{rule}")
async def read_rule(call: Call) -> Any:
    """One rule."""
    rules = dict(call.lab.store.items(RULE))
    if call.params["rule"] not in rules:
        raise failure(f"no such ha rule '{call.params['rule']}'")
    return _shown(call, call.params["rule"], rules)


def _check_members(call: Call, values: Section) -> None:
    """500 for resources that are not watched and hosts that do not exist."""
    store = call.lab.store
    if "resources" in values:
        sids = split_list(values["resources"])
        if not sids:
            raise failure("no resources were specified")
        if missing := [sid for sid in sids if store.get(RESOURCE, sid) is None]:
            raise failure(f"cannot use unmanaged resource(s) {', '.join(missing)}.")
    if "nodes" in values:
        nodes = list(priorities(values["nodes"]))
        if not nodes:
            raise failure("no nodes were specified")
        if missing := [node for node in nodes if store.get("node", node) is None]:
            raise failure(f"cannot use non-existent node(s) {', '.join(missing)}.")


def _check_feasible(call: Call, name: str, rule: Section) -> None:
    rules = {**dict(call.lab.store.items(RULE)), name: rule}
    wrong = _wrong(call, rules).get(name)
    if wrong:
        texts = {option: ", ".join(found) for option, found in wrong.items()}
        raise ApiError(400, f"Rule '{name}' is invalid.", texts)


@handles("POST", "/cluster/ha/rules")
async def create_rule(call: Call) -> Any:
    """A new rule, after all others; it has to be possible together with them."""
    store, name, kind = call.lab.store, call.params["rule"], call.params["type"]
    values = _given(call.params)
    RULE_TYPES[kind].check_new(values)
    with within("create ha rule failed"):
        if store.get(RULE, name) is not None:
            raise failure(f"HA rule '{name}' already defined")
        _check_members(call, values)
        rule = {"type": kind, **filled(values)}
        _check_feasible(call, name, rule)
        store.put(RULE, name, rule)
    call.lab.ha.wake()


@handles("PUT", "/cluster/ha/rules/{rule}")
async def change_rule(call: Call) -> Any:
    """Change and delete options of a rule."""
    store, name, values = call.lab.store, call.params["rule"], _given(call.params)
    with within("update HA rules failed"):
        check_digest(call.params.get("digest"), dict(store.items(RULE)))
        rule = store.get(RULE, name)
        if rule is None:
            raise failure(f"HA rule '{name}' does not exist")
        kind = RULE_TYPES[rule["type"]]
        if call.params.get("type", rule["type"]) != rule["type"]:
            raise failure("unexpected property 'type'")
        kind.check_change(values)
        _check_members(call, values)
        kept = kind.without(rule, split_list(call.params.get("delete", "")), values)
        changed = filled({**kept, **values})
        _check_feasible(call, name, changed)
        store.put(RULE, name, changed)
    call.lab.ha.wake()


@handles("DELETE", "/cluster/ha/rules/{rule}")
async def delete_rule(call: Call) -> Any:
    """Remove a rule; one that is not there is no error."""
    call.lab.store.delete(RULE, call.params["rule"])
    call.lab.ha.wake()
