"""Faults of answers: a status, a wait, half of it, none at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from lab.faults.rule import Rule

POLL_S = 0.1
_FRONT = 595  # from here on the front end itself answers, without a body
Work = Callable[[], Awaitable[web.StreamResponse]]


async def answer(request: web.BaseRequest, rules: list[Rule], work: Work) -> web.StreamResponse:
    """Answer a request as its faults want it; a lost connection is a `ConnectionResetError`."""
    for rule in rules:
        if rule.kind == "delay":
            await asyncio.sleep(rule.get("delay"))
    end = next((rule for rule in rules if rule.kind not in ("delay", "field")), None)
    if end is not None and end.kind != "half" and not end.get("after"):
        return await _strike(request, end)
    response = await work()
    for rule in rules:
        if rule.kind == "field":
            response = _with_field(response, rule.get("field"))
    if end is None:
        return response
    if end.kind == "half":
        await _send_half(request, response)
    return await _strike(request, end)


async def _strike(request: web.BaseRequest, rule: Rule) -> web.StreamResponse:
    if rule.kind == "status":
        return _status(rule)
    if rule.kind == "hang":
        while rule.active_until_cleared and not _is_gone(request):
            await asyncio.sleep(POLL_S)
    if rule.kind == "reset":
        _reset(request)
    elif request.transport is not None:
        request.transport.close()
    raise ConnectionResetError(f"fault {rule.number}: {rule.kind}")


def _status(rule: Rule) -> web.Response:
    status: int = rule.get("status")
    text = rule.get("text") or _phrase(status)
    reason = text.partition("\n")[0]
    if status == HTTPStatus.UNAUTHORIZED or status >= _FRONT:
        return web.Response(status=status, reason=reason)
    body = orjson.dumps({"data": None, "message": text if text.endswith("\n") else f"{text}\n"})
    return web.Response(
        status=status, reason=reason, body=body,
        headers={"Content-Type": "application/json;charset=UTF-8"},
    )  # fmt: skip


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Connection timed out"


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _reset(request: web.BaseRequest) -> None:
    """End the connection with RST: the peer's next read fails instead of ending."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


async def _send_half(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """The header, which promises all of the body, and half of the body."""
    body = response.body if isinstance(response, web.Response) else b""
    content = bytes(body) if isinstance(body, bytes | bytearray) else b""
    part = web.StreamResponse(status=response.status, reason=response.reason)
    part.headers["Content-Type"] = response.headers.get("Content-Type", "application/json")
    part.headers["Content-Length"] = str(max(len(content), 2))
    await part.prepare(request)
    await part.write(content[: len(content) // 2] or b"{")


def _with_field(response: web.StreamResponse, setting: str) -> web.StreamResponse:
    """The answer with one more key in each object of its data."""
    body = response.body if isinstance(response, web.Response) else None
    if response.status != HTTPStatus.OK or not isinstance(body, bytes):
        return response
    name, _, text = setting.partition("=")
    value: Any = int(text) if text.lstrip("-").isdigit() else text
    content = orjson.loads(body)
    data = content.get("data")
    if isinstance(data, dict):
        data[name] = value
    for row in data if isinstance(data, list) else ():
        if isinstance(row, dict):
            row[name] = value
    return web.Response(
        body=orjson.dumps(content), headers={"Content-Type": "application/json;charset=UTF-8"}
    )
