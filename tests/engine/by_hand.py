"""What others do at the site while nobody looks, by plain calls as its root user."""

from __future__ import annotations

import shutil
import time

from tests.engine.snapshots import Ground

TEMPLATE = "nodes/pve01/qemu/9000"
BLIND = "access/users/root@pam/token/blind"


def head(ground: Ground) -> str:
    """The path of the first cluster's head."""
    return _path(ground, "c01-head")


def node(ground: Ground) -> str:
    """The path of the first cluster's first node."""
    return _path(ground, "c01-n1")


def _path(ground: Ground, name: str) -> str:
    for vmid, row in ground.event.guests(ground.rows()):
        if f"practicum:{ground.stack}:{name} " in f"{row['config']['description']} ":
            return f"nodes/{row['node']}/qemu/{vmid}"
    raise AssertionError(f"{ground.stack} has no {name}")


def _child(ground: Ground) -> str:
    return str(ground.event.vmids[-1])


def task(ground: Ground, method: str, path: str, **fields: str) -> None:
    """Ask for a task and wait for its end, which must be good."""
    upid = ground.practice.api(method, path, **fields)
    place = f"nodes/{upid.split(':')[1]}/tasks/{upid}/status"
    end = time.monotonic() + 60
    while (row := ground.practice.api("GET", place))["status"] == "running":
        assert time.monotonic() < end, upid
        time.sleep(0.05)
    assert row["exitstatus"] == "OK", row


def neighbours(ground: Ground) -> None:
    """Objects of others, some of which look nearly like ours: all must stay as they are."""
    task(ground, "POST", "nodes/pve02/qemu", vmid="150", name="mail", memory="64",
         scsi0="shared:1", description="practicum is what this is not")  # fmt: skip
    squatted = str(ground.event.vmids[5000])
    task(ground, "POST", "nodes/pve02/qemu", vmid=squatted, name="squatter", memory="64",
         tags=f"practicum;{ground.stack}s")  # fmt: skip
    api = ground.practice.api
    api("POST", "pools", poolid="physics", comment=f"practicum:{ground.stack}s:event")
    api("POST", "access/groups", groupid="physics", comment="not ours")
    api("POST", "access/roles", roleid=f"practicum-{ground.stack}s-instructor", privs="VM.Audit")
    api("POST", "access/users", userid="ann@pve", groups="physics")
    api("PUT", "access/acl", path="/pool/physics", groups="physics", roles="PVEVMUser")
    comment = f"{ground.stack} is another word"
    api("POST", "cluster/firewall/groups", group="web", comment=comment)
    api("POST", "cluster/firewall/groups/web", type="in", action="ACCEPT", enable="1")


def protect(ground: Ground) -> None:
    """Nobody may delete the node's machine."""
    ground.practice.api("PUT", f"{node(ground)}/config", protection="1")


def unprotect(ground: Ground) -> None:
    """Now somebody may."""
    ground.practice.api("PUT", f"{node(ground)}/config", protection="0")


def snapshot(ground: Ground) -> None:
    """Somebody keeps the node as it is now."""
    task(ground, "POST", f"{node(ground)}/snapshot", snapname="before-class")


def link_child(ground: Ground) -> None:
    """Somebody makes a template of the node and a linked clone of that."""
    task(ground, "POST", f"{node(ground)}/status/stop")
    task(ground, "POST", f"{node(ground)}/template")
    task(ground, "POST", f"{node(ground)}/clone", newid=_child(ground), name="child")


def delete_child(ground: Ground) -> None:
    """The linked clone goes."""
    task(ground, "DELETE", f"{node(ground).rpartition('/')[0]}/{_child(ground)}")


def manage_by_ha(ground: Ground) -> None:
    """Somebody lets the HA manager look after the node."""
    ground.practice.api(
        "POST", "cluster/ha/resources", sid=f"vm:{node(ground).rpartition('/')[2]}", state="started"
    )


def switch_off(ground: Ground) -> None:
    """Somebody stops the node."""
    task(ground, "POST", f"{node(ground)}/status/stop")


def rename(ground: Ground) -> None:
    """Somebody renames the node."""
    ground.practice.api("PUT", f"{node(ground)}/config", name="mine")


def untag(ground: Ground) -> None:
    """Somebody removes the tags of the node; its description still tells whose it is."""
    ground.practice.api("PUT", f"{node(ground)}/config", delete="tags")


def move(ground: Ground) -> None:
    """Somebody moves the node to another host."""
    task(ground, "POST", f"{node(ground)}/migrate", target="pve05", online="1")


def delete(ground: Ground) -> None:
    """Somebody deletes the node."""
    task(ground, "POST", f"{node(ground)}/status/stop")
    task(ground, "DELETE", node(ground))


def delete_head(ground: Ground) -> None:
    """Somebody deletes the head, and with it its firewall."""
    task(ground, "POST", f"{head(ground)}/status/stop")
    task(ground, "DELETE", head(ground))


def delete_rules(ground: Ground) -> None:
    """Somebody deletes the rule that lets the head's security group decide."""
    ground.practice.api("DELETE", f"{head(ground)}/firewall/rules/0")


def delete_pool(ground: Ground) -> None:
    """Somebody deletes the event's pool, and keeps its guests."""
    pool = f"pools/practicum-{ground.stack}"
    vmids = ",".join(str(vmid) for vmid, _ in ground.event.guests(ground.rows()))
    ground.practice.api("PUT", pool, delete="1", vms=vmids)
    ground.practice.api("DELETE", pool)


def delete_template(ground: Ground) -> None:
    """Somebody deletes the template, of which no guest is made yet."""
    ground.practice.api("PUT", f"{TEMPLATE}/config", protection="0")
    task(ground, "DELETE", TEMPLATE)


def move_template(ground: Ground) -> None:
    """Somebody moves the template to another host."""
    task(ground, "POST", f"{TEMPLATE}/migrate", target="pve04")


def move_template_back(ground: Ground) -> None:
    """It comes back."""
    task(ground, "POST", "nodes/pve04/qemu/9000/migrate", target="pve01")


def take_rights(ground: Ground) -> None:
    """The token is another one, with separated privileges and none of its own."""
    made = ground.practice.api("POST", BLIND, privsep="1")
    (ground.lab / "own-token").write_text((ground.lab / "token").read_text())
    (ground.lab / "token").write_text(f"{made['full-tokenid']}={made['value']}\n")


def give_rights(ground: Ground) -> None:
    """The token with all rights is back."""
    (ground.lab / "own-token").replace(ground.lab / "token")
    ground.practice.api("DELETE", BLIND)


def _tear(ground: Ground, size: float) -> None:
    text = ground.state.read_bytes()
    shutil.copyfile(ground.state, ground.practice.folder / "sound.json")
    ground.state.write_bytes(text[: int(len(text) * size)])


def tear_state(ground: Ground) -> None:
    """A power cut leaves half of the state."""
    _tear(ground, 0.5)


def empty_state(ground: Ground) -> None:
    """A power cut leaves the state's name, and nothing in it."""
    _tear(ground, 0)


def lose_state(ground: Ground) -> None:
    """The state is gone."""
    _tear(ground, 0)
    ground.state.unlink()


def bring_state_back(ground: Ground) -> None:
    """Somebody has a copy of the state."""
    shutil.copyfile(ground.practice.folder / "sound.json", ground.state)
