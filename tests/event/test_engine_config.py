"""Single values set with Pulumi's own command: the file stays a stack file, comments and all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from event.engine import same
from event.read import EventStack, read_stack
from event.source import read_source

ACCEPTED = Path(__file__).parent / "accepted"

pytestmark = pytest.mark.engine


class Project:
    """A Pulumi project with the good stacks, and a stack `course` in a state of its own."""

    def __init__(self, folder: Path, engine: Path) -> None:
        self.folder = folder
        self.engine = engine

    @property
    def file(self) -> Path:
        """The stack's file."""
        return self.folder / "stacks/Pulumi.course.yaml"

    def pulumi(self, *arguments: str) -> str:
        """What the command prints; its state, home and passphrase are the test's."""
        environment = {
            "PATH": f"{self.engine.parent}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        done = subprocess.run(
            [str(self.engine), *arguments, "--non-interactive"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def decoded(self) -> Any:
        """The event as the engine sees it."""
        return json.loads(self.pulumi("config", "get", "practicum:event", "--stack", "course"))


@pytest.fixture
def project(tmp_path: Path, engine: dict[str, Any]) -> Project:
    shutil.copytree(ACCEPTED, tmp_path / "stacks")
    (tmp_path / "state").mkdir()
    settings = "name: practicum\nruntime: python\nstackConfigDir: stacks\n"
    (tmp_path / "Pulumi.yaml").write_text(settings, encoding="utf-8")
    made = Project(tmp_path, Path(engine["pulumi"]))
    made.pulumi("stack", "init", "course")
    return made


def test_the_engine_decodes_what_we_read(project: Project) -> None:
    file = project.file
    section = read_source(file, file.name).sections["event"]
    assert same(section.data, project.decoded())


def test_a_value_set_by_path_is_read_and_comments_stay(project: Project) -> None:
    file = project.file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("on: lab", "on: lab # the site"), encoding="utf-8")
    for path, value in (
        ("clusters.count", "5"),
        ("overrides.c02.title", "Red"),
        ("start", "false"),
    ):
        project.pulumi("config", "set", "--path", f"practicum:event.{path}", value, "-s", "course")
    after = file.read_text(encoding="utf-8")
    assert after.startswith("# yaml-language-server: $schema=")
    assert "on: lab # the site" in after
    config = {"practicum:event": project.decoded()}
    stack = read_stack("course", project.folder / "stacks", config=config)
    assert isinstance(stack, EventStack)
    assert (stack.event.clusters.count, stack.event.start) == (5, False)
    assert stack.event.overrides["c02"].title == "Red"
    assert stack.locate(("event", "overrides", "c02", "title")) is not None
