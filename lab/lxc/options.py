"""The options of a container: which exist, how they are kept, and who may set them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import failure, forbidden
from lab.formats import parse_property_string, print_property_string, split_list
from lab.guests.checks import check_tags
from lab.guests.nets import mac_prefix, random_mac
from lab.guests.power import bridge_exists, bridge_mtu
from lab.guests.rights import require
from lab.guests.update import stored_tags
from lab.lxc.mounts import NEW_VOLUME, is_mount, is_volume, parse_mount
from lab.sdn.paths import card_paths
from lab.spec import Property, load_methods
from lab.storage import names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space, require_volume
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.lxc.record import Container

Config = dict[str, Any]
CONTROL = frozenset({"node", "vmid", "delete", "revert", "digest"})
# Kept by Proxmox VE itself; not parameters, but names that `delete` accepts.
INTERNAL = frozenset({"parent", "snaptime"})
MAX_SHARES = 10_000
_NET = re.compile(r"net\d+")
_DEVICE = re.compile(r"dev\d+")
_NEEDED = {
    "cores": "VM.Config.CPU",
    "cpuunits": "VM.Config.CPU",
    "cpulimit": "VM.Config.CPU",
    "memory": "VM.Config.Memory",
    "swap": "VM.Config.Memory",
    "nameserver": "VM.Config.Network",
    "searchdomain": "VM.Config.Network",
    "hostname": "VM.Config.Network",
}


@cache
def option_specs() -> dict[str, Property]:
    """What may be set on a container, by name."""
    parameters = load_methods()["PUT", "/nodes/{node}/lxc/{vmid}/config"].parameters
    return {name: known for name, known in parameters.items() if name not in CONTROL}


def option_exists(name: str) -> bool:
    """Whether a name is an option of a container, internal ones included."""
    return name in option_specs() or name in INTERNAL


def given_options(call: Call) -> Config:
    """The options among a call's parameters: integers and flags as numbers, all else as text."""
    specs = option_specs()
    values = {
        name: str(call.raw[name]) if specs[name].type == "number" else value
        for name, value in call.params.items()
        if name in specs
    }
    if "cpuunits" in values:
        values["cpuunits"] = min(max(values["cpuunits"], 1), MAX_SHARES)
    return values


def is_net(key: str) -> bool:
    """Whether a key of the configuration is a network card."""
    return _NET.fullmatch(key) is not None


def parse_net(text: str) -> dict[str, Any]:
    """The keys of a network card."""
    return parse_property_string("pve-lxc-network", text)


def complete_net(lab: Lab, text: str) -> str:
    """A card as stored: with its type, and a new address when it has none."""
    net = parse_net(text) | {"type": "veth"}
    net.setdefault("hwaddr", random_mac(mac_prefix(lab)))
    return print_property_string("pve-lxc-network", net)


def with_new_address(lab: Lab, text: str) -> str:
    """The card of a copy: the same with another address."""
    net = parse_net(text) | {"type": "veth", "hwaddr": random_mac(mac_prefix(lab))}
    return print_property_string("pve-lxc-network", net)


def stored(lab: Lab, key: str, value: Any) -> Any:
    """A value as it is kept; 500 for one that Proxmox VE refuses here."""
    if key in ("nameserver", "searchdomain"):
        return " ".join(split_list(value))
    if key == "tags":
        return stored_tags(lab, value)
    if is_net(key):
        net = parse_net(value)
        automatic = net.get("ip6") == "auto" and not net.get("link_down")
        if net.get("host-managed") and automatic:
            text = f"{key}: SLAAC is not supported for host-managed network configuration."
            raise failure(text)
    if _DEVICE.fullmatch(key):
        path = parse_property_string("pve-ct-dev", value).get("path")
        if path is None:
            place = "/usr/share/perl5/PVE/LXC/Config.pm line 1"
            raise failure(f"Path is not defined for passthrough device {key} at {place}.")
        # The lab's hosts have no devices to pass on.
        raise failure(f"Device {path} does not exist")
    return value


def check_script(container: Container, volid: str) -> None:
    """500 for a hook script that is no snippet, or not there."""
    storage, name = names.parse_volume_id(volid)
    if names.parse_name(storage_config(container.lab, storage)["type"], name).content != "snippets":
        raise failure(f"'{volid}' is not in the snippets directory")
    if volumes(container.lab).get(volid, container.node) is None:
        raise failure(f"script '{volid}' does not exist")


