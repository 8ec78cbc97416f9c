"""Own steps on a guest: the organiser's scripts with the cluster's facts, and playbooks.

A script comes to the guest as the input of a small one of ours, which puts it into a folder of its
own and starts it there with the facts in its environment and in a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from plan.addressing import instructor_address
from plan.contextualize.orders import File, Playbook, Script, digest
from plan.contextualize.scene import Scene
from plan.documents import vlan_interface
from plan.records import Cluster

FACTS_PATH = "/var/lib/practicum/facts.json"


def facts(scene: Scene) -> dict[str, Any]:
    """What a script may want to know of its guest and the cluster; nothing secret. The instructors'
    node is in no cluster and has a leg in each: it gets a list of them."""
    known = {
        "event": scene.plan.stack,
        "title": scene.plan.title,
        "cluster": None if scene.network is None else scene.name,
        "guest": scene.guest.name,
        "node": scene.guest.node,
        "nodeGroup": scene.guest.node_group,
        "level": scene.guest.level,
        "login": scene.guest.login.user,
    }
    if scene.network is None:
        return known | {"clusters": [_seen(scene, each) for each in scene.plan.clusters]}
    own = {"address": str(scene.address(scene.guest)), "interface": scene.interface}
    return known | own | _cluster(scene)


def _seen(scene: Scene, cluster: Cluster) -> dict[str, Any]:
    """A cluster as the instructors' node sees it, with the leg that it has there."""
    legs = {nic.network: f"eth{number}" for number, nic in enumerate(scene.guest.interfaces)}
    inside = replace(scene, name=cluster.name, guests=cluster.guests, network=cluster.network)
    return {
        "cluster": cluster.name,
        "address": str(instructor_address(cluster.network.subnet).ip),
        "interface": legs.get(cluster.name) or vlan_interface(cluster.network),
        **_cluster(inside),
    }


def _cluster(scene: Scene) -> dict[str, Any]:
    return {
        "subnet": scene.subnet,
        "head": scene.head.name,
        "headAddress": str(scene.address(scene.head)),
        "nodes": [
            {
                "guest": each.name,
                "node": each.node,
                "nodeGroup": each.node_group,
                "address": str(scene.address(each)),
                "cores": each.cores,
                "memoryMib": each.memory_mib,
            }
            for each in scene.guests
        ],
    }


def files(scene: Scene) -> tuple[File, ...]:
    """The facts, where a script of the organiser's own is going to run."""
    if not scene.guest.own_scripts:
        return ()
    text = json.dumps(facts(scene), indent=1, ensure_ascii=False) + "\n"
    return (File(path=FACTS_PATH, mode="0600", text=text),)


def scripts(scene: Scene) -> tuple[Script, ...]:
    """The scripts in their order; each runs again when it or the facts have changed."""
    known = {
        f"PRACTICUM_{name}": value
        for name, value in (
            ("EVENT", scene.plan.stack),
            ("GUEST", scene.guest.name),
            ("NODE", scene.guest.node),
            ("NODE_GROUP", scene.guest.node_group),
            ("LEVEL", scene.guest.level),
            ("LOGIN", scene.guest.login.user),
            ("FACTS", FACTS_PATH),
        )
    }
    if not scene.guest.own_scripts:
        return ()
    known |= _of_cluster(scene) if scene.network is not None else _of_all(scene)
    given = files(scene)
    return tuple(
        replace(
            scene.script(
                "own-step", given, given=each.text, STEP=each.name.rpartition("/")[2], **known
            ),
            name=each.name,
        )
        for each in scene.guest.own_scripts
    )


def _of_cluster(scene: Scene) -> dict[str, str]:
    return {
        "PRACTICUM_CLUSTER": scene.name,
        "PRACTICUM_ADDRESS": str(scene.address(scene.guest)),
        "PRACTICUM_SUBNET": scene.subnet,
        "PRACTICUM_HEAD": scene.head.name,
        "PRACTICUM_HEAD_ADDRESS": str(scene.address(scene.head)),
        "PRACTICUM_NODES": " ".join(each.name for each in scene.guests),
    }


def _of_all(scene: Scene) -> dict[str, str]:
    return {"PRACTICUM_CLUSTERS": " ".join(each.name for each in scene.plan.clusters)}


def playbooks(scenes: Sequence[Scene]) -> Iterator[Playbook]:
    """The playbooks of a cluster in their order, each with the guests that are in it."""
    found = {each.name: each for scene in scenes for each in scene.guest.own_playbooks}
    for name, playbook in found.items():
        known = {
            scene.guest.name: facts(scene)
            for scene in scenes
            if playbook in scene.guest.own_playbooks
        }
        yield Playbook(
            name=name,
            path=playbook.path,
            digest=digest([playbook.digest, json.dumps(known, sort_keys=True)])[:16],
            facts=known,
        )
