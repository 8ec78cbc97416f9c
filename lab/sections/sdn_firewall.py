"""The firewall of a virtual network: options, and rules about what is forwarded through it."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.firewall.scopes import Scope, load
from lab.sections import firewall
from lab.sections.sdn_vnets import READ, WRITE, require_vnet
from lab.store import Value


def _key(params: dict[str, Any]) -> str:
    return f"vnet/{params['vnet']}"


class VnetScope(Scope):
    """A network, which has to exist; who may see or change it may see or change its rules."""

    __slots__ = ()

    def read(self, call: Call) -> Value:
        """The network's settings; 500 when it does not exist, 403 without a right on it."""
        require_vnet(call, READ)
        return load(call.lab.store, self.key(call.params))

    def write(self, call: Call, **changes: Any) -> None:
        """Replace parts of the settings; 403 without the right to change the network."""
        require_vnet(call, WRITE)
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
