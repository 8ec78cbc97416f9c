"""The finished image: clean, described, bootable, and the same when it is built again."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from tests.image.conftest import SWEEP, Finished, built, cannot
from tests.image.machine import OVMF, Machine

pytestmark = pytest.mark.image

FIRMWARE = ["bios", "uefi"] if SWEEP else ["bios"]


def test_nothing_of_the_building_machine_is_left_in_it(image: Finished) -> None:
    assert not [name for name in image.names("/etc/ssh") if name.startswith("ssh_host")]
    assert image.text("/etc/machine-id") == ""
    assert image.files("/var/lib/apt/lists") == []
    assert image.files("/var/cache/apt") == []
    for folder in ("/var/log", "/tmp", "/run", "/var/tmp", "/var/lib/cloud", "/dev"):
        assert image.files(folder) == [], folder
    for name in image.names("/var/lib/dbus"):
        assert name != "machine-id"
    assert "random-seed" not in image.names("/var/lib/systemd")
    if "munge" in image.record["packages"]:
        assert "munge.key" not in image.names("/etc/munge")


def test_nobody_has_a_password_in_it(image: Finished) -> None:
    fields = [line.split(":")[1] for line in image.text("/etc/shadow").splitlines()]
    assert fields
    assert all(field.startswith(("*", "!")) for field in fields)


def test_checksum_and_packages_lie_beside_it(image: Finished) -> None:
    with image.file.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == image.record["sha256"]
    packages = image.record["packages"]
    for name in ("cloud-init", "openssh-server", "qemu-guest-agent", "systemd"):
        assert packages[name]
    assert any(name.startswith("linux-image-") for name in packages)
    exercises = ("gcc", "nfs-ganesha", "openmpi-bin", "prometheus", "slurmctld", "slurmd")
    wanted = exercises if image.record["flavour"] == "exercises" else ()
    assert [name for name in exercises if name in packages] == list(wanted)


if SWEEP:  # minutes

    def test_a_second_build_has_the_same_sum(image: Finished, tmp_path: Path) -> None:
        first, name = image.record, image.record["name"]
        options = ("--folder", str(tmp_path), "--flavour", first["flavour"])
        again = built(*options, name=name)
        if again["packages"] != first["packages"]:  # the mirror has newer ones than the first had
            first, again = again, built(*options, "--force", name=name)
        assert again["packages"] == first["packages"]
        assert again["sha256"] == first["sha256"]


@pytest.mark.parametrize("firmware", FIRMWARE)
def test_it_boots_becomes_what_its_cloud_init_drive_says_and_its_agent_answers(
    image: Finished, tmp_path: Path, firmware: str
) -> None:
    for tool, package in (
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("genisoimage", "genisoimage"),
    ):
        if shutil.which(tool) is None:
            cannot(f"{tool} is missing; on Debian type: apt install {package}")
    if firmware == "uefi" and not OVMF.exists():
        cannot("there is no firmware for UEFI; on Debian type: apt install ovmf")
    machine = Machine(tmp_path, image.file, firmware)
    try:
        machine.wait_for_agent()
        _check(machine)
    finally:
        machine.close()


def _check(machine: Machine) -> None:
    code, text = machine.run("/usr/bin/cloud-init", "status", "--wait", "--long")
    # A newer cloud-init tells by 2 that words of Proxmox VE's documents are old, and nothing else.
    old_words = re.findall(r"^\t- (.*)$", text.partition("\nDEPRECATED:\n")[2], re.MULTILINE)
    assert code == (2 if old_words else 0), text
    assert all(line.startswith("'user' of type string is deprecated") for line in old_words), text
    assert re.findall(r"^[A-Z]+:$", text, re.MULTILINE) == (["DEPRECATED:"] if old_words else [])
    assert "DataSourceNoCloud" in text
    assert machine.ask("guest-get-host-name")["host-name"] == "c07-head"
    script = "ip -4 -o address show eth0; id -nG tutor; cat ~tutor/.ssh/authorized_keys"
    text = machine.run("/bin/sh", "-c", script)[1]
    assert "10.0.7.1/24" in text
    assert "sudo" in text
    assert "nobodysKeyOnlyForThisTest" in text
    text = machine.run("/bin/sh", "-c", "grep ^tutor: /etc/shadow; cat /etc/ssh/ssh_host_*.pub")[1]
    assert "tutor:$5$rounds=1000$saltsalt$" in text
    assert "ssh-ed25519" in text
    grown = int(machine.run("/bin/sh", "-c", "df --output=size -B1 / | tail -n 1")[1])
    assert grown > 7 << 30  # of a disk of 8 GiB, from an image of 2
    upgraded = machine.run("/bin/sh", "-c", "grep -c apt-get /var/log/cloud-init.log")[1]
    assert upgraded.strip() == "0"
    machine.wait_for_serial("login:")
    failed = machine.run("/usr/bin/systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert failed == (0, "")
