"""What a guest's cloud-init drive says: user data, network and meta data, in NoCloud's forms."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any
from urllib.parse import unquote

from lab.call import Call
from lab.formats import parse_property_string
from lab.guests import drives
from lab.guests.clone import QEMU
from lab.guests.nets import is_net, parse_net
from lab.guests.options import CLOUD_INIT, PASSWORD_SHOWN, is_windows
from lab.guests.record import load
from lab.routes import handles

Config = dict[str, Any]


@handles("GET", f"{QEMU}/cloudinit")
async def read_cloud_init(call: Call) -> list[dict[str, Any]]:
    """Cloud-init options as the drive has them, and how they were changed since."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    config, changed = dict(guest.config), dict(guest.unsynced)
    for values in (config, changed):
        if "cipassword" in values:
            values["cipassword"] = PASSWORD_SHOWN
    added = changed.pop("added", [])
    rows = [{"key": key, "pending": config[key]} for key in added if key in config]
    for key in CLOUD_INIT:
        if config.get(key) and key not in added:
            row = {"key": key, "value": changed.get(key, config[key])}
            rows.append(row | ({"pending": config[key]} if key in changed else {}))
    rows += [{"key": key, "delete": 1} for key in changed if not config.get(key)]
    return rows


@handles("PUT", f"{QEMU}/cloudinit")
async def write_cloud_init(call: Call) -> None:
    """Write the drive anew from the present options."""
    vmid = call.params["vmid"]
    async with call.lab.locks.guest(vmid):
        guest = load(call.lab, vmid, call.params["node"])
        guest.check_lock()
        if guest.unsynced and drives.cloud_init_key(guest.config):
            guest.unsynced.clear()
            guest.save()


@handles("GET", f"{QEMU}/cloudinit/dump")
async def dump_cloud_init(call: Call) -> str:
    """One of the drive's documents; the hash of the password is for those who may set it."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    rights, path = call.lab.rights, f"/vms/{guest.vmid}"
    hide = not call.is_root and not rights.has(call.user, path, ["VM.Config.Cloudinit"])
    shown = documents(guest.config, guest.vmid, hide_password=hide)
    if _format(guest.config) != "nocloud":
        shown |= _of_config_drive(guest.config, guest.vmid)
    return shown[call.params["type"]]


def _of_config_drive(config: Config, vmid: int) -> dict[str, str]:
    """The documents that other forms of the drive have in place of NoCloud's."""
    network = network_eni(config)
    digest = hashlib.sha1((user_data(config, vmid) + network).encode(), usedforsecurity=False)
    content = '"network_config": { "content_path": "/content/0000" }'
    meta = f'{{\n     "uuid": "{digest.hexdigest()}",\n     {content}\n}}\n'
    return {"network": network, "meta": meta}


def documents(config: Config, vmid: int, *, hide_password: bool = False) -> dict[str, str]:
    """The documents by name: `user`, `network`, `meta`.

    The instance id is a hash of the first two, so that a guest with changed data counts as new.
    """
    user = user_data(config, vmid)
    network = network_eni(config) if _format(config) == "configdrive2" else network_v1(config)
    digest = hashlib.sha1((user + network).encode(), usedforsecurity=False).hexdigest()
    meta = f"instance-id: {digest}\n"
    if hide_password and "cipassword" in config:
        user = user_data(config | {"cipassword": PASSWORD_SHOWN}, vmid)
    return {"user": user, "network": network, "meta": meta}


def _format(config: Config) -> str:
    return config.get("citype") or (
        "configdrive2" if is_windows(config.get("ostype")) else "nocloud"
    )


def user_data(config: Config, vmid: int) -> str:
    """The cloud-config document: host name, user, password hash, keys, upgrade."""
    host, _, domain = str(config.get("name", f"VM{vmid}")).partition(".")
    domain = domain or str(config.get("searchdomain", "")).strip()
    lines = ["#cloud-config", f"hostname: {host}", "manage_etc_hosts: true"]
    lines.append(f"fqdn: {host}.{domain}" if domain else f"fqdn: {host}")
    user = config.get("ciuser")
    if user is not None:
        lines.append(f"user: {user}")
        if user == "root":
            lines.append("disable_root: False")
    if "cipassword" in config:
        lines.append(f"password: {config['cipassword']}")
    if "sshkeys" in config:
        keys = [line for line in unquote(config["sshkeys"]).split("\n") if line.strip()]
        lines += ["ssh_authorized_keys:", *(f"  - {key}" for key in keys)]
    lines += ["chpasswd:", "  expire: False"]
    if user != "root":
        lines += ["users:", "  - default"]
    if config.get("ciupgrade", 1):
        lines.append("package_upgrade: true")
    return "".join(f"{line}\n" for line in lines)


