"""Download of images by URL: what a URL would give, and the download itself as a task."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import aiohttp

from lab.call import Call
from lab.errors import ApiError, TaskError, failure
from lab.routes import handles
from lab.storage import definitions, files
from lab.storage.definitions import storage_config
from lab.storage.status import STORAGE
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

HEAD_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 20
_CHUNK = 1024 * 1024
_SERVER_REFUSED = 8  # wget's exit codes, which the task's text names
_NETWORK_FAILED = 4
_OPENERS: dict[str, Callable[..., Any]] = {"gz": gzip.open, "bz2": bz2.open}
_COMMANDS = {"gz": ("zcat", 1), "bz2": ("bzcat -q", 2)}
_NOT_THERE = ("lzo", "zst")
_FILENAME = re.compile(r'filename="?([^";]+)"?')


def _session(call: Call, **timeouts: float) -> aiohttp.ClientSession:
    verify = bool(call.params.get("verify-certificates", 1))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=verify),
        timeout=aiohttp.ClientTimeout(**timeouts),
        auto_decompress=False,
    )


@handles("GET", "/nodes/{node}/query-url-metadata")
async def query_url(call: Call) -> dict[str, Any]:
    """Size, type and file name that a server tells of a URL."""
    url = call.params["url"]
    try:
        async with (
            _session(call, total=HEAD_TIMEOUT_S) as session,
            session.head(url, allow_redirects=True) as response,
        ):
            return _metadata(response)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise failure(f"invalid server response: '500 {unreachable(url, error)}'") from error


def unreachable(url: str, error: Exception) -> str:
    """Why a server was not reached, as HTTP clients of Perl say it."""
    parts = urlsplit(url)
    if not isinstance(error, aiohttp.ClientConnectorError):
        return "read timeout" if isinstance(error, TimeoutError) else str(error)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # A refused connection is told by its number only; a name that is not found has none.
    number = error.os_error.errno or 0
    reason = os.strerror(number) if number > 0 else error.os_error.strerror
    return f"Can't connect to {parts.hostname}:{port} ({reason})"


def _metadata(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if response.status != 200:
        text = f"{response.status} {response.reason}"
        raise failure(f"invalid server response: '{text}'")
    shown: dict[str, Any] = {}
    if (size := response.headers.get("Content-Length")) and size.isdigit():
        shown["size"] = int(size)
    if kind := response.headers.get("Content-Type"):
        shown["mimetype"] = kind.partition(";")[0]
    named = _FILENAME.search(response.headers.get("Content-Disposition", ""))
    name = named[1] if named else unquote(urlsplit(str(response.url)).path.rpartition("/")[2])
    return shown | ({"filename": name} if name else {})


@handles("POST", f"{STORAGE}/download-url")
async def download_url(call: Call) -> str:
    """Fetch a file into a storage; one of the same name is not replaced."""
    lab, params = call.lab, call.params
    node, storage, content = params["node"], params["storage"], params["content"]
    config = storage_config(lab, storage, node)
    if not definitions.has_path(config):
        text = f"can't upload to storage type '{config['type']}', not a file based storage!"
        raise failure(text)
    if content not in definitions.contents(config):
        raise failure(f"storage '{storage}' is not configured for content-type '{content}'")
    if content == "iso" and params.get("compression") in _NOT_THERE:
        text = f"Method 'POST {call.path}' not implemented with such a 'compression'"
        raise ApiError(501, text)
    goal = files.target(storage, config, content, params["filename"])

    async def work(log: TaskLog) -> None:
        if compression := params.get("compression"):
            if content != "iso":
                raise TaskError(f"decompression not supported for {content}")
            if compression not in _OPENERS:
                raise TaskError("no decompression method found")
        await _download(call, goal, log)

    return await lab.tasks.start(call, node, "download", goal.filename, work)


async def _download(call: Call, goal: files.Target, log: TaskLog) -> None:
    lab, params = call.lab, call.params
    algorithm, expected = params.get("checksum-algorithm"), params.get("checksum")
    log(f"downloading {params['url']} to {goal.path}")
    spool = lab.settings.state / "uploads" / f"download-{secrets.token_hex(8)}"
    spool.parent.mkdir(parents=True, exist_ok=True)
    try:
        arriving = f"{goal.path}.tmp_dwnl.{os.getpid()}"
        present = volumes(lab).get(goal.volid, params["node"])
        if present is not None:
            _check_present(goal, lab.settings.state, present, (algorithm, expected))
            log("file already exists")
            return
        await _fetch(call, spool)
        await asyncio.to_thread(files.verify, spool, algorithm, expected)
        if compression := params.get("compression"):
            await asyncio.to_thread(_unpack, spool, compression, arriving)
        files.place(lab, params["node"], goal, spool, arriving)
        log(f"download of '{params['url']}' to '{goal.path}' finished")
    finally:
        spool.unlink(missing_ok=True)


def _unpack(packed: Path, compression: str, shown: str) -> None:
    plain = packed.with_suffix(".plain")
    try:
        with _OPENERS[compression](packed, "rb") as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    except (OSError, EOFError) as error:
        plain.unlink(missing_ok=True)
        command, code = _COMMANDS[compression]
        raise TaskError(f"command '{command} {shown}' failed: exit code {code}") from error
    plain.replace(packed)


def _check_present(
    goal: files.Target, state: Path, row: dict[str, Any], wanted: tuple[str | None, str | None]
) -> None:
    """A file that is there already is accepted only when it has the wanted checksum."""
    algorithm, expected = wanted
    refused = TaskError(f"refusing to override existing file '{goal.path}'")
    if algorithm is None or expected is None or not row.get("file"):
        raise refused
    got = files.checksum(state / row["file"], algorithm)
    if got.lower() != expected.lower():
        text = f"mismatch (got '{got}' != expect '{expected}'), aborting"
        raise TaskError(text)


async def _fetch(call: Call, spool: Path) -> None:
    try:
        async with (
            _session(call, sock_connect=CONNECT_TIMEOUT_S) as session,
            session.get(call.params["url"]) as response,
        ):
            if response.status >= 400:
                raise TaskError(f"download failed: exit code {_SERVER_REFUSED}")
            with spool.open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    file.write(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TaskError(f"download failed: exit code {_NETWORK_FAILED}") from error
