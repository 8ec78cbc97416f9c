"""mpi: Open MPI on every node, told who is there and which network to use."""

from __future__ import annotations

from plan.contextualize.orders import File, Script
from plan.contextualize.scene import SCRIPTS, Scene

HOSTS_PATH = "/etc/openmpi/openmpi-default-hostfile"
PARAMETERS_PATH = "/etc/openmpi/openmpi-mca-params.conf"

# A head has a leg outside as well, by which no node can be reached; waiting ranks give way,
# because a tutorial's nodes share cores.
_PARAMETERS = """\
btl_tcp_if_include = {subnet}
oob_tcp_if_include = {subnet}
btl_vader_single_copy_mechanism = none
mpi_yield_when_idle = 1
"""


def files(scene: Scene) -> tuple[File, ...]:
    """Who is there, and by which network."""
    hosts = "".join(f"{each.name} slots={each.cores}\n" for each in scene.among("mpi"))
    parameters = _PARAMETERS.format(subnet=scene.subnet)
    return (File(path=HOSTS_PATH, text=hosts), File(path=PARAMETERS_PATH, text=parameters))


def scripts(scene: Scene) -> tuple[Script, ...]:
    """The packages, a compiler on the head."""
    return (scene.script("mpi", files(scene), COMPILER="yes" if scene.is_head else ""),)


def checks(scene: Scene) -> tuple[Script, ...]:
    """A token goes round a ring of one rank a node, compiled on the head."""
    if not scene.is_head:
        return ()
    ring = (SCRIPTS / "ring.c").read_text()
    ranks = str(len(scene.among("mpi")))
    return (scene.script("check-mpi", given=ring, RANKS=ranks),)
