"""The HTTP face of the lab: one handler for all calls.

In order: method known, parameters read, route found, credentials, parameters of the URL not
contradicted by the body, rights, host known, parameters checked, handler, commit, answer. An
answer is sent only after everything it tells of is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from lab.app import Lab
from lab.auth import COOKIE, TOKEN, header_value
from lab.call import Call, Upload
from lab.errors import ApiError, Body, bad_parameters, failure, not_implemented, unauthorized
from lab.faults import passage, wire
from lab.faults.rule import Rule
from lab.requestlog import RequestLog
from lab.requests import Params, front, read_params, relative, segments, split_target
from lab.routes import Endpoint, Routes
from lab.terminals import Terminal
from lab.validate import plain, validate

UPLOADS = "uploads"  # folder below the state for files on their way in
LOST = 0  # the status in the log when nothing, or not all, was answered
METHODS = {"GET", "POST", "PUT", "DELETE"}
_JSON_TYPE = "application/json;charset=UTF-8"
_OPEN = {
    ("GET", "/access/domains"),
    ("GET", "/access/ticket"),
    ("POST", "/access/ticket"),
    ("POST", "/access/vncticket"),
    ("POST", "/access/openid/login"),
    ("POST", "/access/openid/auth-url"),
}
_UPLOAD = re.compile(r"/nodes/[^/]+/storage/(?P<storage>[^/]+)/upload")
_HERE = re.compile(
    r"/nodes/\{node\}/(?:"
    r"(?P<files>wakeonlan|(?:qemu|lxc)/\{vmid\}/firewall(?:/(?:rules|aliases|ipset|refs)(?:/.*)?)?)"
    r"|firewall|certificates|hardware|scan|ceph(?:/cfg)?|tasks/\{upid\}|storage/\{storage\}|replication/\{id\}"
    r"|(?:qemu|lxc)/\{vmid\}/snapshot/\{snapname\})"
)
_NO_CHUNKS = "chunked transfer encoding not supported"
_CODING = "Unknown transfer encoding '{}'"
_DUPLICATE = "duplicate parameter (already defined in URI) with conflicting values!"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Exchange:
    """What is known of one request so far, for its log line."""

    method: str
    path: str
    params: Params = field(default_factory=dict)
    user: str | None = None
    upload: Upload | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Whose request it is; nobody's where credentials are not looked at."""

    user: str
    by_token: bool


