"""What differs from run to run, put behind stable words, so that answers can be compared.

The words are those of the recorded set: `<mac>`, `<digest>`, `UPID:{node}:<pid>:<pstart>:<time>:`
and so on. A value of a key that measures something becomes the word for its JSON type, so that the
type is still compared. Lists are sorted, and so are the members of texts that are sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_HEX8 = "[0-9A-F]{8}"
_HEX4 = "[0-9a-f]{4}"
TEXTS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (rf"UPID:([^:\s]+):{_HEX8}:[0-9A-F]{{8,9}}:{_HEX8}:", r"UPID:\1:<pid>:<pstart>:<time>:"),
        (r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b", "<fingerprint>"),
        (r"\bBC:24:11(?::[0-9A-F]{2}){3}\b", "<mac>"),
        (rf"\b[0-9a-f]{{8}}(?:-{_HEX4}){{3}}-[0-9a-f]{{12}}\b", "<uuid>"),
        (r"\b[0-9a-f]{40}\b", "<digest>"),
        (rf"\bPVE:[^:\s]+:{_HEX8}::[A-Za-z0-9+/=]+", "<ticket>"),
        (rf"\b{_HEX8}:[A-Za-z0-9+/]{{43}}\b", "<csrf>"),
        (r"\bctime=\d+", "ctime=<time>"),
        (r" at (?:/usr/|/opt/|\(eval)\S*(?: \d+\))? line \d+\.?", " at <source>."),
        (r"\.tmp\.\d+\b", ".tmp.<pid>"),
        (r"\bPID \d+\b", "PID <pid>"),
        (r"pveupload-[0-9a-f]+", "pveupload-<id>"),
        (r"tmp_dwnl\.\d+", "tmp_dwnl.<pid>"),
        (
            r"\b\d+(\.\d+)? (bytes|[KMG]i?B|[KMG]B/s) (copied|transferred|received).*",
            "<progress>",
        ),
        (r"\b\d{2}:\d{2}:\d{2}\b", "<clock>"),
        (r"(is used by vnet) \S+", r"\1 <name>"),
        (r"(failed to get address info for: [^:\s]+): .*", r"\1: <resolver>"),
    )
)
MEASURED = frozenset({
    "ballooninfo", "blockstat", "cpu", "ctime", "disk", "diskread", "diskwrite", "endtime",
    "freemem", "idle", "loadavg", "localtime", "mem", "memhost", "netin", "netout", "nics", "pid",
    "pressurecpufull", "pressurecpusome", "pressureiofull", "pressureiosome",
    "pressurememoryfull", "pressurememorysome", "proxmox-support", "pstart", "starttime", "time",
    "timestamp", "uptime", "used", "used_fraction", "wait",
})  # fmt: skip
"""Keys whose value is hidden unless it is a text."""

OF_HOSTS = frozenset(["avail", "cpus", "maxcpu", "maxdisk", "maxmem", "total"])
"""Hidden as well, but not for guests, whose sizes somebody has chosen."""

SECRETS = frozenset({
    "CSRFPreventionToken", "changes", "fingerprint", "fp", "running-machine", "running-qemu",
    "ssl_fingerprint", "ticket",
})  # fmt: skip
SETS = frozenset(["content", "groups", "nodes", "peers", "privs", "roles", "tokens", "users"])
_FAULTS = "invalid format - format error\n"


class Mask:
    """Hides what differs. `names` are words to what they stand for, `{"node": "pve1"}`; `vmids`
    knows to where the VMIDs of scenarios were moved."""

    def __init__(self, names: Mapping[str, str | None], vmids: Vmids | None = None) -> None:
        longest = sorted(((v, k) for k, v in names.items() if v), key=lambda pair: -len(pair[0]))
        self._words = [
            (re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-])"), f"{{{word}}}")
            for text, word in longest
        ]
        self._vmids = vmids or Vmids()

    def text(self, text: str) -> str:
        """One text with words in place of what differs."""
        text = self._vmids.back(text)
        for pattern, word in (*TEXTS, *self._words):
            text = pattern.sub(word, text)
        if text.startswith(_FAULTS):
            head, *faults = text.split("\n")
            filled = sorted(line for line in faults if line)
            text = "\n".join([head, *filled, *("" for line in faults if not line)])
        return text

    def value(self, value: Any, hidden: Iterable[str] = (), key: str | None = None) -> Any:
        """The same for anything that JSON can hold; `hidden` names further keys."""
        if isinstance(value, dict):
            return self._object(value, frozenset(hidden), key)
        if isinstance(value, list):
            members = (self.value(member, hidden, key) for member in value)
            return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
        if isinstance(value, str):
            return self.text(",".join(sorted(value.split(","))) if key in SETS else value)
        return self._vmids.number(value)

    def _object(self, value: dict[str, Any], hidden: frozenset[str], key: str | None) -> Any:
        of_guest = "vmid" in value or "vm" in value
        measured = MEASURED if of_guest else MEASURED | OF_HOSTS
        always = frozenset() if key == "errors" else SECRETS | hidden
        found: dict[str, Any] = {}
        for name, member in value.items():
            if name == "hastate" and value.get("type") == "node":
                continue
            hide = name in always or (name in measured and not isinstance(member, str))
            found[self.text(name)] = _kind(member) if hide else self.value(member, hidden, name)
        return found


def _kind(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, list):
        return "<list>"
    return "<object>" if isinstance(value, dict) else "<number>"


class Vmids:
    """The VMIDs of scenarios (40000 to 40799), moved to where an endpoint has room for them."""

    FIRST, COUNT = 40000, 800

    def __init__(self, first: int = FIRST) -> None:
        self._by = first - self.FIRST
        self._there = range(first, first + self.COUNT)
        self._here = range(self.FIRST, self.FIRST + self.COUNT)

    def moved(self, text: str) -> str:
        """A text of a scenario, as it is sent."""
        return self._shifted(text, self._here, self._by)

    def back(self, text: str) -> str:
        """A text of an answer, as scenarios have it."""
        return self._shifted(text, self._there, -self._by)

    def number(self, value: Any) -> Any:
        """The same for a number."""
        plain = isinstance(value, int) and not isinstance(value, bool)
        return value - self._by if plain and self._by and value in self._there else value

    @staticmethod
    def _shifted(text: str, of: range, by: int) -> str:
        if not by:
            return text

        def shift(found: re.Match[str]) -> str:
            return str(int(found[0]) + by) if int(found[0]) in of else found[0]

        return re.sub(r"(?<!\d)(?<!\d\.)\d{3,9}(?!\d)(?!\.\d)", shift, text)


def differences(wanted: Any, found: Any, where: str = "") -> Iterable[str]:
    """One line for each place where two masked answers are not the same."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            place = f"{where}.{key}" if where else key
            if key not in found:
                yield f"{place}: missing, {json.dumps(wanted[key])} was expected"
            elif key not in wanted:
                yield f"{place}: {json.dumps(found[key])} was not expected"
            else:
                yield from differences(wanted[key], found[key], place)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, pair in enumerate(zip(wanted, found, strict=True)):
            yield from differences(*pair, f"{where}[{number}]")
    elif type(wanted) is not type(found) or wanted != found:
        yield f"{where}: {json.dumps(found)} instead of {json.dumps(wanted)}"
