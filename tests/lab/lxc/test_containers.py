"""Containers: what is stored, what waits for a restart, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.direct import Api, RefusedError
from tests.lab.lxc.conftest import TEMPLATE

CT = "nodes/pve1/lxc/200"


def config(api: Api, path: str = CT, **params: str) -> dict[str, Any]:
    found: dict[str, Any] = api.ask("GET", f"{path}/config", **params)
    return found


def put(api: Api, **params: str) -> None:
    api.ask("PUT", f"{CT}/config", **params)


def status(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.ask("GET", f"{CT}/status/current")
    return found


def test_a_new_container_has_what_was_asked_for_and_the_defaults(container: Api) -> None:
    found = config(container)
    address = found.pop("net0").split("hwaddr=")[1].split(",")[0]
    assert address.startswith("BC:24:11:")
    assert found | {"digest": ""} == {
        "arch": "amd64",
        "digest": "",
        "hostname": "ct",
        "memory": 256,
        "ostype": "debian",
        "rootfs": "thin:vm-200-disk-0,size=2G",
        "swap": 512,
        "unprivileged": 1,
    }


def test_a_card_is_stored_with_its_name_first_and_an_address(container: Api) -> None:
    card = config(container)["net0"].split(",")
    assert card[:2] == ["name=eth0", "bridge=vmbr0"]
    assert card[-1] == "type=veth"


def test_numbers_are_numbers_and_fractions_text(container: Api) -> None:
    put(container, memory="512", swap="0", cores="2", cpulimit="1.5", onboot="1")
    found = config(container)
    assert (found["memory"], found["swap"], found["cores"], found["onboot"]) == (512, 0, 2, 1)
    assert found["cpulimit"] == "1.5"


def test_a_description_ends_with_a_new_line(container: Api) -> None:
    put(container, description="one\ntwo")
    assert config(container)["description"] == "one\ntwo\n"


def test_without_a_size_the_root_is_four_gibibytes_on_the_default_storage(api: Api) -> None:
    api.done("POST", "nodes/pve1/lxc", vmid="201", ostemplate=TEMPLATE)
    found = config(api, "nodes/pve1/lxc/201")
    assert found["rootfs"] == "local:201/vm-201-disk-0.raw,size=4G"
    assert found["hostname"] == "CT201"
    rows = api.ask("GET", "nodes/pve1/storage/local/content", content="rootdir")
    assert [row["volid"] for row in rows] == ["local:201/vm-201-disk-0.raw"]


@pytest.mark.parametrize(
    ("storage", "volume"),
    [
        ("tank:3", "tank:subvol-201-disk-0,size=3G"),
        ("local:0", "local:201/subvol-201-disk-0.subvol,size=0T"),
    ],
)
def test_some_volumes_are_folders(api: Api, storage: str, volume: str) -> None:
    api.done("POST", "nodes/pve1/lxc", vmid="201", ostemplate=TEMPLATE, rootfs=storage)
    assert config(api, "nodes/pve1/lxc/201")["rootfs"] == volume


def test_a_missing_template_leaves_nothing_behind(api: Api) -> None:
    task = api.ask(
        "POST", "nodes/pve1/lxc", vmid="201", ostemplate="local:vztmpl/no.tar.gz", rootfs="thin:1"
    )
    missing = "volume 'local:vztmpl/no.tar.gz' does not exist"
    assert task["status"] == f"unable to create CT 201 - {missing}"
    assert api.lab.store.get("lxc", "201") is None
    assert api.volumes("thin") == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"vmid": "200"}, "CT 200 already exists on node 'pve1'"),
        ({"mp0": "thin:1,mp=/data"}, "mount points configured, but 'rootfs' not set"),
        ({"rootfs": "nowhere:1"}, "storage 'nowhere' does not exist"),
        ({"ostemplate": "pool:import/debian.qcow2"}, "content type needs to be 'vztmpl'"),
        ({"pool": "nobody"}, "pool 'nobody' does not exist"),
        # Of two faults the one that comes first, however they were given.
        ({"vmid": "200", "pool": "nobody"}, "CT 200 already exists on node 'pve1'"),
        ({"vmid": "200", "storage": "nowhere"}, "CT 200 already exists on node 'pve1'"),
        ({"vmid": "200", "mp0": "thin:1,mp=/data"}, "CT 200 already exists on node 'pve1'"),
        ({"vmid": "200", "ostemplate": "-"}, "CT 200 already exists on node 'pve1'"),
        (
            {"vmid": "200", "restore": "1", "ostemplate": "-"},
            "CT 200 already exists on node 'pve1'",
        ),
        ({"pool": "nobody", "storage": "nowhere"}, "pool 'nobody' does not exist"),
        ({"storage": "nowhere", "ostemplate": "-"}, "pipe requires cli environment"),
        ({"mp10": "cc:1,mp=/c", "mp9": "bb:1,mp=/b", "rootfs": "aa:1"}, "storage 'aa'"),
        ({"mp10": "cc:1,mp=/c", "mp9": "bb:1,mp=/b", "rootfs": "thin:1"}, "storage 'bb'"),
    ],
)
def test_what_fails_before_the_task(container: Api, params: dict[str, str], text: str) -> None:
    with pytest.raises(RefusedError, match=text):
        container.ask("POST", "nodes/pve1/lxc", **{"vmid": "201", "ostemplate": TEMPLATE, **params})


def test_mount_points_come_go_and_stay_as_unused(container: Api) -> None:
    put(container, mp0="thin:1,mp=/data,backup=1")
    assert config(container)["mp0"] == "thin:vm-200-disk-1,mp=/data,backup=1,size=1G"
    put(container, delete="mp0")
    found = config(container)
    assert "mp0" not in found
    assert found["unused0"] == "thin:vm-200-disk-1"
    put(container, delete="unused0")
    assert "unused0" not in config(container)
    rows = container.ask("GET", "nodes/pve1/storage/thin/content")
    assert [row["volid"] for row in rows] == ["thin:vm-200-disk-0"]


def test_a_running_container_takes_over_what_it_can(container: Api) -> None:
    container.done("POST", f"{CT}/status/start")
    put(container, memory="512", hostname="new", features="nesting=1", tty="3")
    now = config(container, current="1")
    assert (now["memory"], now["hostname"]) == (512, "new")
    assert "features" not in now
    assert config(container)["features"] == "nesting=1"
    pending = {row["key"]: row for row in container.ask("GET", f"{CT}/pending")}
    assert pending["tty"]["pending"] == 3
    container.done("POST", f"{CT}/status/reboot")
    assert config(container, current="1")["tty"] == 3


def test_a_removal_that_waits_shows_and_can_be_taken_back(container: Api) -> None:
    put(container, features="nesting=1")
    container.done("POST", f"{CT}/status/start")
    put(container, delete="features")
    rows = {row["key"]: row for row in container.ask("GET", f"{CT}/pending")}
    assert rows["features"] == {"key": "features", "value": "nesting=1", "delete": 1}
    assert "features" not in config(container)
    put(container, revert="features")
    assert config(container)["features"] == "nesting=1"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "no options specified"),
        ({"delete": "memory"}, "unable to delete required option 'memory'"),
        ({"delete": "unprivileged"}, "unable to delete read-only option: 'unprivileged'"),
        ({"unprivileged": "0"}, "unable to modify read-only option: 'unprivileged'"),
        ({"delete": "nope"}, "unknown option 'nope'"),
        ({"delete": "onboot", "onboot": "1"}, "at the same time"),
        ({"digest": "0" * 40, "onboot": "1"}, "detected modified configuration"),
        ({"hookscript": "local:iso/x.iso"}, "is not in the snippets directory"),
    ],
)
def test_changes_that_are_refused(container: Api, params: dict[str, str], text: str) -> None:
    before = config(container)
    with pytest.raises(RefusedError, match=text):
        put(container, **params)
    assert config(container) == before


def test_protection_holds_the_container_and_its_volumes(container: Api) -> None:
    put(container, mp0="thin:1,mp=/data", protection="1")
    with pytest.raises(RefusedError, match="can't remove CT 200 drive 'mp0' - protection mode"):
        put(container, delete="mp0")
    with pytest.raises(RefusedError, match="can't remove CT 200 - protection mode enabled"):
        container.ask("DELETE", CT)


def test_a_locked_container_is_left_alone(container: Api) -> None:
    put(container, lock="backup")
    for call in (("PUT", f"{CT}/config"), ("POST", f"{CT}/template"), ("DELETE", CT)):
        params = {"onboot": "1"} if call[0] == "PUT" else {}
        with pytest.raises(RefusedError, match=r"CT is locked \(backup\)"):
            container.ask(*call, **params)
    assert container.ask("POST", f"{CT}/status/start")["status"] == "CT is locked (backup)"


def test_power_changes_the_status_and_is_refused_twice(container: Api) -> None:
    with pytest.raises(RefusedError, match="CT 200 not running"):
        container.ask("POST", f"{CT}/status/stop")
    container.done("POST", f"{CT}/status/start")
    assert status(container)["status"] == "running"
    with pytest.raises(RefusedError, match="CT 200 already running"):
        container.ask("POST", f"{CT}/status/start")
    with pytest.raises(RefusedError, match="container is running"):
        container.ask("DELETE", CT)
    container.done("POST", f"{CT}/status/shutdown")
    assert status(container)["status"] == "stopped"
    container.done("POST", f"{CT}/status/start")
    container.done("DELETE", CT, force="1")
    assert container.ask("GET", "nodes/pve1/storage/thin/content") == []


def test_a_bridge_that_is_not_there_stops_the_start(container: Api) -> None:
    with pytest.raises(RefusedError, match="bridge 'vmbr9' does not exist"):
        put(container, net1="name=eth1,bridge=vmbr9")
    assert "bridge=vmbr9" in container.ask("GET", f"{CT}/config")["net1"]
    task = container.ask("POST", f"{CT}/status/start")
    assert task["status"] == "bridge 'vmbr9' does not exist"


def test_the_status_tells_sizes_and_what_is_configured(container: Api) -> None:
    found = status(container)
    assert (found["type"], found["vmid"], found["name"]) == ("lxc", 200, "ct")
    assert (found["maxmem"], found["maxdisk"]) == (256 << 20, 2 << 30)
    assert found["ha"] == {"managed": 0}
    assert [row["vmid"] for row in container.ask("GET", "nodes/pve1/lxc")] == [200]
    assert container.ask("GET", "nodes/pve2/lxc") == []


def test_addresses_that_are_configured_are_seen_inside(container: Api) -> None:
    assert container.ask("GET", f"{CT}/interfaces") is None
    container.done("POST", f"{CT}/status/start")
    loopback, card = container.ask("GET", f"{CT}/interfaces")
    assert loopback["inet"] == "127.0.0.1/8"
    assert (card["name"], card["inet"]) == ("eth0", "10.0.0.5/24")
    assert card["hwaddr"] == card["hwaddr"].lower()


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_no_host_can_freeze_a_container(container: Api, verb: str) -> None:
    if verb == "suspend":
        container.done("POST", f"{CT}/status/start")
    task = container.ask("POST", f"{CT}/status/{verb}")
    assert task["status"].startswith("command 'lxc-checkpoint")


def test_numbers_are_shared_with_virtual_machines(container: Api) -> None:
    with pytest.raises(RefusedError, match="CT 200 already exists on node 'pve1'"):
        container.ask("POST", "nodes/pve1/qemu", vmid="200")
