"""Images whose files come from this machine or were changed: checked before the first write."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from event.problems import Problem
from event.stack import SiteStack
from operate.deployed import Deployed, Inputs
from operate.kinds import identity
from operate.places import Places
from operate.survey import Seen
from plan.images import local_file
from plan.records import SitePlan, TemplateCopy, Upload


def image_problems(
    stack: SiteStack, plan: SitePlan, state: Deployed | None, seen: Seen, places: Places
) -> list[Problem]:
    """Files that are to be uploaded and are not there, or are not what their checksum says; and
    images whose template is there and was made from another file."""
    known = {identity(kind, inputs) for kind, inputs in (state.objects if state else ())}
    made = {guest.vmid: guest.inputs for guest in state.guests} if state else {}
    found: list[Problem] = []
    for image in plan.images:
        other = [
            copy
            for copy in image.templates
            if copy.vmid in seen.guests and _source(made.get(copy.vmid, {})) != copy.volume
            and _source(made.get(copy.vmid, {}))
        ]  # fmt: skip
        if other:
            found.append(_changed(stack, other[0], _source(made[other[0].vmid])))
            continue
        fresh = [each for each in image.uploads if _identity(each) not in known]
        found += [problem for each in fresh[:1] if (problem := _unfit(stack, each, places))]
    return found


def _identity(file: Upload) -> tuple[str, ...]:
    inputs = {"nodeName": file.host, "datastoreId": file.storage, "fileName": file.file_name}
    return identity("FileLegacy", inputs)


def _source(inputs: Inputs) -> str:
    """The volume that a template's disk was made from, as the state has it."""
    first = next(iter(inputs.get("disks") or ()), None) or {}
    return str(first.get("importFrom") or "")


def _changed(stack: SiteStack, copy: TemplateCopy, before: str) -> Problem:
    return stack.problem(
        ("site", "images", copy.image),
        f"is another image than the one that template {copy.vmid} was made from, and guests may "
        "be clones of it",
        found=f"{copy.volume} instead of {before}",
        hint="write it as a further image, with a name and a VMID of its own, and let events name "
        "that one when they are to change; take the old one out when nobody names it any more",
    )


def _unfit(stack: SiteStack, file: Upload, places: Places) -> Problem | None:
    path = places.root / Path(local_file(file, os.environ)).expanduser()
    setting = ("site", "images", file.image, "file" if file.file else "build")
    try:
        with path.open("rb") as opened:
            actual = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return stack.problem(
            setting, f"cannot be read here: {path}: {error.strerror}",
            found=file.file or file.build, hint=_build_hint(file) or "write the path of a file",
        )  # fmt: skip
    if actual == file.sha256:
        return None
    return stack.problem(
        ("site", "images", file.image, "sha256"), f"is not that of {path}", found=file.sha256,
        hint=f"write sha256: {actual} if that is the image you want",
    )  # fmt: skip


def _build_hint(file: Upload) -> str:
    if file.build is None:
        return ""
    name, _, flavour = file.build.rpartition("-")
    return f"type: ./practicum image build {name} --flavour {flavour}"
