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

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on the PATH"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Pulumi project with the good stacks, and a stack `course` in a state of its own."""
    shutil.copytree(ACCEPTED, tmp_path / "stacks")
    (tmp_path / "state").mkdir()
    settings = "name: practicum\nruntime: python\nstackConfigDir: stacks\n"
    (tmp_path / "Pulumi.yaml").write_text(settings, encoding="utf-8")
    pulumi(tmp_path, "stack", "init", "course")
    return tmp_path


def pulumi(project: Path, *arguments: str) -> str:
    """What the command prints; its state, home and passphrase are the test's."""
    environment = {
        "PATH": os.environ["PATH"],
        "PULUMI_HOME": str(project / "home"),
        "PULUMI_BACKEND_URL": f"file://{project}/state",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_the_engine_sees_it(project: Path) -> Any:
    return json.loads(pulumi(project, "config", "get", "practicum:event", "--stack", "course"))


def test_the_engine_decodes_what_we_read(project: Path) -> None:
    file = project / "stacks/Pulumi.course.yaml"
    section = read_source(file, file.name).sections["event"]
    assert same(section.data, as_the_engine_sees_it(project))


def test_a_value_set_by_path_is_read_and_comments_stay(project: Path) -> None:
    file = project / "stacks/Pulumi.course.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("on: lab", "on: lab # the site"), encoding="utf-8")
    for path, value in (
        ("clusters.count", "5"),
        ("overrides.c02.title", "Red"),
        ("start", "false"),
    ):
        pulumi(project, "config", "set", "--path", f"practicum:event.{path}", value, "-s", "course")
    after = file.read_text(encoding="utf-8")
    assert after.startswith("# yaml-language-server: $schema=")
    assert "on: lab # the site" in after
    config = {"practicum:event": as_the_engine_sees_it(project)}
    stack = read_stack("course", project / "stacks", config=config)
    assert isinstance(stack, EventStack)
    assert (stack.event.clusters.count, stack.event.start) == (5, False)
    assert stack.event.overrides["c02"].title == "Red"
    assert stack.locate(("event", "overrides", "c02", "title")) is not None
