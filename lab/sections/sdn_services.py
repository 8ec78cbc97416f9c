"""Name servers and address managements of SDN: definitions, each kept once its server answers.

The cluster's own address management, `pve`, is always there and has no server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import failure
from lab.formats import split_list
from lab.routes import add_handler
from lab.sdn.lock import changing
from lab.sdn.zones import DNS, IPAMS, services
from lab.section_file import Section, SectionType, by_name, filled, section_type
from lab.sections.sdn_vnets import READ
from lab.storage.download import unreachable
from lab.store import Store

TYPES = {
    "powerdns": section_type("url key", "ttl reversemaskv6 fingerprint"),
    "netbox": section_type("url token", "fingerprint"),
    "phpipam": section_type("url token section", "fingerprint"),
    "pve": section_type(),
}
_PATIENCE_S = 30
_NO_JSON = "api response is not a json at /usr/share/perl5/PVE/Network/SDN.pm line 1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of server: `name` in the path, `key` of its id, `gone` of a failed removal."""

    name: str
    key: str
    gone: str

    def read(self, store: Store) -> dict[str, Section]:
        """All definitions."""
        return services(store, self.name)

    def find(self, store: Store, name: str) -> Section:
        """One definition; 500 when there is none."""
        found = self.read(store).get(name)
        if found is None:
            raise failure(f"sdn '{name}' does not exist")
        return found

    def given(self, call: Call) -> Section:
        """The options of a call."""
        meta = (self.key, "type", "lock-token", "digest", "delete")
        return {name: value for name, value in call.params.items() if name not in meta}

    def shown(self, call: Call, name: str, section: Section) -> dict[str, Any]:
        """A definition as it is told."""
        return {**section, self.key: name, "digest": digest_of(_kept(call.lab.store, self.name))}


def _kept(store: Store, name: str) -> dict[str, Section]:
    return dict(store.items(f"sdn-{name}"))


async def list_services(service: Service, call: Call) -> Any:
    """Definitions that the caller may audit or change, of one kind if asked for."""
    wanted, rights = call.params.get("type"), call.lab.rights
    return [
        service.shown(call, name, section)
        for name, section in by_name(service.read(call.lab.store))
        if wanted in (None, section["type"])
        and rights.has(call.user, f"/sdn/{service.name}/{name}", READ, one=True)
    ]


async def read_service(service: Service, call: Call) -> Any:
    """One definition."""
    name = call.params[service.key]
    return service.shown(call, name, service.find(call.lab.store, name))


async def create_service(service: Service, call: Call) -> Any:
    """A new definition, once its server has answered."""
    store, name, kind = call.lab.store, call.params[service.key], call.params["type"]
    values = service.given(call)
    TYPES[kind].check_new(values)
    what = service.key
    with changing(store, call.params.get("lock-token"), f"create sdn {what} object failed"):
        if name in service.read(store):
            raise failure(f"sdn {what} object ID '{name}' already defined")
        section = {"type": kind, **filled(values)}
        await _check_server(section)
        store.put(f"sdn-{service.name}", name, section)


async def change_service(service: Service, call: Call) -> Any:
    """Change and delete options, once the server has answered."""
    store, name = call.lab.store, call.params[service.key]
    change = f"update sdn {service.key} object failed"
    with changing(store, call.params.get("lock-token"), change):
        check_digest(call.params.get("digest"), _kept(store, service.name))
        section, values = service.find(store, name), service.given(call)
        kind: SectionType = TYPES[section["type"]]
        kind.check_change(values)
        kept = kind.without(section, split_list(call.params.get("delete", "")), values)
        changed = filled({**kept, **values})
        await _check_server(changed)
        store.put(f"sdn-{service.name}", name, changed)


async def delete_service(service: Service, call: Call) -> Any:
    """Remove a definition, whatever uses it; the cluster's own comes back at once."""
    store, name = call.lab.store, call.params[service.key]
    with changing(store, call.params.get("lock-token"), service.gone):
        service.find(store, name)
        store.delete(f"sdn-{service.name}", name)


async def _check_server(section: Section) -> None:
    """500 when the server does not answer in its own language."""
    kind, url = section["type"], section.get("url", "")
    if kind == "powerdns":
        prefix, key = "dns api error: ", {"X-API-Key": section.get("key", "")}
    elif kind == "netbox":
        url, key = f"{url}/ipam/aggregates/", {"Authorization": f"token {section.get('token', '')}"}
        prefix = "Can't connect to netbox api: "
    elif kind == "phpipam":
        url, key = f"{url}/sections/{section['section']}", {"Token": section.get("token", "")}
        prefix = "Can't connect to phpipam api: "
    else:
        return
    if fault := await _fault_of(str(url), key):
        raise failure(f"{prefix}{fault}")


async def _fault_of(url: str, key: dict[str, str]) -> str | None:
    headers = {"Content-Type": "application/json; charset=UTF-8", **key}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, headers=headers) as response,
        ):
            if response.status >= 300:
                return f"Invalid response from server: {response.status} {response.reason}"
            text = await response.text()
    except aiohttp.InvalidURL:
        return "Invalid response from server: 400 URL missing"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"Invalid response from server: 500 {unreachable(url, error)}"
    try:
        json.loads(text or "null")
    except ValueError:
        return _NO_JSON
    return None


_SERVICES = (
    Service(name=DNS, key="dns", gone="delete sdn dns object failed"),
    Service(name=IPAMS, key="ipam", gone="delete sdn zone object failed"),
)


def _serve(service: Service, method: str, path: str, answer: Any) -> None:
    async def handler(call: Call) -> Any:
        return await answer(service, call)

    add_handler(method, f"/cluster/sdn/{service.name}{path}", handler)


for _service in _SERVICES:
    _one = f"/{{{_service.key}}}"
    _serve(_service, "GET", "", list_services)
    _serve(_service, "POST", "", create_service)
    _serve(_service, "GET", _one, read_service)
    _serve(_service, "PUT", _one, change_service)
    _serve(_service, "DELETE", _one, delete_service)
