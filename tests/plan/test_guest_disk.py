"""What a host is told to do for a guest's files, word for word."""

from __future__ import annotations

import subprocess

from plan.guest_disk import host_script
from tests.plan.making import check_golden


def test_the_script_of_a_host_is_as_its_golden_says() -> None:
    check_golden("host-disk.sh", host_script())


def test_a_shell_can_read_it() -> None:
    for shell in ("sh", "bash"):
        done = subprocess.run(
            [shell, "-n"], input=host_script(), text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
