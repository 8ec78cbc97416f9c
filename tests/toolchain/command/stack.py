"""A Pulumi stack in a temporary folder: state in files, one program that builds what it is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).parent / "program.py"
_SETTINGS = "name: check\nruntime: python\n"
_COMMAND_S = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of the engine: its exit code and everything it said."""

    code: int
    text: str


class Stack:
    """One stack. `env` makes the engine and the plugin found."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        state = folder / "state"
        state.mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text(_SETTINGS)
        shutil.copy(_PROGRAM, folder / "__main__.py")
        self._env = {
            **os.environ,
            **env,
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
        }
        done = self.pulumi("stack", "init", "check")
        assert done.code == 0, done.text

    def pulumi(self, *arguments: str) -> Result:
        """Run the engine in the stack's folder."""
        with self.start(*arguments) as process:
            try:
                text, _ = process.communicate(timeout=_COMMAND_S)
            finally:
                process.kill()
        return Result(code=process.returncode, text=text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the engine in the stack's folder; its output and errors are one text."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def declare(self, resources: Sequence[Mapping[str, object]]) -> None:
        """Say what resources the program has."""
        (self.folder / "resources.json").write_text(json.dumps(list(resources)))

    def command(self, **args: object) -> None:
        """Say that the program has one local Command `it` with these arguments."""
        self.declare([{"name": "it", "type": "local.Command", "args": args}])

    def up(self) -> str:
        """Update; what the engine said."""
        done = self.pulumi("up", "--yes", "--skip-preview", "--diff")
        assert done.code == 0, done.text
        return done.text

    def failing_up(self) -> str:
        """Update that must fail; what the engine said."""
        done = self.pulumi("up", "--yes", "--skip-preview", "--diff")
        assert done.code != 0, done.text
        return done.text

    def preview(self) -> str:
        """Preview; what the engine said."""
        done = self.pulumi("preview", "--diff")
        assert done.code == 0, done.text
        return done.text

    def destroy(self) -> None:
        """Delete everything."""
        done = self.pulumi("destroy", "--yes", "--skip-preview")
        assert done.code == 0, done.text

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in the clear."""
        done = self.pulumi("stack", "output", "--json", "--show-secrets")
        assert done.code == 0, done.text
        found: dict[str, Any] = json.loads(done.text)
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """What the state says of each resource of the package, by name; secrets encrypted."""
        done = self.pulumi("stack", "export")
        assert done.code == 0, done.text
        resources = json.loads(done.text)["deployment"].get("resources", [])
        return {
            entry["urn"].rsplit("::", 1)[1]: entry
            for entry in resources
            if entry["type"].startswith("command:")
        }

    def kept(self) -> str:
        """Every file of the state as one text."""
        files = sorted(path for path in (self.folder / "state").rglob("*") if path.is_file())
        return "\n".join(path.read_text() for path in files)
