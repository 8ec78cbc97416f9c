"""What a host's small files hold: hosts, resolver, time zone, and its own options."""

from __future__ import annotations

import datetime
import re
import time
import zoneinfo
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import bad_parameter, failure
from lab.formats import named_format, parse_property_string, split_list
from lab.named_formats import is_ip
from lab.routes import handles
from lab.section_file import as_comments

_DNS = {"search": "lab.example", "dns1": "192.0.2.53"}
_STANDALONE = "standalone"
_NOBODY = "0.0.0.0"  # noqa: S104 - nothing listens there: it stands for no resolver


def _read(call: Call, name: str, default: Any) -> Any:
    found = call.lab.store.get("nodefile", f"{call.params['node']}/{name}")
    return found["content"] if found else default


def _write(call: Call, name: str, content: Any) -> None:
    call.lab.store.put("nodefile", f"{call.params['node']}/{name}", {"content": content})


def _hosts(call: Call) -> str:
    lines = ["127.0.0.1 localhost.localdomain localhost"]
    lines += [f"{n['address']} {n['name']}.lab.example {n['name']}" for n in call.lab.nodes()]
    return str(_read(call, "hosts", "".join(f"{line}\n" for line in lines)))


@handles("GET", "/nodes/{node}/hosts")
async def read_hosts(call: Call) -> Any:
    """The hosts file as one text."""
    text = _hosts(call)
    return {"data": text, "digest": digest_of(text)}


@handles("POST", "/nodes/{node}/hosts")
async def write_hosts(call: Call) -> Any:
    """Replace the hosts file."""
    check_digest(call.params.get("digest"), _hosts(call))
    for line in call.params["data"].split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            _check_host(line)
    _write(call, "hosts", call.params["data"])


def _check_host(line: str) -> None:
    """400 for a line of the hosts file that is no address with names behind it."""
    address, *names = re.split(r"\s+", line.rstrip())
    if not is_ip(address):
        raise bad_parameter("data", f"Invalid IP '{address}'")
    for name in names:
        if not re.fullmatch(r"[.\-a-zA-Z0-9]+", name):
            raise bad_parameter("data", f"Invalid Hostname '{name}'")


@handles("GET", "/nodes/{node}/dns")
async def read_dns(call: Call) -> Any:
    """Search domain and up to three resolvers."""
    return _read(call, "dns", _DNS)


@handles("PUT", "/nodes/{node}/dns")
async def write_dns(call: Call) -> Any:
    """Replace search domain and resolvers; these are lines of a file, without numbers or gaps."""
    given = (call.params.get(f"dns{number}", _NOBODY) for number in (1, 2, 3))
    servers = dict.fromkeys(server for server in given if server != _NOBODY)
    content = {f"dns{number}": server for number, server in enumerate(servers, 1)}
    words = call.params["search"].split()
    _write(call, "dns", content | ({"search": words[0]} if words else {}))


@handles("GET", "/nodes/{node}/time")
async def read_time(call: Call) -> Any:
    """Time zone, seconds since 1970, and the same shifted by the zone's offset."""
    zone, now = _read(call, "timezone", "Etc/UTC"), int(time.time())
    moment = datetime.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(zone))
    offset = moment.utcoffset() or datetime.timedelta()
    return {"timezone": zone, "time": now, "localtime": now + int(offset.total_seconds())}


@handles("PUT", "/nodes/{node}/time")
async def write_time(call: Call) -> Any:
    """Set the time zone."""
    zone = call.params["timezone"]
    if zone not in zoneinfo.available_timezones():
        raise bad_parameter("timezone", "No such timezone")
    _write(call, "timezone", zone)


@handles("GET", "/nodes/{node}/config")
async def read_config(call: Call) -> Any:
    """The host's options, or one of them; nothing at all when none is set."""
    content = _read(call, "config", {})
    if content:  # the description is what the file has as comments, none or some
        content = {"description": "", **content}
    wanted = call.params.get("property")
    if wanted is not None:
        return {wanted: content[wanted]} if wanted in content else {}
    return {**content, "digest": _digest(call)} if content else {}


def _digest(call: Call) -> str:
    return digest_of(_read(call, "config", {}))


@handles("PUT", "/nodes/{node}/config")
async def write_config(call: Call) -> Any:
    """Set and delete options of the host; they are texts."""
    values = {k: v for k, v in call.params.items() if k not in ("node", "digest", "delete")}
    content = _read(call, "config", {})
    check_digest(call.params.get("digest"), content)
    kept = dict(content)
    kept |= {name: str(value) for name, value in values.items()}
    gone = set(split_list(call.params.get("delete", "")))
    if "description" in values:
        kept["description"] = as_comments(kept["description"])
        gone |= set() if kept["description"] else {"description"}
    kept = {name: value for name, value in kept.items() if name not in gone}
    _check_domains(call, kept)
    _write(call, "config", kept)


def _check_domains(call: Call, config: dict[str, Any]) -> None:
    """500 for a domain of the host's certificate that comes twice or names an absent plugin."""
    known: dict[str, str] = {}
    listed = parse_property_string("node-acme", config.get("acme", "")).get("domains", "")
    for domain in listed.split(";"):
        if domain and domain.lower() in known:
            raise failure(f"duplicate domain '{domain.lower()}' in ACME config properties")
        known |= {domain.lower(): "acme"} if domain else {}
    for name in (name for name in sorted(config) if name.startswith("acmedomain")):
        found = parse_property_string("node-acme-domain", config[name])
        domain, plugin = found["domain"].lower(), found.get("plugin", _STANDALONE)
        if domain in known:
            raise failure(
                f"duplicate domain '{domain}' in ACME config properties '{name}' and "
                f"'{known[domain]}'"
            )
        if plugin != _STANDALONE and call.lab.store.get("acmeplugin", plugin) is None:
            raise failure(f"plugin '{plugin}' for domain '{domain}' not found!")
        known[domain] = name


@named_format("pve-acme-domain")
def _domain(text: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+", text, re.IGNORECASE):
        raise ValueError(f"value '{text}' does not look like a valid domain name!")


@named_format("pve-acme-alias")
def _alias(text: str) -> None:
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)+", text, re.IGNORECASE):
        raise ValueError(f"value '{text}' does not look like a valid alias name!")
