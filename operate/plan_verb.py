"""The verbs `plan` and `import-two-files`: from files to text, without engine or connection."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from event.problems import RunError
from event.stack import EventStack, SiteStack
from operate.places import Places
from operate.stacks import load, load_event
from plan.plan import plan_event, plan_site


def plan(
    name: str, *, as_json: bool, as_table: bool, two_files: Path | None, against: str | None
) -> None:
    """Print the plan of a stack, or what was asked for instead."""
    places = Places.of(os.environ)
    stack = load(name, places)
    if isinstance(stack, SiteStack):
        if as_json or two_files or against:
            raise RunError(f"{stack.name} is a site; --json, --two-files, --against are for events")
        from operate.plan_view import site_text

        site_plan = plan_site(stack)
        _put(site_text(site_plan), site_plan.warnings)
        return
    if as_json:
        from plan.export import event_json

        print(json.dumps(event_json(plan_event(stack)), ensure_ascii=False, indent=1))
    elif two_files is not None:
        _write_two_files(stack, two_files)
    elif against is not None:
        _compare(stack, load_event(against, places))
    else:
        from operate.plan_view import event_text

        event_plan = plan_event(stack)
        _put(event_text(event_plan, guests=as_table), event_plan.warnings)


def import_files(folder: Path, *, on: str, stack: str, title: str) -> None:
    """Print the event's stack file that two files describe; what is not kept goes to stderr."""
    from plan.import_two_files import import_two_files
    from plan.two_files import CLUSTERS_FILE, DEPLOYMENT_FILE, TwoFiles

    site = load(on, Places.of(os.environ))
    if not isinstance(site, SiteStack):
        raise RunError(f"{on} is an event; name a site with --on")
    texts = []
    for name in (CLUSTERS_FILE, DEPLOYMENT_FILE):
        try:
            texts.append((folder / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(
                f"{folder / name}: cannot be read ({getattr(error, 'strerror', None) or error}); "
                f"DIR must hold {CLUSTERS_FILE} and {DEPLOYMENT_FILE}"
            ) from None
    imported = import_two_files(
        TwoFiles(clusters=texts[0], deployment=texts[1]),
        site,
        stack=stack,
        title=title,
        folder=str(folder),
    )
    for line in imported.warnings:
        print(f"warning: {line}", file=sys.stderr)
    print(imported.text, end="")


def _write_two_files(stack: EventStack, folder: Path) -> None:
    from plan.two_files import CLUSTERS_FILE, DEPLOYMENT_FILE, export_two_files

    files = export_two_files(plan_event(stack))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CLUSTERS_FILE).write_text(files.clusters, encoding="utf-8")
        (folder / DEPLOYMENT_FILE).write_text(files.deployment, encoding="utf-8")
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); name another") from None
    print(f"{folder / CLUSTERS_FILE}\n{folder / DEPLOYMENT_FILE}")


def _compare(stack: EventStack, other: EventStack) -> None:
    """What differs when one goes from the other event to this one."""
    from plan.compare import compare, lines

    comparison = compare(plan_event(other), plan_event(stack), locate=stack.locate)
    found = lines(comparison)
    _put(found or [f"{stack.name} and {other.name} make the same"], ())
    for refusal in comparison.refusals:
        print(refusal, file=sys.stderr)


def _put(text: list[str], warnings: tuple[object, ...]) -> None:
    for line in text:
        print(line)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
