"""What the firewall's settings say about one network card of a guest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.firewall.matches import matches
from lab.firewall.resolve import Network, Scopes, complete, link_local
from lab.formats import parse_property_string
from lab.network.names import Port
from lab.store import Value

_LEVELS = {
    "emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7,
}  # fmt: skip
_POLICIES = {"in": "DROP", "out": "ACCEPT"}
_BURST, _RATE = 5, "1/second"
GROUP = 1
"""The group of netlink that notes are sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card whose packets the firewall decides on.

    `filtered` is the set of addresses that it may send from, None for any.
    """

    port: Port
    scopes: Scopes
    groups: Mapping[str, Value]
    filtered: tuple[Network, ...] | None

    @property
    def macfilter(self) -> bool:
        """Whether only the card's own MAC may send."""
        return self.option("macfilter", True)

    def option(self, name: str, default: bool) -> bool:
        """A switch of the guest's firewall."""
        return bool(self.scopes.guest["options"].get(name, default))

    def policy(self, direction: str) -> str:
        """What becomes of a packet that no rule decides on."""
        options = self.scopes.guest["options"]
        return str(options.get(f"policy_{direction}", _POLICIES[direction]))

    def drop(
        self,
        match: str,
        direction: str,
        why: str,
        *,
        counter: str | None = None,
        level: str | None = None,
    ) -> list[str]:
        """Lines that count and drop what matches, after a note of it if the level of the rule or
        of the options asks for notes. The note has a line of its own, since its limit must not
        spare a packet."""
        before = f"{match} " if match else ""
        counted = f"counter name {self.port.link}_{counter or f'{direction}_dropped'}"
        return [*self.noted(match, direction, why, level), f"{before}{counted} drop"]

    def noted(self, match: str, direction: str, why: str, level: str | None = None) -> list[str]:
        """The line that logs what matches, or none; in the form that Proxmox VE's logger reads."""
        level = level or str(self.scopes.guest["options"].get(f"log_level_{direction}", "nolog"))
        if level not in _LEVELS:
            return []
        chain = f"{self.port.link}-{direction.upper()}"
        prefix = f":{self.port.vmid}:{_LEVELS[level]}:{chain}: {why}: "
        words = [match] if match else []
        limit = limit_of(self.scopes.cluster["options"])
        if limit is not None:
            words.append(f"limit rate {limit[0]} burst {limit[1]} packets")
        return [" ".join([*words, f'log prefix "{prefix}" group {GROUP}'])]

    def rules(self, direction: str) -> list[list[str]]:
        """Lines of each rule in force, in their order; a group's rules stand in its place."""
        found = []
        for rule in self.scopes.guest["rules"]:
            if not self._concerns(rule):
                continue
            if rule["type"] != "group":
                if rule["type"] == direction:
                    found.append(self._lines(rule, self.scopes, direction))
                continue
            group = self.groups.get(rule["action"], {"rules": []})
            shared = Scopes(self.scopes.cluster, self.scopes.cluster)
            found += [
                self._lines(each, shared, direction)
                for each in group["rules"]
                if each["type"] == direction and each.get("enable")
            ]
        return found

    def _concerns(self, rule: Value) -> bool:
        return bool(rule.get("enable")) and rule.get("iface") in (None, f"net{self.port.nic}")

    def _lines(self, rule: Value, scopes: Scopes, direction: str) -> list[str]:
        action, level = str(rule["action"]), rule.get("log", "nolog")
        lines = []
        for match in matches(rule, scopes):
            if action == "ACCEPT":
                before = f"{match} " if match else ""
                lines += [*self.noted(match, direction, action, level), f"{before}return"]
            else:  # REJECT drops as well: a host without addresses has nothing to answer with
                lines += self.drop(match, direction, action, level=level)
        return lines


def card_of(port: Port, rows: Mapping[str, Value]) -> Card | None:
    """The card behind a port; None when the firewall has no say: it takes the datacenter's switch,
    the guest's and the card's."""
    cluster, guest = complete(rows, "cluster"), complete(rows, f"vm/{port.vmid}")
    if not (port.firewall and cluster["options"].get("enable") and guest["options"].get("enable")):
        return None
    scopes = Scopes(cluster, guest)
    groups = {
        key.removeprefix("group/"): row for key, row in rows.items() if key.startswith("group/")
    }
    return Card(port=port, scopes=scopes, groups=groups, filtered=_filtered(port, scopes))


def _filtered(port: Port, scopes: Scopes) -> tuple[Network, ...] | None:
    """The set `ipfilter-netN`; with the option `ipfilter` an empty one stands for a missing one.
    The address that IPv6 makes of the card's MAC is always in it."""
    ipset = scopes.guest["ipset"].get(f"ipfilter-net{port.nic}")
    if ipset is None and not scopes.guest["options"].get("ipfilter"):
        return None
    entries: list[dict[str, Any]] = ipset["entries"] if ipset else []
    return (*scopes.entries(entries), link_local(port.mac))


def limit_of(options: Value) -> tuple[str, int] | None:
    """How often lines are logged: rate and burst; None without a limit."""
    text = options.get("log_ratelimit")
    values = parse_property_string("firewall-log-ratelimit", text) if text else {}
    if not values.get("enable", 1):
        return None
    return str(values.get("rate", _RATE)), int(values.get("burst", _BURST))