class Front:
    """Answers requests of one lab."""

    def __init__(self, lab: Lab, routes: Routes, log: RequestLog | None = None) -> None:
        self._lab = lab
        self._routes = routes
        self._log = log
        self._spool = lab.settings.state / UPLOADS

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; nothing but a lost connection escapes."""
        started, clock = time.time(), time.perf_counter()
        path, query = split_target(request.raw_path)
        exchange = _Exchange(method=request.method, path=path)
        status = LOST
        rules = self._struck(request, exchange) if self._lab.faults else []
        try:
            if rules:
                response = await wire.answer(
                    request, rules, lambda: self._response(request, exchange, query)
                )
            else:
                response = await self._response(request, exchange, query)
            status = response.status
            return response
        finally:
            if self._log is not None:
                self._log.add(
                    t=started,
                    method=exchange.method,
                    path=exchange.path,
                    status=status,
                    ms=(time.perf_counter() - clock) * 1000,
                    user=exchange.user,
                    params=exchange.params,
                    faults=[rule.number for rule in rules],
                )

    def _struck(self, request: web.BaseRequest, exchange: _Exchange) -> list[Rule]:
        """The faults that strike a request."""
        path = relative(exchange.path)
        if path is None:
            return []
        parts = segments(path)
        exchange.path = "/" + "/".join(parts)
        host = parts[1] if parts[:1] == ["nodes"] and len(parts) > 1 else None
        host = self._lab.local if host == "localhost" else host
        return self._lab.faults.of_request(request.method, exchange.path, host)

    async def _response(
        self, request: web.BaseRequest, exchange: _Exchange, query: str
    ) -> web.StreamResponse:
        try:
            data = await self._kept(request, exchange, query)
            if isinstance(data, Terminal):
                return await _joined(data, request)
            return _success(data, exchange.extra)
        except ApiError as error:
            return await self._refusal(error)
        except ConnectionError:
            raise
        except Exception as error:
            _log.exception("%s %s", request.method, exchange.path)
            return await self._refusal(failure(f"internal error: {error!r}"))

    async def _kept(self, request: web.BaseRequest, exchange: _Exchange, query: str) -> Any:
        """The answer's data, after everything written for it is on the disk; what a failed call
        has written so far stays, as on a real host."""
        try:
            return await self._answer(request, exchange, query)
        finally:
            if exchange.upload is not None:
                exchange.upload.path.unlink(missing_ok=True)
            if request.method != "GET":
                await self._lab.store.flush()

    async def _answer(self, request: web.BaseRequest, exchange: _Exchange, query: str) -> Any:
        if request.method not in METHODS:
            raise ApiError(501, f"method '{request.method}' not available", body=Body.EMPTY)
        if coding := request.headers.get("Transfer-Encoding"):
            raise front(501, _NO_CHUNKS if coding.lower() == "chunked" else _CODING.format(coding))
        path = relative(split_target(request.raw_path)[0])
        if path is None:
            raise front(501, f"no such uri '{exchange.path}'")
        parts = segments(path)
        exchange.path = "/" + "/".join(parts)
        if self._lab.faults:
            await passage.enter(self._lab)
        upload = _UPLOAD.fullmatch(path) if request.method == "POST" else None
        caller = self._caller(request, path, upload)
        exchange.user = caller.user or None
        exchange.params, exchange.upload = await read_params(
            request, query, self._spool, is_upload=upload is not None
        )
        found = self._routes.find(request.method, parts)
        if found is None:
            raise not_implemented(request.method, path)
        endpoint, variables = found
        raw = _merged(exchange.params, variables)
        if caller.by_token and not endpoint.spec.token:
            raise ApiError(403, _NEEDS_TICKET.format(path=path))
        return await self._call(exchange, endpoint, variables, raw)

    async def _call(
        self, exchange: _Exchange, endpoint: Endpoint, variables: Params, raw: Params
    ) -> Any:
        lab, spec = self._lab, endpoint.spec
        user = exchange.user or ""
        lab.rights.check(spec.permission, user, raw)
        host = lab.local
        if endpoint.pattern.startswith("/nodes/{node}/") and not _answered_here(endpoint):
            raw["node"] = host = lab.resolve(variables["node"])
        if lab.faults:
            await passage.reach_host(lab, host, protected=spec.protected)
        params = validate(spec, raw)
        call = Call(
            lab=lab,
            method=exchange.method,
            path=exchange.path,
            pattern=endpoint.pattern,
            params=params,
            user=user,
            raw={name: plain(value) for name, value in raw.items()},
            extra=exchange.extra,
            upload=exchange.upload,
        )
        async with (
            lab.travellers.passed_on(host),
            lab.workers.at_work(host, protected=spec.protected),
        ):
            if lab.faults:
                await passage.write_to_cluster(lab, call.method, call.path, params)
            return await endpoint.handler(call)

    def _caller(self, request: web.BaseRequest, path: str, upload: re.Match[str] | None) -> _Caller:
        """Who asks: by a ticket, else by a token; 401 for nobody where that matters."""
        authority, header = self._lab.authority, request.headers.get("Authorization", "")
        ticket = header_value(request.headers.get("Cookie", ""), COOKIE)
        ticket = ticket or header_value(header, COOKIE)
        token = "" if ticket else header_value(header, TOKEN)
        if (request.method, path) in _OPEN:
            return _Caller("", by_token=bool(token))
        if token:
            user = authority.check_token(token)
        elif ticket:
            user = authority.check_ticket(ticket)
        else:
            raise unauthorized("No ticket")
        if upload is not None:
            self._may_upload(user, upload["storage"])
        elif request.method != "GET" and not token:
            authority.check_csrf(user, request.headers.get("CSRFPreventionToken", ""))
        return _Caller(user, by_token=bool(token))

    def _may_upload(self, user: str, storage: str) -> None:
        """Rights are asked for before a file is read; who has none is told so without a body."""
        try:
            self._lab.rights.require(user, f"/storage/{storage}", ["Datastore.AllocateTemplate"])
        except ApiError as error:
            raise ApiError(error.status, error.message, body=Body.EMPTY) from error

    async def _refusal(self, error: ApiError) -> web.Response:
        if error.status == 401:
            await asyncio.sleep(self._lab.settings.auth_delay_s)
        reason = error.reason.replace("\r", " ")
        if error.body is Body.EMPTY:
            return web.Response(status=error.status, reason=reason)
        if error.body is Body.TEXT:
            return web.Response(status=error.status, reason=reason, text=error.message)
        message = error.message
        if error.status != 501 and not message.endswith("\n"):
            message += "\n"
        answer: dict[str, Any] = {"data": None, "message": message}
        if error.errors:
            answer["errors"] = error.errors
        return web.Response(
            status=error.status,
            reason=reason,
            body=orjson.dumps(answer),
            headers={"Content-Type": _JSON_TYPE},
        )


def _answered_here(endpoint: Endpoint) -> bool:
    """Whether a host answers for all others, and for those that are not there: folders, and what
    is kept in files of the whole cluster."""
    found = _HERE.fullmatch(endpoint.pattern)
    return found is not None and (found["files"] is not None or endpoint.method == "GET")


_NEEDS_TICKET = (
    "Permission check failed (URI '{path}' not available with API token, need proper ticket.\n)"
)


async def _joined(terminal: Terminal, request: web.BaseRequest) -> web.StreamResponse:
    """A terminal's socket until its end; who does not ask for a socket is told its port."""
    if "Upgrade" not in request.headers:
        return _success({"port": terminal.port}, {})
    return await terminal.serve(request)


def _success(data: Any, extra: dict[str, Any]) -> web.Response:
    body = orjson.dumps({**extra, "data": data}, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, headers={"Content-Type": _JSON_TYPE})


def _merged(params: Params, variables: Params) -> Params:
    for name in sorted(params.keys() & variables.keys()):
        if params[name] != variables[name]:
            raise bad_parameters({name: _DUPLICATE})
    return {**params, **variables}
