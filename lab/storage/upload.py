"""Upload of images and templates: the file is checked, then moved into the storage."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import failure
from lab.routes import handles
from lab.storage import definitions, files
from lab.storage.definitions import storage_config
from lab.storage.status import STORAGE

if TYPE_CHECKING:
    from pathlib import Path

    from lab.tasks import TaskLog


@handles("POST", f"{STORAGE}/upload")
async def upload(call: Call) -> str:
    """Take an uploaded file in; one of the same name is replaced."""
    lab, params = call.lab, call.params
    node, storage, content = params["node"], params["storage"], params["content"]
    config = storage_config(lab, storage, node)
    if not definitions.has_path(config):
        raise failure(f"can't upload to storage type '{config['type']}'")
    if call.upload is None:
        raise failure("missing temporary file name")
    goal = files.target(storage, config, content, call.upload.filename)
    if content not in definitions.contents(config):
        raise failure(f"storage '{storage}' does not support '{content}' content")
    # The answer removes what is left of the upload, so the task gets a file of its own.
    shown = f"/var/tmp/pveupload-{secrets.token_hex(16)}"  # noqa: S108 - a name in messages
    spool = call.upload.path.with_name(f"{call.upload.path.name}.task")
    call.upload.path.replace(spool)
    algorithm, expected = params.get("checksum-algorithm"), params.get("checksum")

    async def work(log: TaskLog) -> None:
        log(f"starting file import from: {shown}")
        try:
            await asyncio.to_thread(files.verify, spool, algorithm, expected)
            _take(call, goal, spool, shown, log)
        finally:
            spool.unlink(missing_ok=True)

    return await lab.tasks.start(call, node, "imgcopy", "", work)


def _take(call: Call, goal: files.Target, spool: Path, shown: str, log: TaskLog) -> None:
    node = call.params["node"]
    log(f"target node: {node}")
    log(f"target file: {goal.path}")
    log(f"file size is: {spool.stat().st_size}")
    files.place(call.lab, node, goal, spool, shown)
    log("finished file import successfully")
