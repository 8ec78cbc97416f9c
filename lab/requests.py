"""From the bytes of a request to its path and parameters, with Proxmox VE's limits and texts."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from aiohttp import BodyPartReader
from aiohttp.web import BaseRequest

from lab.call import Upload
from lab.errors import ApiError, Body
from lab.json_body import parse_json

PREFIX = "/api2/json"
BODY_LIMIT = 512 * 1024
FORM = "application/x-www-form-urlencoded"
_PAIR = re.compile(r"[&;]")
_PARAMETERS = re.compile(r"\s*[;,]\s*")
_CHUNK = 1024 * 1024
_PART_ORDER = ("content", "checksum-algorithm", "checksum")
Params = dict[str, Any]


def split_target(target: str) -> tuple[str, str]:
    """The raw path and the raw query of a request line's target."""
    path, _, query = target.partition("?")
    return path, query


def relative(path: str) -> str | None:
    """The decoded path below the API's prefix as it was asked for; None outside of it."""
    decoded = unquote(path)
    return (decoded[len(PREFIX) :] or "/") if decoded.startswith(PREFIX) else None


def segments(path: str) -> list[str]:
    """The segments of a decoded path that are not empty."""
    return [part for part in path.split("/") if part]


def parse_form(text: str) -> Params:
    """Names and values of a form or query; a name that comes twice has a list.

    Read as Proxmox VE reads them: a value ends at a second `=`, a name without `=` has no value,
    and so does the empty name between two separators.
    """
    params: Params = {}
    text = text.rstrip("&;")
    for pair in _PAIR.split(text) if text else ():
        name, *values = pair.split("=")
        key = _decoded(name).decode("latin-1")
        if values:
            _add(params, key, _decoded(values[0]).decode("utf-8", "replace"))
        else:
            params[key] = None
    return params


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


def _add(params: Params, name: str, value: Any) -> None:
    if params.get(name) is None:
        params[name] = value
    elif isinstance(params[name], list):
        params[name].append(value)
    else:
        params[name] = [params[name], value]


async def read_params(
    request: BaseRequest, query: str, spool: Path, *, is_upload: bool
) -> tuple[Params, Upload | None]:
    """All parameters of a request: for POST and PUT those of the body, and those of the URL,
    which win.

    A file in a multipart body is written into the folder `spool`.
    """
    params, upload = await _all_params(request, query, spool, is_upload=is_upload)
    params.pop("_dc", None)  # browsers add it, so that nobody answers from a cache
    return params, upload


async def _all_params(
    request: BaseRequest, query: str, spool: Path, *, is_upload: bool
) -> tuple[Params, Upload | None]:
    params = parse_form(query)
    if request.method in ("GET", "DELETE"):
        if request.body_exists and request.content_length != 0:
            raise front(501, f"Unexpected content for method '{request.method}'")
        return params, None
    kind = request.headers.get("Content-Type", FORM)
    bare = _PARAMETERS.split(kind)[0]
    if is_upload and bare == "multipart/form-data":
        fields, upload = await _read_multipart(request, spool)
        return params | fields, upload
    if bare not in (FORM, "application/json"):
        if not request.body_exists:
            return params, None
        raise front(506, f"upload 'Content-Type '{kind}' not implemented")
    body = (await _read_body(request)).decode("utf-8", "replace")
    found = parse_form(body) if bare == FORM else parse_json(body)
    return found | params, None


async def _read_body(request: BaseRequest) -> bytes:
    if (request.content_length or 0) > BODY_LIMIT:
        raise front(501, "for data too large")
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > BODY_LIMIT:
            raise front(501, "for data too large")
        parts.append(part)
    return b"".join(parts)


async def _read_multipart(request: BaseRequest, spool: Path) -> tuple[Params, Upload | None]:
    params: Params = {}
    upload: Upload | None = None
    expected = iter(_PART_ORDER)
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise front(501, "nested multipart bodies are not implemented")
        if part.filename is None:
            # Proxmox VE looks for the parts one after the other and gives up at others.
            if (part.name or "") not in expected:
                raise ApiError(400, "Bad Request", body=Body.EMPTY)
            _add(params, part.name or "", await part.text())
            continue
        upload = await _spool(part, spool)
        _add(params, "filename", part.filename)
    return params, upload


async def _spool(part: BodyPartReader, spool: Path) -> Upload:
    spool.mkdir(mode=0o700, exist_ok=True)
    path = spool / f"pveupload-{secrets.token_hex(16)}"
    size = 0
    with path.open("xb") as file:
        while chunk := await part.read_chunk(_CHUNK):
            file.write(chunk)
            size += len(chunk)
    return Upload(field=part.name or "", filename=part.filename or "", path=path, size=size)


def front(status: int, text: str) -> ApiError:
    """A failure of the HTTP front end: bare text instead of the API's envelope."""
    return ApiError(status, text, body=Body.TEXT)
