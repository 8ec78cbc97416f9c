"""Hosts joined by true 802.1Q tags: Open vSwitch's switch in user space, in a namespace of its own.

The kernel's bridges of the lab know no tags; this is how a real host's do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from lab.network.names import Port
from tests.packets.fleet import Place
from tests.packets.wires import Leg, ip

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
PATIENCE_S = 60.0


def missing() -> str | None:
    """Why there is no such switch here, in a sentence."""
    if not SCHEMA.is_file() or not shutil.which("ovs-vswitchd"):
        return "true tags need Debian's package openvswitch-switch"
    return None


class TaggingHosts:
    """Two hosts of one switch each, joined by a trunk, and guests that are namespaces."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ovs-"))
        self.namespace = f"practicum-ovs-{self._folder.name}"
        self._guests: list[str] = []
        self._legs: list[Leg] = []
        self._daemons: list[subprocess.Popen[bytes]] = []
        ip(f"netns add {self.namespace}")
        self._start()
        for host, other in (("one", "two"), ("two", "one")):
            self.change(
                "add-br", host, "--", "set", "bridge", host, "datapath_type=netdev", "--",
                "add-port", host, f"to-{other}", "--", "set", "interface", f"to-{other}",
                "type=patch", f"options:peer=to-{host}",
            )  # fmt: skip

    def _start(self) -> None:
        database, sockets = self._folder / "conf.db", self._folder / "db.sock"
        subprocess.run(["ovsdb-tool", "create", str(database), str(SCHEMA)], check=True)
        self._daemon("ovsdb-server", str(database), f"--remote=punix:{sockets}")
        self._await(sockets)
        self.change("init", wait=False)
        self._daemon("ovs-vswitchd", f"unix:{sockets}")

    def _await(self, path: Path) -> None:
        until = time.monotonic() + PATIENCE_S
        while not path.exists():
            assert time.monotonic() < until, f"{path.name} never came"
            time.sleep(0.02)

    def _daemon(self, program: str, *arguments: str) -> None:
        own = [
            f"--unixctl={self._folder / program}.ctl",
            f"--log-file={self._folder / program}.log",
        ]
        command = ["ip", "netns", "exec", self.namespace, program, *arguments, *own]
        self._daemons.append(
            subprocess.Popen(
                command, env={**os.environ, "OVS_RUNDIR": str(self._folder)},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip

    def change(self, *words: str, wait: bool = True) -> None:
        """What `ovs-vsctl` does; returns when the switch has done it."""
        subprocess.run(
            ["ovs-vsctl", f"--db=unix:{self._folder / 'db.sock'}", f"--timeout={PATIENCE_S:.0f}",
             *([] if wait else ["--no-wait"]), *words],
            check=True, capture_output=True,
        )  # fmt: skip

    def guest(self, number: int, cluster: str, host: str, vlan: int, address: str) -> Place:
        """A guest with an access port of a VLAN."""
        name, link, mac = (
            f"{self.namespace}-{number}",
            f"tap{number}i0",
            f"02:00:00:00:01:{number:02x}",
        )
        ip(f"netns add {name}")
        self._guests.append(name)
        ip(
            f"link add {link} type veth peer name eth0 address {mac} netns {name}",
            f"link set {link} up", namespace=self.namespace,
        )  # fmt: skip
        ip("link set eth0 up", namespace=name)
        self.change("add-port", host, link, f"tag={vlan}")
        leg = Leg(name)
        self._legs.append(leg)
        port = Port(vmid=number, nic=0, host=host, bridge=host, vlan=vlan, mac=mac)
        return Place(cluster=cluster, network=cluster, port=port, address=address, leg=leg)

    def close(self) -> None:
        for leg in self._legs:
            leg.close()
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()
        for name in [*self._guests, self.namespace]:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)
