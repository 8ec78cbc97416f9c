"""Clones, templates, sizes, moves, migrations and snapshots of containers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.direct import Api, RefusedError
from tests.lab.lxc.conftest import TEMPLATE

CT = "nodes/pve1/lxc/200"


def config(api: Api, vmid: int = 200, node: str = "pve1") -> dict[str, Any]:
    found: dict[str, Any] = api.ask("GET", f"nodes/{node}/lxc/{vmid}/config")
    return found


def template(api: Api) -> None:
    assert api.ask("POST", f"{CT}/template") is None


def last_task(api: Api) -> dict[str, Any]:
    return api.lab.tasks.list()[0]


def test_a_full_clone_has_its_own_volume_and_address(container: Api) -> None:
    container.done("POST", f"{CT}/clone", newid="201", hostname="two")
    old, new = config(container), config(container, 201)
    assert new["rootfs"] == "thin:vm-201-disk-0,size=2G"
    assert new["hostname"] == "two"
    assert new["net0"] != old["net0"]
    assert "lock" not in old
    assert "lock" not in new


def test_linked_clones_share_the_volume_of_a_template(container: Api) -> None:
    template(container)
    assert config(container)["rootfs"] == "thin:base-200-disk-0,size=2G"
    container.done("POST", f"{CT}/clone", newid="201")
    assert config(container, 201)["rootfs"] == "thin:vm-201-disk-0,size=2G"
    assert "still in use" in container.ask("DELETE", CT)["status"]
    task = container.ask("POST", f"{CT}/status/start")
    assert task["status"] == "you can't start a CT if it's a template"


def test_a_file_storage_links_no_containers(api: Api) -> None:
    api.done("POST", "nodes/pve1/lxc", vmid="200", ostemplate=TEMPLATE, rootfs="local:1")
    template(api)
    text = "Linked clone feature for 'local:200/base-200-disk-0.raw' is not available"
    with pytest.raises(RefusedError, match=text):
        api.ask("POST", f"{CT}/clone", newid="201")
    api.done("POST", f"{CT}/clone", newid="201", full="1")
    assert config(api, 201)["rootfs"] == "local:201/vm-201-disk-0.raw,size=1G"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"newid": "200"}, "CT 200 already exists on node 'pve1'"),
        ({"full": "0", "storage": "local"}, "'storage' not allowed for linked clones"),
        ({"target": "pve2"}, "can't clone CT to node 'pve2'"),
        ({"snapname": "none"}, "snapshot 'none' does not exist"),
    ],
)
def test_clones_that_are_refused_leave_no_lock(
    container: Api, params: dict[str, str], text: str
) -> None:
    with pytest.raises(RefusedError, match=text):
        container.ask("POST", f"{CT}/clone", **{"newid": "201", **params})
    assert "lock" not in config(container)
    assert container.lab.store.get("lxc", "201") is None


def test_a_running_container_is_cloned_from_a_snapshot_only(container: Api) -> None:
    container.done("POST", f"{CT}/snapshot", snapname="s1")
    container.done("POST", f"{CT}/status/start")
    with pytest.raises(RefusedError, match="only possible from a snapshot"):
        container.ask("POST", f"{CT}/clone", newid="201")
    container.done("POST", f"{CT}/clone", newid="201", snapname="s1", storage="pool", target="pve2")
    assert config(container, 201, "pve2")["rootfs"].startswith("pool:201/vm-201-disk-0.raw")


def test_a_volume_grows_and_never_shrinks(container: Api) -> None:
    container.done("PUT", f"{CT}/resize", disk="rootfs", size="+1G")
    assert config(container)["rootfs"].endswith("size=3G")
    for size, text in (("1G", "unable to shrink"), ("3G", "already at specified size")):
        with pytest.raises(RefusedError, match=text):
            container.ask("PUT", f"{CT}/resize", disk="rootfs", size=size)
    with pytest.raises(RefusedError, match="format error"):
        container.ask("PUT", f"{CT}/resize", disk="mp0", size="3G")


def test_a_volume_moves_to_another_storage(container: Api) -> None:
    container.done("POST", f"{CT}/move_volume", volume="rootfs", storage="local")
    found = config(container)
    assert found["rootfs"] == "local:200/vm-200-disk-0.raw,size=2G"
    assert found["unused0"] == "thin:vm-200-disk-0"
    assert "lock" not in found


def test_a_mount_point_moves_to_another_container(container: Api) -> None:
    container.done("POST", f"{CT}/clone", newid="201")
    container.ask("PUT", f"{CT}/config", mp0="thin:1,mp=/data")
    with pytest.raises(RefusedError, match="'rootfs'"):
        container.ask("POST", f"{CT}/move_volume", **{"volume": "rootfs", "target-vmid": "201"})
    container.done(
        "POST", f"{CT}/move_volume",
        **{"volume": "mp0", "target-vmid": "201", "target-volume": "mp3"},
    )  # fmt: skip
    assert "mp0" not in config(container)
    assert config(container, 201)["mp3"] == "thin:vm-201-disk-1,mp=/data,size=1G"


def test_a_mount_point_may_get_another_key_in_its_own_container(container: Api) -> None:
    container.ask("PUT", f"{CT}/config", mp0="thin:1,mp=/data")
    task = container.ask(
        "POST", f"{CT}/move_volume",
        **{"volume": "mp0", "target-vmid": "200", "target-volume": "mp1"},
    )  # fmt: skip
    assert (task["status"], task["log"][:-1]) == (
        "OK",
        [
            "moving volume 'mp0' from container '200' to '200'",
            "removing volume 'mp0' from container '200' config",
            "target container '200' updated with 'mp1'",
        ],
    )
    found = config(container)
    assert "mp0" not in found
    assert found["mp1"] == "thin:vm-200-disk-2,mp=/data,size=1G"


def test_a_running_container_migrates_with_a_restart(container: Api) -> None:
    container.done("POST", f"{CT}/status/start")
    with pytest.raises(RefusedError, match="without --online or --restart"):
        container.ask("POST", f"{CT}/migrate", target="pve2")
    assert container.ask("POST", f"{CT}/migrate", target="pve2", online="1")["status"] == (
        "migration aborted"
    )
    container.done("POST", f"{CT}/migrate", target="pve2", restart="1")
    status = container.ask("GET", "nodes/pve2/lxc/200/status/current")
    assert status["status"] == "running"


def test_a_linked_clone_on_a_local_storage_does_not_migrate(container: Api) -> None:
    container.done("POST", f"{CT}/move_volume", volume="rootfs", storage="tank", delete="1")
    template(container)
    container.done("POST", f"{CT}/clone", newid="201")
    root = config(container, 201)["rootfs"]
    assert root == "tank:basevol-200-disk-0/subvol-201-disk-0,size=2G"
    task = container.ask("POST", "nodes/pve1/lxc/201/migrate", target="pve2")
    assert task["status"] == "migration aborted"
    assert any("clone of 'basevol-200-disk-0'" in line for line in task["log"])


def test_a_snapshot_brings_back_what_was(container: Api) -> None:
    container.done("POST", f"{CT}/snapshot", snapname="s1", description="first")
    container.ask("PUT", f"{CT}/config", memory="1024")
    container.done("PUT", f"{CT}/resize", disk="rootfs", size="3G")
    container.done("POST", f"{CT}/snapshot/s1/rollback", start="1")
    found = config(container)
    assert found["memory"] == 256
    assert found["rootfs"].endswith("size=2G")
    assert last_task(container)["type"] == "vzstart"
    snap, current = container.ask("GET", f"{CT}/snapshot")
    assert (snap["name"], snap["description"]) == ("s1", "first\n")
    assert current["parent"] == "s1"
    assert "vmstate" not in snap
    held = container.ask("GET", f"{CT}/snapshot/s1/config")
    assert held["memory"] == 256


def test_a_raw_image_has_no_snapshots(api: Api) -> None:
    api.done("POST", "nodes/pve1/lxc", vmid="200", ostemplate=TEMPLATE, rootfs="local:1")
    assert api.ask("GET", f"{CT}/feature", feature="snapshot") == {"hasFeature": 0}
    task = api.ask("POST", f"{CT}/snapshot", snapname="s1")
    assert task["status"] == "snapshot feature is not available"


def test_only_the_newest_snapshot_of_a_zfs_volume_comes_back(api: Api) -> None:
    api.done("POST", "nodes/pve1/lxc", vmid="200", ostemplate=TEMPLATE, rootfs="tank:1")
    for name in ("s1", "s2"):
        api.done("POST", f"{CT}/snapshot", snapname=name)
    task = api.ask("POST", f"{CT}/snapshot/s1/rollback")
    assert "'s1' is not most recent snapshot on 'tank:subvol-200-disk-0'" in task["status"]
    api.done("POST", f"{CT}/snapshot/s2/rollback")
    for name in ("current", "vzdump"):
        with pytest.raises(RefusedError, match="reserved name"):
            api.ask("POST", f"{CT}/snapshot", snapname=name)
