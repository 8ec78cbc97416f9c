"""Others were here first: nothing is written, nothing of theirs is touched, all of it is named.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.engine.practice import ROOT, Practice

pytestmark = pytest.mark.engine

VM, CONTAINER, TEMPLATE, SITE_TEMPLATE = 200101, 200111, 200112, 9000
ARCHIVE = "local:vztmpl/none-12-standard_12.7-1_amd64.tar.zst"
EVENT_PLACES = (
    ("pools", {"poolid": "practicum-laptop", "comment": "staff"}),
    ("access/groups", {"groupid": "practicum-laptop-instructors"}),
    ("access/roles", {"roleid": "practicum-laptop-instructor", "privs": "VM.Audit"}),
    ("cluster/firewall/groups", {"group": "laptop-heads", "comment": "practicum:sc09:x"}),
)
EVENT_WORDS = (
    'pool practicum-laptop is there already, without our mark ("staff")',
    "group practicum-laptop-instructors is there already, without our mark",
    "role practicum-laptop-instructor is there already, without our mark",
    "security group laptop-heads is there already, made by the stack sc09",
    f"{VM} (mail on pve02, a virtual machine without our mark)",
    f"{CONTAINER} (wiki on pve03, a container without our mark)",
    f"{TEMPLATE} (golden on pve04, a template without our mark)",
)


def write(practice: Practice, method: str, path: str, /, **fields: str) -> None:
    """Write as the lab's root; a task is waited for."""
    upid = practice.api(method, path, **fields)
    end = time.monotonic() + 120
    while str(upid).startswith("UPID:"):
        status = practice.api("GET", f"nodes/{upid.split(':')[1]}/tasks/{upid}/status")
        if status["status"] == "stopped":
            assert status["exitstatus"] == "OK", status
            return
        assert time.monotonic() < end, upid
        time.sleep(0.1)


def everything(practice: Practice) -> Any:
    """All that the lab knows."""
    file = practice.folder / "export.json"
    done = practice.call("lab", "export", str(file), str(practice.file("lab")))
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


def refused(practice: Practice, verb: str, stack: str) -> str:
    """Run a verb that must leave everything as it is; what it says."""
    before, writes = everything(practice), practice.writes()
    run = practice.run(verb, stack)
    assert run.code == 1, run.texts
    assert practice.writes() == writes
    assert everything(practice) == before
    return run.errors


def machine(practice: Practice, host: str, vmid: int, name: str) -> None:
    fields = {"vmid": str(vmid), "name": name, "memory": "64", "scsi0": "shared:1"}
    write(practice, "POST", f"nodes/{host}/qemu", **fields)


def test_all_that_stands_in_an_events_places_is_told_at_once(practice: Practice) -> None:
    practice.edit(
        "lab", "sizeGib: 2}", f'sizeGib: 2}}\n      - {{volume: "{ARCHIVE}", sizeGib: 1}}'
    )
    practice.edit("lab", "content: [images, import]", "content: [images, import, rootdir]")
    practice.call("lab", "start", str(practice.file("lab")))
    machine(practice, "pve02", VM, "mail")
    write(
        practice, "POST", "nodes/pve03/lxc", vmid=str(CONTAINER), hostname="wiki",
        ostemplate=ARCHIVE, rootfs="shared:1",
    )  # fmt: skip
    machine(practice, "pve04", TEMPLATE, "golden")
    write(practice, "POST", f"nodes/pve04/qemu/{TEMPLATE}/template")
    for path, fields in EVENT_PLACES:
        write(practice, "POST", path, **fields)
    said = refused(practice, "up", "laptop")
    for words in EVENT_WORDS:
        assert words in said
    for host, kind, vmid in ("pve02", "qemu", VM), ("pve03", "lxc", CONTAINER):
        write(practice, "DELETE", f"nodes/{host}/{kind}/{vmid}")
    write(practice, "DELETE", f"nodes/pve04/qemu/{TEMPLATE}")
    for path, fields in EVENT_PLACES:
        write(practice, "DELETE", f"{path}/{next(iter(fields.values()))}")


def test_all_that_stands_in_a_sites_places_is_told_before_the_site_is_built(
    practice: Practice,
) -> None:
    firewall = "cluster/firewall/options"
    write(practice, "PUT", firewall, enable="1", policy_in="DROP")
    write(practice, "PUT", "nodes/pve04/firewall/options", enable="0")
    write(practice, "POST", "nodes/pve03/network", iface="vmbr1", type="bridge", autostart="1")
    write(practice, "PUT", "nodes/pve03/network")
    said = refused(practice, "up", "laptop")
    assert "network interface vmbr1 on pve03 is there already, without our mark" in said
    assert "the cluster firewall is on at this site with policy_in: DROP" in said
    assert "the firewall of the host has been switched off on pve04" in said
    write(practice, "PUT", firewall, policy_in="ACCEPT")
    write(practice, "PUT", "nodes/pve04/firewall/options", delete="enable")
    write(practice, "DELETE", "nodes/pve03/network/vmbr1")
    write(practice, "PUT", "nodes/pve03/network")


def plain_up(practice: Practice, stack: str) -> subprocess.CompletedProcess[str]:
    """`pulumi up` in a shell of `practicum env`, as people who have Pulumi type it."""
    file = practice.file(stack)
    script = (
        f'eval "$("$0" env "{file}")" && cd "$(dirname "$(ls -d "$PRACTICUM_STATE"/projects/*/'
        f'Pulumi.yaml)")" && pulumi up --stack {stack} --yes --skip-preview --non-interactive'
    )
    return practice.shell(script, str(ROOT / "practicum"))


def test_plain_pulumi_does_not_take_over_a_machine_on_a_templates_number(
    practice: Practice,
) -> None:
    practice.good("preview", "lab")  # makes the stack, and writes nothing at the site
    machine(practice, "pve01", SITE_TEMPLATE, "mail")
    before, writes = everything(practice), practice.writes()
    done = plain_up(practice, "lab")
    assert done.returncode != 0
    assert f"{SITE_TEMPLATE} (mail on pve01)" in done.stdout + done.stderr
    assert practice.writes() == writes
    assert everything(practice) == before
    assert f"{SITE_TEMPLATE} (mail on pve01, a virtual machine" in refused(practice, "up", "lab")
    write(practice, "DELETE", f"nodes/pve01/qemu/{SITE_TEMPLATE}")


def test_without_them_plain_pulumi_and_the_command_line_build_it(practice: Practice) -> None:
    done = plain_up(practice, "lab")
    assert done.returncode == 0, done.stdout + done.stderr
    practice.good("up", "laptop")
    assert practice.good("up", "laptop").changes == {}


def test_a_disk_of_others_that_bears_our_number_outlives_the_event(practice: Practice) -> None:
    disk = {"vmid": str(CONTAINER), "filename": f"vm-{CONTAINER}-disk-7.qcow2", "size": "1G"}
    content = "nodes/pve01/storage/shared/content"
    write(practice, "POST", content, **disk)
    practice.good("destroy", "laptop")
    volumes = [row["volid"] for row in practice.api("GET", content)]
    left = [each for each in volumes if "vm-200" in each]
    assert left == [f"shared:{CONTAINER}/{disk['filename']}"]
    assert [each for each in practice.marked() if "laptop" in each] == []
