"""From the bytes of a request to its path and parameters, with Proxmox VE's limits and texts."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

from aiohttp import BodyPartReader
from aiohttp.web import BaseRequest

from lab.call import Upload
from lab.errors import ApiError, Body

PREFIX = "/api2/json"
BODY_LIMIT = 512 * 1024
FORM = "application/x-www-form-urlencoded"
_PAIR = re.compile(r"[&;]")
_CHUNK = 1024 * 1024
_PART_ORDER = ("content", "checksum-algorithm", "checksum")
Params = dict[str, Any]


def split_target(target: str) -> tuple[str, str]:
    """The raw path and the raw query of a request line's target."""
    path, _, query = target.partition("?")
    return path, query


def segments(path: str) -> list[str] | None:
    """The decoded, non-empty segments below the API's prefix; None outside of it."""
    if not path.startswith(PREFIX):
        return None
    return [unquote(part) for part in path[len(PREFIX) :].split("/") if part]


def parse_form(text: str) -> Params:
    """Names and values of a form or query; a name that comes twice has a list."""
    params: Params = {}
    for pair in _PAIR.split(text):
        if pair:
            name, _, value = pair.partition("=")
            _add(params, unquote_plus(name), unquote_plus(value))
    return params


def _add(params: Params, name: str, value: Any) -> None:
    if name not in params:
        params[name] = value
    elif isinstance(params[name], list):
        params[name].append(value)
    else:
        params[name] = [params[name], value]


async def read_params(
    request: BaseRequest, query: str, spool: Path
) -> tuple[Params, Upload | None]:
    """All parameters of a request: those of the URL, and for POST and PUT those of the body.

    A file in a multipart body is written into the folder `spool`.
    """
    params = parse_form(query)
    if request.method in ("GET", "DELETE"):
        if request.body_exists and request.content_length != 0:
            raise front(501, f"Unexpected content for method '{request.method}'")
        return params, None
    kind = request.content_type if "Content-Type" in request.headers else FORM
    if kind == "multipart/form-data" and request.method == "POST":
        fields, upload = await _read_multipart(request, spool)
        return params | fields, upload
    if kind not in (FORM, "application/json"):
        if not request.body_exists:
            return params, None
        raise front(506, f"upload 'Content-Type '{kind}' not implemented")
    body = await _read_body(request)
    if kind == FORM:
        found = parse_form(body.decode("utf-8", "replace"))
    else:
        found = parse_json(body.decode("utf-8", "replace"))
    return params | found, None


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


def parse_json(text: str) -> Params:
    """The parameters of a JSON body: one object, or nothing."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise front(500, _json_fault(error)) from error
    if not isinstance(found, dict):
        raise front(500, "JSON body is not an object\n")
    return found


_JSON_FAULTS = {
    "Expecting property name": "'\"' expected",
    "Expecting ':'": "':' expected",
    "Expecting ','": ", or } expected while parsing object/hash",
    "Extra data": "garbage after JSON object",
    "Unterminated string": "unexpected end of string while parsing JSON string",
}


def _json_fault(error: json.JSONDecodeError) -> str:
    what = next(
        (text for start, text in _JSON_FAULTS.items() if error.msg.startswith(start)),
        "malformed JSON string, neither tag, array, object, number, string or atom",
    )
    rest = error.doc[error.pos :] or "(end of string)"
    where = rest if error.pos >= len(error.doc) else rest.rstrip("}")
    return (
        f'{what}, at character offset {error.pos} (before "{where}") '
        "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1.\n"
    )