def _interfaces(config: Config) -> list[tuple[int, str, dict[str, Any]]]:
    """Number, address and IP settings of the cards that have IP settings, in text order."""
    found = []
    for key in sorted(filter(is_net, config)):
        number = int(key[3:])
        if text := config.get(f"ipconfig{number}"):
            settings = parse_property_string("pve-qm-ipconfig", text)
            mac = str(parse_net(config[key]).get("macaddr", "")).lower()
            found.append((number, mac, settings))
    return found


def _dns(config: Config) -> tuple[list[str], list[str]]:
    # The lab's hosts have no resolver of their own to pass on.
    return (
        str(config.get("nameserver", "")).split(),
        str(config.get("searchdomain", "")).split(),
    )


def network_v1(config: Config) -> str:
    """The network in cloud-init's version 1."""
    lines = ["version: 1", "config:"]
    for number, mac, settings in _interfaces(config):
        lines += [
            "    - type: physical",
            f"      name: eth{number}",
            f"      mac_address: '{mac}'",
            "      subnets:",
            *_subnet4(settings),
            *_subnet6(settings),
        ]
    servers, domains = _dns(config)
    lines.append("    - type: nameserver")
    if servers:
        lines += ["      address:", *(f"      - '{server}'" for server in servers)]
    if domains:
        lines += ["      search:", *(f"      - '{domain}'" for domain in domains)]
    return "".join(f"{line}\n" for line in lines)


def _subnet4(settings: dict[str, Any]) -> list[str]:
    ip = settings.get("ip")
    if ip is None:
        return []
    if ip == "dhcp":
        return ["      - type: dhcp4"]
    interface = ipaddress.IPv4Interface(ip)
    lines = [
        "      - type: static",
        f"        address: '{interface.ip}'",
        f"        netmask: '{interface.netmask}'",
    ]
    return [*lines, f"        gateway: '{settings['gw']}'"] if "gw" in settings else lines


def _subnet6(settings: dict[str, Any]) -> list[str]:
    ip = settings.get("ip6")
    if ip is None:
        return []
    if ip in ("dhcp", "auto"):
        return ["      - type: " + ("dhcp6" if ip == "dhcp" else "ipv6_slaac")]
    lines = ["      - type: static6", f"        address: '{ip}'"]
    return [*lines, f"        gateway: '{settings['gw6']}'"] if "gw6" in settings else lines


def network_eni(config: Config) -> str:
    """The network as /etc/network/interfaces, which config drives carry."""
    lines = ["auto lo", "iface lo inet loopback", ""]
    servers, domains = _dns(config)
    if servers:
        lines.append(f"        dns_nameservers {' '.join(servers)}")
    if domains:
        lines.append(f"        dns_search {' '.join(domains)}")
    for number, _, settings in _interfaces(config):
        lines.append(f"auto eth{number}")
        lines += _stanza(f"eth{number}", "inet", settings.get("ip"), settings.get("gw"))
        lines += _stanza(f"eth{number}", "inet6", settings.get("ip6"), settings.get("gw6"))
    return "".join(f"{line}\n" for line in lines)


def _stanza(name: str, family: str, ip: str | None, gateway: str | None) -> list[str]:
    if ip is None:
        return []
    if ip in ("dhcp", "auto"):
        return [f"iface {name} {family} {ip}"]
    interface = ipaddress.ip_interface(ip)
    mask = interface.netmask if family == "inet" else interface.network.prefixlen
    lines = [
        f"iface {name} {family} static",
        f"        address {interface.ip}",
        f"        netmask {mask}",
    ]
    return [*lines, f"        gateway {gateway}"] if gateway else lines
