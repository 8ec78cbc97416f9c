"""Services of the site, from every level on: the way to their addresses, and Debian's mirror.

Their addresses are in no subnet, so a guest needs a route by its cluster's own network. A service
that is called `mirror` is where packages come from: it has Debian's archive at `/debian` and
`/debian-security`, as a mirror has, and a cache that is set up so.
"""

from __future__ import annotations

from event.services_model import MIRROR
from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene

UNIT = "/etc/systemd/system/practicum-services.service"


def files(scene: Scene) -> tuple[File, ...]:
    """The unit that sets the routes, now and after every boot; nothing without services."""
    if not scene.plan.services or scene.network is None:
        return ()
    addresses = sorted({each.address for each in scene.plan.services})
    routes = "".join(
        f"ExecStart=/bin/ip route replace {address} dev {scene.interface}\n"
        for address in addresses
    )
    text = (
        "[Unit]\nDescription=Routes to the services of the site\n"
        "Wants=network-online.target\nAfter=network-online.target\n\n"
        f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{routes}\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    return (File(path=UNIT, text=text),)


def scripts(scene: Scene) -> tuple[Script, ...]:
    """Before anything that may want a package."""
    given = files(scene)
    if not given:
        return ()
    mirrors = [each for each in scene.plan.services if each.name == MIRROR]
    url = f"http://{mirrors[0].address}:{mirrors[0].port}" if mirrors else ""
    return (scene.script("services", given, MIRROR=url),)
