"""The invariants I1 to I8, each as a function that gives sentences about what breaks it."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.engine.oracle.database import GUESTS, Event, Rows, plain

GUEST = "proxmoxve:index/vmLegacy:VmLegacy"
MARK = "practicum"
WRITES = ("POST", "PUT", "DELETE")


def state_is_sound(path: Path, *, finished: bool) -> list[str]:
    """I1: the engine's state loads, its links lead somewhere; `finished`: nothing is in work."""
    latest = json.loads(path.read_text())["checkpoint"]["latest"] or {}
    resources: list[dict[str, Any]] = latest.get("resources") or []
    wrong = []
    seen: set[str] = set()
    for each in resources:
        links = [each.get("parent"), *(each.get("dependencies") or [])]
        links.append((each.get("provider") or "").rpartition("::")[0])
        wrong += [
            f"I1: {each['urn']} hangs on {link}" for link in links if link and link not in seen
        ]
        if each["urn"] in seen and not each.get("delete"):
            wrong.append(f"I1: {each['urn']} is in the state twice")
        seen.add(each["urn"])
    if finished:
        pending = latest.get("pending_operations") or []
        wrong += [f"I1: still in work: {each['resource']['urn']}" for each in pending]
        wrong += [f"I1: half-made: {each['urn']}" for each in resources if each.get("initErrors")]
        wrong += [f"I1: to be deleted: {each['urn']}" for each in resources if each.get("delete")]
    return wrong


def guests_of_state(path: Path) -> set[int]:
    """VMIDs of the guests in the engine's state, noted operations included."""
    latest = json.loads(path.read_text())["checkpoint"]["latest"] or {}
    noted = [each["resource"] for each in latest.get("pending_operations") or []]
    return {
        int(each["inputs"]["vmId"])
        for each in [*(latest.get("resources") or []), *noted]
        if each["type"] == GUEST
    }


def all_are_known(event: Event, rows: Rows, state: Path) -> list[str]:
    """I2, first half: each guest with our mark is in the state, and none is there that is gone."""
    there = {vmid for vmid, _ in event.guests(rows)}
    known = guests_of_state(state)
    wrong = [f"I2: guest {vmid} is not in the state" for vmid in sorted(there - known)]
    return wrong + [f"I2: guest {vmid} of the state is gone" for vmid in sorted(known - there)]


def foreign_are_untouched(event: Event, before: Rows, after: Rows) -> list[str]:
    """I2, second half: what is not the event's is byte for byte as it was."""
    ours = event.rows(before).keys() | event.rows(after).keys()
    return differences("I2", before, after, without=ours)


def differences(
    word: str, before: Mapping[Any, Any], after: Mapping[Any, Any], *, without: Iterable[Any] = ()
) -> list[str]:
    """Rows that came, went or changed."""
    wrong = []
    for row in sorted((before.keys() | after.keys()) - set(without), key=str):
        if row not in after:
            wrong.append(f"{word}: {row} is gone: {before[row]}")
        elif row not in before:
            wrong.append(f"{word}: {row} has come: {after[row]}")
        elif before[row] != after[row]:
            wrong.append(f"{word}: {row} was {before[row]} and is {after[row]}")
    return wrong


def same_end(event: Event, unbroken: Rows, rows: Rows) -> list[str]:
    """I3: the event is as a run has left it that nothing disturbed."""
    return differences("I3", plain(event.rows(unbroken)), plain(event.rows(rows)))


def site_is_whole(event: Event, bare: Rows, rows: Rows) -> list[str]:
    """I3 for the site: its own objects, such as a template that was made anew, are as before."""
    own = event.rows(bare).keys() | event.rows(rows).keys()
    return differences("I3, site", plain(bare), plain(rows), without=own)


def nothing_is_left(event: Event, bare: Rows, rows: Rows) -> list[str]:
    """I4: no object has the mark, no disk is forgotten, and the site is as it was without us."""
    left = [f"I4: {row} is left: {text}" for row, text in event.rows(rows).items()]
    return left + differences("I4", bare, rows, without=event.rows(rows))


def numbers_are_unique(rows: Rows) -> list[str]:
    """I5: over all events at the site: VMID, name, MAC, address, and the VLAN of a cluster."""
    uses: dict[str, list[str]] = defaultdict(list)
    clusters: dict[str, set[str]] = defaultdict(set)
    for (kind, key), text in rows.items():
        if kind not in GUESTS:
            continue
        uses[f"VMID {key}"].append(kind)
        config = json.loads(text)["config"]
        tags = set(str(config.get("tags", "")).split(";"))
        if MARK not in tags or config.get("template"):
            continue
        uses[f"name {config['name']}"].append(key)
        for name, value in config.items():
            if re.fullmatch(r"net\d+", name) and (found := re.search(r"=([0-9A-F:]{17})", value)):
                uses[f"MAC {found[1]}"].append(key)
            if re.fullmatch(r"ipconfig\d+", name) and (found := re.search(r"ip=([^,]+)", value)):
                uses[f"address {found[1]}"].append(key)
        own = [value for name, value in config.items() if name == "net0"]
        if (
            len(own) == 1
            and "firewall=1" not in own[0]
            and (tag := re.search(r"tag=(\d+)", own[0]))
        ):
            clusters[f"VLAN {tag[1]}"].add(";".join(sorted(tags)))
    wrong = [f"I5: {what}: used by {whose}" for what, whose in uses.items() if len(whose) > 1]
    return wrong + [
        f"I5: {vlan}: used by {them}" for vlan, them in clusters.items() if len(them) > 1
    ]


def secrets_stay_hidden(secrets: Iterable[str], texts: Mapping[str, bytes]) -> list[str]:
    """I6: no secret in a text, plain, base64, in a URL or in JSON; `texts` by name."""
    wrong = []
    for secret in secrets:
        forms = {
            secret.encode(),
            base64.b64encode(secret.encode()).rstrip(b"="),
            quote(secret, safe="").encode(),
            json.dumps(secret)[1:-1].encode(),
        }
        wrong += [f"I6: a secret is in {name}" for name, text in texts.items() for form in forms
                  if form in text]  # fmt: skip
    return wrong


def nothing_was_written(requests: Iterable[Mapping[str, Any]], word: str = "I7") -> list[str]:
    """I7: not one request that changes something, done or not."""
    return [
        f"{word}: {each['method']} {each['path']}" for each in requests if each["method"] in WRITES
    ]


def error_helps(code: int, text: str) -> list[str]:
    """I8: a failed run has an exit code, names what, says what to do, and shows no traceback."""
    wrong = [] if code == 1 else [f"I8: exit code {code}"]
    if "Traceback" in text or "goroutine " in text:
        wrong.append("I8: a traceback")
    if not re.search(
        r"\./practicum \w+|\b(type|write|check|give|start|see|delete|wait|migrate|bring)\b", text
    ):
        wrong.append("I8: nothing says what to do")
    return wrong


def list_is_whole(summary: Mapping[str, Any], verb: str) -> list[str]:
    """The list of what is done and what is not counts each guest once, and says how to go on."""
    wrong = []
    if summary["done"] + len(summary["undone"]) != summary["total"]:
        wrong.append(
            f"I8: {summary['done']} done, undone {summary['undone']} of {summary['total']}"
        )
    if not (summary["failed"] or summary["errors"] or summary["result"] == "interrupted"):
        wrong.append("I8: nothing says what has failed")
    if not summary["next"].startswith(f"./practicum {verb} "):
        wrong.append(f"I8: the next command is {summary['next']!r}")
    return wrong
