"""scheduler: Slurm, with munge; the head controls, all other nodes compute."""

from __future__ import annotations

import base64

from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene
from plan.naming import munge_label
from plan.secrets import derive

KEY_PATH = "/etc/munge/munge.key"
SLURM_PATH = "/etc/slurm/slurm.conf"
KEY_BYTES = 96  # of secret; munged takes keys of 32 to 1024 bytes, and base64 makes these 128

_SLURM = """\
ClusterName={cluster}
SlurmctldHost={head}({address})
AuthType=auth/munge
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmctldTimeout=60
SlurmdTimeout=60
"""


def files(scene: Scene) -> tuple[File, ...]:
    """munge's key, which all nodes share, and one configuration for all."""
    secret = derive(scene.secret, munge_label(scene.plan.stack, scene.name), KEY_BYTES)
    nodes = [each for each in scene.among("scheduler") if each is not scene.head]
    text = _SLURM.format(
        cluster=scene.name, head=scene.head.name, address=scene.address(scene.head)
    )
    for node in nodes:
        # A tenth of the memory is the operating system's own.
        memory = node.memory_mib * 9 // 10
        where = scene.address(node)
        text += (
            f"NodeName={node.name} NodeAddr={where} CPUs={node.cores} RealMemory={memory}"
            " State=UNKNOWN\n"
        )
    names = ",".join(each.name for each in nodes)
    text += f"PartitionName=practicum Nodes={names} Default=YES MaxTime=INFINITE State=UP\n"
    return (
        File(path=KEY_PATH, mode="0400", owner="munge", text=base64.b64encode(secret).decode()),
        File(path=SLURM_PATH, text=text),
    )


def scripts(scene: Scene) -> tuple[Script, ...]:
    """The packages first, because munge's login comes with one; then the daemons."""
    role = "controller" if scene.is_head else "node"
    return (scene.script("scheduler", files(scene), ROLE=role),)


def checks(scene: Scene) -> tuple[Script, ...]:
    """One job over all compute nodes at once, by the participants' login."""
    nodes = [each for each in scene.among("scheduler") if each is not scene.head]
    if not scene.is_head or not nodes:
        return ()
    return (scene.script("check-scheduler", COUNT=str(len(nodes))),)
