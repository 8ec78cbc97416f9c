"""ssh: root and the participants' login go from every node of a cluster to every other one."""

from __future__ import annotations

from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene
from plan.naming import cluster_key_label
from plan.secrets import SshKey, ssh_key

KEYS_PATH = "/etc/ssh/practicum_cluster_keys"
SSHD_PATH = "/etc/ssh/sshd_config.d/60-practicum-trust.conf"

# The keys that participants add stay theirs; the cluster's own key is accepted beside them.
_SSHD = f"AuthorizedKeysFile .ssh/authorized_keys {KEYS_PATH}\n"


def cluster_key(scene: Scene) -> SshKey:
    """The key that the nodes of a cluster share."""
    label = cluster_key_label(scene.plan.stack, scene.name)
    return ssh_key(scene.secret, label, f"cluster {scene.name}")


def files(scene: Scene) -> tuple[File, ...]:
    """The cluster's key, for root and for the participants' login, and who accepts it."""
    key, login = cluster_key(scene), scene.guest.login.user
    homes = {"root": "/root", login: f"/home/{login}"}
    keys = (
        file
        for owner, home in homes.items()
        for file in (
            File(path=f"{home}/.ssh/id_ed25519", mode="0600", owner=owner, text=key.private),
            File(path=f"{home}/.ssh/id_ed25519.pub", owner=owner, text=key.public + "\n"),
        )
    )
    return (
        *keys,
        File(path=KEYS_PATH, text=key.public + "\n"),
        File(path=SSHD_PATH, text=_SSHD),
    )


def scripts(scene: Scene) -> tuple[Script, ...]:
    """Have sshd read its files again."""
    return (scene.script("ssh", files(scene)),)


def checks(scene: Scene) -> tuple[Script, ...]:
    """From the head to every node and back, without a question and without a password."""
    if not scene.is_head:
        return ()
    nodes = " ".join(each.name for each in scene.among("ssh") if each is not scene.head)
    return (scene.script("check-ssh", REACHED=nodes),)
