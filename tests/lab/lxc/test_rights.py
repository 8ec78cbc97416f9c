"""What callers other than root may do to containers and with backups."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, as_anna, grant, refusal
from tests.lab.lxc.conftest import TEMPLATE

CT = "nodes/pve1/lxc/200"


@pytest.fixture
def anna(container: Api) -> Api:
    return as_anna(container)


@pytest.mark.parametrize(
    ("option", "value", "privilege"),
    [
        ("memory", "128", "VM.Config.Memory"),
        ("swap", "0", "VM.Config.Memory"),
        ("cores", "2", "VM.Config.CPU"),
        ("hostname", "x", "VM.Config.Network"),
        ("nameserver", "10.0.0.1", "VM.Config.Network"),
        ("net1", "name=eth1,bridge=vmbr0", "VM.Config.Network"),
        ("onboot", "1", "VM.Config.Options"),
        ("mp0", "thin:1,mp=/data", "VM.Config.Disk"),
        ("features", "nesting=1", "VM.Allocate"),
    ],
)
def test_every_kind_of_option_has_a_privilege_of_its_own(
    anna: Api, option: str, value: str, privilege: str
) -> None:
    grant(anna, "/storage/thin", "Datastore.AllocateSpace")
    grant(anna, "/vms/200", "VM.Audit")
    grant(anna, "/sdn/zones/localnetwork/vmbr0", "SDN.Use")
    text = f"Permission check failed (/vms/200, {privilege})"
    assert refusal(anna, "PUT", f"{CT}/config", **{option: value}) == text
    grant(anna, "/vms/200", privilege)
    anna.ask("PUT", f"{CT}/config", **{option: value})


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("features", "fuse=1", "changing feature flags (except nesting) is only allowed for root"),
        ("hookscript", "local:snippets/x.sh", "changing the hookscript is only allowed for root"),
        ("dev0", "/dev/null", "configuring device passthrough is only allowed for root"),
        ("mp0", "/srv,mp=/srv", "mount point type bind is only allowed for root"),
    ],
)
def test_some_options_are_for_root_alone(anna: Api, option: str, value: str, text: str) -> None:
    grant(anna, "/vms/200", "VM.Config.Options", "VM.Config.Disk", "VM.Allocate")
    assert text in refusal(anna, "PUT", f"{CT}/config", **{option: value})


def test_a_new_container_needs_its_number_its_space_and_its_bridge(anna: Api) -> None:
    asked = {
        "vmid": "201", "ostemplate": TEMPLATE, "rootfs": "thin:1", "net0": "name=e,bridge=vmbr0"
    }  # fmt: skip

    def create() -> str:
        return refusal(anna, "POST", "nodes/pve1/lxc", **asked)

    assert create() == "Permission check failed"
    grant(anna, "/vms/201", "VM.Allocate", "VM.Config.Network", "VM.Config.Disk")
    assert create() == "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
    grant(anna, "/sdn/zones/localnetwork/vmbr0", "SDN.Use")
    assert create() == "Permission check failed (/storage/thin, Datastore.AllocateSpace)"
    grant(anna, "/storage/thin", "Datastore.AllocateSpace")
    assert create() == (
        "Permission check failed (/storage/local, Datastore.AllocateSpace|Datastore.Audit)"
    )
    grant(anna, "/storage/local", "Datastore.Audit")
    anna.done("POST", "nodes/pve1/lxc", **asked)


def test_a_privileged_container_needs_a_right_over_the_system(anna: Api) -> None:
    grant(anna, "/vms/201", "VM.Allocate")
    text = refusal(
        anna, "POST", "nodes/pve1/lxc", vmid="201", ostemplate=TEMPLATE, unprivileged="0"
    )
    assert text == "Permission check failed (/, Sys.Modify)"


def test_of_all_that_a_new_container_lacks_the_first_is_told(anna: Api) -> None:
    asked = {"vmid": "200", "ostemplate": TEMPLATE, "pool": "nobody", "unprivileged": "0"}

    def create() -> str:
        return refusal(anna, "POST", "nodes/pve1/lxc", **{**asked, "ha-managed": "1"})

    assert create() == "Permission check failed (/, Sys.Modify)"
    grant(anna, "/", "Sys.Modify")
    assert create() == "Permission check failed (/, Sys.Console)"
    grant(anna, "/", "Sys.Console")
    assert create() == "CT 200 already exists on node 'pve1'"
    asked["vmid"] = "201"
    assert create() == "Permission check failed (pool 'nobody' does not exist)"
    del asked["pool"]
    assert create() == "Permission check failed"


def test_the_environment_is_for_those_who_may_set_it(anna: Api) -> None:
    grant(anna, "/vms/200", "VM.Audit", "VM.Config.Options")
    anna.ask("PUT", f"{CT}/config", env="SECRET=1")
    assert anna.ask("GET", f"{CT}/config")["env"] == "SECRET=1"
    anna.lab.store.put("role", "role0", {"privs": ["VM.Audit"]})
    assert "env" not in anna.ask("GET", f"{CT}/config")
    assert "env" not in {row["key"] for row in anna.ask("GET", f"{CT}/pending")}


def test_a_backup_needs_the_guest_and_the_space(anna: Api) -> None:
    run = "nodes/pve1/vzdump"
    text = "Permission check failed (/storage/local, Datastore.AllocateSpace)"
    assert refusal(anna, "POST", run, vmid="200") == text
    grant(anna, "/storage/local", "Datastore.AllocateSpace")
    task = anna.ask("POST", run, vmid="200")
    assert task["status"] == "403 Permission check failed (/vms/200, VM.Backup)"
    grant(anna, "/vms/200", "VM.Backup")
    anna.done("POST", run, vmid="200")
    assert "Parameter verification failed" in refusal(anna, "POST", run, vmid="200", script="/x")


def test_who_may_save_a_guest_may_put_it_back(anna: Api) -> None:
    grant(anna, "/storage/local", "Datastore.AllocateSpace")
    grant(anna, "/storage/thin", "Datastore.AllocateSpace")
    grant(anna, "/sdn/zones/localnetwork/vmbr0", "SDN.Use")
    grant(anna, "/vms/200", "VM.Backup")
    anna.done("POST", "nodes/pve1/vzdump", vmid="200")
    anna.lab.store.put("firewall", "vm/200", {"options": {"enable": 1}})
    rows = [row for _, row in anna.lab.store.items("volume") if row["content"] == "backup"]
    volid = str(rows[0]["volid"])
    asked = {"ostemplate": volid, "restore": "1", "storage": "thin"}
    assert refusal(anna, "POST", "nodes/pve1/lxc", vmid="201", **asked) == (
        "Permission check failed"
    )
    anna.done("POST", "nodes/pve1/lxc", vmid="200", force="1", **asked)
    assert anna.lab.store.get("firewall", "vm/200") == {"options": {"enable": 1}}


def test_a_mount_point_is_a_volume_for_containers(anna: Api) -> None:
    grant(anna, "/vms/200", "VM.Config.Disk")
    text = "unable to use volume local:iso/x.iso - content type needs to be 'rootdir'"
    assert refusal(anna, "PUT", f"{CT}/config", mp0="local:iso/x.iso,mp=/x") == text


def test_registered_tags_are_for_those_who_may_modify_the_cluster(anna: Api) -> None:
    anna.lab.store.put("option", "datacenter", {"registered-tags": "red"})
    grant(anna, "/vms/200", "VM.Config.Options")
    text = "Permission check failed (/, Sys.Modify for modifying tag 'red')"
    assert refusal(anna, "PUT", f"{CT}/config", tags="red") == text
    anna.ask("PUT", f"{CT}/config", tags="blue")
