"""The firewall of a virtual network: options, and rules about what is forwarded through it."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.firewall.scopes import Scope, load
from lab.sdn.files import VNETS
from lab.sections import firewall
from lab.sections.sdn_vnets import READ, WRITE
from lab.store import Value

_SOURCE = "/usr/share/perl5/PVE/API2/Firewall/Helpers.pm"


def _key(params: dict[str, Any]) -> str:
    return f"vnet/{params['vnet']}"


def _require(call: Call, privileges: list[str]) -> None:
    """500 for a network that is not in force, 403 without one of the privileges on it."""
    name = call.params["vnet"]
    vnet = VNETS.running(call.lab.store).get(name)
    if vnet is None:
        raise failure(f"invalid vnet specified at {_SOURCE} line 55.")
    call.lab.rights.require(call.user, f"/sdn/zones/{vnet['zone']}/{name}", privileges, one=True)


class VnetScope(Scope):
    """A network, which has to exist; who may see or change it may see or change its rules."""

    __slots__ = ()

    def read(self, call: Call) -> Value:
        """The network's settings; 500 when it does not exist, 403 without a right on it."""
        _require(call, READ)
        return load(call.lab.store, self.key(call.params))

    def write(self, call: Call, **changes: Any) -> None:
        """Replace parts of the settings; 403 without the right to change the network."""
        _require(call, WRITE)
        call.lab.store.put("firewall", self.key(call.params), {**self.read(call), **changes})


VNET = VnetScope(
    env="vnet",
    path="/cluster/sdn/vnets/{vnet}/firewall",
    key=_key,
    directions=("forward", "group"),
)
for _method, _path, _answer in (
    ("GET", "/options", firewall.read_options),
    ("PUT", "/options", firewall.change_options),
    ("GET", "/rules", firewall.list_rules),
    ("POST", "/rules", firewall.create_rule),
    ("GET", "/rules/{pos}", firewall.read_rule),
    ("PUT", "/rules/{pos}", firewall.change_rule),
    ("DELETE", "/rules/{pos}", firewall.delete_rule),
):
    firewall.serve(VNET, _method, _path, _answer)
