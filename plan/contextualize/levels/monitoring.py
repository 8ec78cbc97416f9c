"""monitoring: Ganglia's gmond by multicast with gmetad on the head, and Prometheus with exporters.

Debian carries Ganglia's daemons up to bookworm; on a later system there is Prometheus alone.
"""

from __future__ import annotations

from plan.contextualize.orders import File, Script
from plan.contextualize.scene import Scene

GMOND_PATH = "/etc/ganglia/gmond.conf"
GMETAD_PATH = "/etc/ganglia/gmetad.conf"
PROMETHEUS_PATH = "/etc/prometheus/prometheus.yml"

_GMOND = """\
globals {{
  daemonize = yes
  setuid = yes
  user = ganglia
  send_metadata_interval = 10
}}
cluster {{ name = "{cluster}" owner = "practicum" }}
udp_send_channel {{ mcast_join = 239.2.11.71 mcast_if = {interface} port = 8649 ttl = 1 }}
udp_recv_channel {{
  mcast_join = 239.2.11.71
  mcast_if = {interface}
  bind = 239.2.11.71
  port = 8649
}}
tcp_accept_channel {{ port = 8649 }}
modules {{
  module {{ name = "core_metrics" }}
  module {{ name = "cpu_module" path = "/usr/lib/x86_64-linux-gnu/ganglia/modcpu.so" }}
  module {{ name = "load_module" path = "/usr/lib/x86_64-linux-gnu/ganglia/modload.so" }}
  module {{ name = "mem_module" path = "/usr/lib/x86_64-linux-gnu/ganglia/modmem.so" }}
  module {{ name = "net_module" path = "/usr/lib/x86_64-linux-gnu/ganglia/modnet.so" }}
}}
collection_group {{
  collect_once = yes
  time_threshold = 20
  metric {{ name = "heartbeat" }}
}}
collection_group {{
  collect_every = 10
  time_threshold = 20
  metric {{ name = "load_one" value_threshold = "1.0" }}
  metric {{ name = "cpu_user" value_threshold = "1.0" }}
  metric {{ name = "mem_free" value_threshold = "1024.0" }}
}}
"""

_PROMETHEUS = """\
global:
  scrape_interval: 5s
scrape_configs:
  - job_name: {cluster}
    static_configs:
      - targets: [{targets}]
"""


def files(scene: Scene) -> tuple[File, ...]:
    """gmond everywhere; gmetad and Prometheus on the head."""
    gmond = _GMOND.format(cluster=scene.name, interface=scene.interface)
    found = [File(path=GMOND_PATH, text=gmond)]
    if scene.is_head:
        source = f'data_source "{scene.name}" 5 127.0.0.1\nsetuid_username "ganglia"\n'
        targets = ", ".join(f'"{each.name}:9100"' for each in scene.among("monitoring"))
        found.append(File(path=GMETAD_PATH, text=source))
        text = _PROMETHEUS.format(cluster=scene.name, targets=targets)
        found.append(File(path=PROMETHEUS_PATH, text=text))
    return tuple(found)


def scripts(scene: Scene) -> tuple[Script, ...]:
    """Packages and daemons."""
    role = "head" if scene.is_head else "node"
    return (scene.script("monitoring", files(scene), ROLE=role),)


def checks(scene: Scene) -> tuple[Script, ...]:
    """The head has heard of every node by multicast, and Prometheus has scraped every node."""
    if not scene.is_head:
        return ()
    watched = scene.among("monitoring")
    # Ganglia asks the hosts file for names, where a node's short name comes first.
    return (
        scene.script(
            "check-monitoring",
            SHORT=" ".join(each.node for each in watched),
            WATCHED=" ".join(each.name for each in watched),
        ),
    )
