"""base: names, the cluster's hosts file, host keys that are known, root's password, time zone, and
the way to the site's services."""

from __future__ import annotations

from plan.contextualize.levels import services
from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene
from plan.documents import TRUNK_PREFIX
from plan.identity import SecretDocument, identity_documents
from plan.naming import root_label
from plan.records import Document
from plan.secrets import password

SSHD_PATH = "/etc/ssh/sshd_config.d/50-practicum.conf"

# Without this line sshd shows keys of other kinds as well, which nobody has been told of.
_SSHD = "HostKey /etc/ssh/ssh_host_ed25519_key\n"


def files(scene: Scene) -> tuple[File, ...]:
    """The documents of the plan, and those that follow from the event's secret."""
    documents: list[Document | SecretDocument] = [*scene.guest.documents]
    documents += identity_documents(scene.plan, scene.guest, scene.secret)
    return (
        *(File(path=each.path, mode=each.mode, text=each.text) for each in documents),
        File(path=SSHD_PATH, text=_SSHD),
        *services.files(scene),
    )


def scripts(scene: Scene) -> tuple[Script, ...]:
    """Names, time zone, a trunk's legs; root's password apart: it is set once, and then left."""
    trunk = tuple(each for each in files(scene) if each.path.startswith(TRUNK_PREFIX))
    vlans = " ".join(
        each.path.removeprefix(TRUNK_PREFIX).removesuffix(".netdev")
        for each in trunk
        if each.path.endswith(".netdev")
    )
    root = password(scene.secret, root_label(scene.plan.stack, scene.name))
    return (
        *services.scripts(scene),
        scene.script("base", files(scene), TIME_ZONE=scene.plan.time_zone),
        *([scene.script("trunk", trunk, VLANS=vlans)] if trunk else []),
        scene.script("root-password", given=f"root:{root}\n"),
    )


def checks(scene: Scene) -> tuple[Script, ...]:
    """The head resolves and reaches every node."""
    return (scene.script("check-base"),) if scene.is_head else ()
