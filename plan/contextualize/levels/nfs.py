"""nfs: the head exports /home, every other node mounts it.

With the kernel's own server and client where it has them; where it has none, as in the lab's
containers, with nfs-ganesha and whatever answers to `mount -t nfs` there.
"""

from __future__ import annotations

from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene

EXPORTS_PATH = "/etc/exports.d/practicum.exports"
GANESHA_PATH = "/etc/ganesha/ganesha.conf"

_GANESHA = """\
NFS_CORE_PARAM {{ Protocols = 3, 4; NFS_Port = 2049; MNT_Port = 20048; }}
NFSv4 {{ Graceless = true; Only_Numeric_Owners = true; }}
EXPORT {{
  Export_Id = 1;
  Path = /home;
  Pseudo = /home;
  Access_Type = NONE;
  Squash = No_Root_Squash;
  SecType = sys;
  Protocols = 3, 4;
  Transports = TCP;
  FSAL {{ Name = VFS; }}
  CLIENT {{ Clients = {subnet}; Access_Type = RW; }}
}}
"""


def files(scene: Scene) -> tuple[File, ...]:
    """What the head exports, for either server. The other nodes need no file."""
    if not scene.is_head:
        return ()
    subnet = scene.subnet
    exports = f"/home {subnet}(rw,sync,no_subtree_check,no_root_squash)\n"
    return (
        File(path=EXPORTS_PATH, text=exports),
        File(path=GANESHA_PATH, text=_GANESHA.format(subnet=subnet)),
    )


def scripts(scene: Scene) -> tuple[Script, ...]:
    """Serve on the head, mount on the others."""
    if scene.is_head:
        return (scene.script("nfs-server", files(scene)),)
    return (scene.script("nfs-client"),)


def checks(scene: Scene) -> tuple[Script, ...]:
    """A file that the head writes is read on every node."""
    if not scene.is_head:
        return ()
    nodes = " ".join(each.name for each in scene.among("nfs") if each is not scene.head)
    return (scene.script("check-nfs", REACHED=nodes),)