def check_card(container: Container, key: str, text: str, *, bridge_first: bool = True) -> None:
    """500 when the bridge of a card is not there, or too small for it; a card that asks for no
    size is not held against its bridge before it is used (`bridge_first` is false)."""
    net = parse_net(text)
    wanted, bridge = net.get("mtu"), net.get("bridge", "")
    if not wanted and not bridge_first:
        return
    if not bridge_exists(container.lab, container.node, bridge):
        raise failure(f"bridge '{bridge}' does not exist")
    size = bridge_mtu(container.lab, container.node, bridge)
    if wanted and wanted > size:
        raise failure(f"{key}: MTU size '{wanted}' is bigger than bridge MTU '{size}'")


def check_cards(container: Container) -> None:
    """500 for a container that could not be started because of a bridge."""
    if container.config.get("template"):
        return
    for key in sorted(filter(is_net, container.config)):
        check_card(container, key, container.config[key])


class Permissions:
    """What a caller may change on one container; root may all of it."""

    def __init__(self, call: Call, container: Container, pool: str | None = None) -> None:
        self._call, self._container, self._pool = call, container, pool
        self._unprivileged = bool(container.config.get("unprivileged"))

    def check(
        self, values: Config, deleted: list[str], *, unprivileged: bool | None = None
    ) -> None:
        """403 for the first option that the caller may not set or remove."""
        if self._call.is_root:
            return
        if unprivileged is not None:
            self._unprivileged = unprivileged
        for key, value in values.items():
            self._check(key, value)
        for key in deleted:
            self._check(key, None)

    def _check(self, key: str, value: Any) -> None:
        call, container = self._call, self._container
        if is_mount(key):
            self._require("VM.Config.Disk")
            if value is not None:
                self._check_mount(key, value)
        elif is_net(key):
            self._require("VM.Config.Network")
            for text in filter(None, (container.config.get(key), value)):
                require_bridge(call, text)
        elif key == "features":
            self._check_features(value)
        elif key == "hookscript":
            raise forbidden("changing the hookscript is only allowed for root@pam")
        elif key == "tags":
            check_tags(call, str(container.config.get(key, "")), value or "")
        elif _DEVICE.fullmatch(key):
            raise forbidden("configuring device passthrough is only allowed for root@pam")
        else:
            self._require(_NEEDED.get(key, "VM.Config.Options"))

    def _require(self, privilege: str) -> None:
        require(self._call, self._container.vmid, self._pool, privilege)

    def _check_mount(self, key: str, value: str) -> None:
        mount = parse_mount(key, value)
        if not is_volume(mount):
            kind = "device" if mount["volume"].startswith("/dev/") else "bind"
            raise forbidden(f"mount point type {kind} is only allowed for root@pam")
        if new := NEW_VOLUME.fullmatch(mount["volume"]):
            require_space(self._call, new[1])
        else:
            _check_content(self._container, mount["volume"])
            require_volume(self._call, self._container.vmid, mount["volume"])

    def _check_features(self, value: str | None) -> None:
        if not self._unprivileged:
            text = "changing feature flags for privileged container is only allowed for root@pam"
            raise forbidden(text)
        now = parse_property_string("pve-ct-features", self._container.config.get("features", ""))
        new = parse_property_string("pve-ct-features", value or "")
        changed = {name for name in now | new if now.get(name) != new.get(name)}
        if changed - {"nesting"}:
            text = "changing feature flags (except nesting) is only allowed for root@pam"
            raise forbidden(text)
        if changed:
            self._require("VM.Allocate")


def _check_content(container: Container, volid: str) -> None:
    storage, name = names.parse_volume_id(volid)
    content = names.parse_name(storage_config(container.lab, storage)["type"], name).content
    if content not in ("images", "rootdir"):
        raise failure(f"unable to use volume {volid} - content type needs to be 'rootdir'")


def require_bridge(call: Call, text: str) -> None:
    """403 when the caller may not put a card on its bridge or virtual network."""
    for path in [] if call.is_root else card_paths(call.lab, parse_net(text)):
        call.lab.rights.require(call.user, path, ["SDN.Use"])
