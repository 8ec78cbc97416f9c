"""Stack files outside the checkout: the engine finds them, and the checkout stays as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from operate.places import Places
from operate.stacks import load, reference

ROOT = Path(__file__).resolve().parents[2]


def places(tmp_path: Path) -> Places:
    return Places.of({"PRACTICUM_STATE": str(tmp_path / "state")}, root=ROOT).make()


def elsewhere(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for stack in ("lab", "laptop"):
        shutil.copy(ROOT / "stacks" / f"Pulumi.{stack}.yaml", folder)
    target = folder / name
    if not target.exists():
        shutil.copy(folder / "Pulumi.laptop.yaml", target)
    return target


def test_a_stack_of_the_checkout_is_run_in_the_checkout(tmp_path: Path) -> None:
    at = places(tmp_path)
    found = reference(load("laptop", at), at)
    assert (found.project, found.outside, found.config_file) == (ROOT, False, None)


def test_a_file_elsewhere_gets_a_project_that_looks_for_stack_files_there(tmp_path: Path) -> None:
    at = places(tmp_path)
    file = elsewhere(tmp_path, "Pulumi.laptop.yaml")
    found = reference(load(str(file), at), at)
    settings = json.loads((found.project / "Pulumi.yaml").read_text())
    assert settings["name"] == "practicum"
    assert settings["main"] == str(ROOT)
    assert (found.project / settings["stackConfigDir"]).resolve() == file.parent
    assert found.config_file is None
    assert found.typed == str(file)


def test_a_file_with_a_name_of_its_own_is_named_to_the_engine(tmp_path: Path) -> None:
    at = places(tmp_path)
    file = elsewhere(tmp_path, "monday.yaml")
    found = reference(load(str(file), at), at)
    assert found.config_file == file
    assert json.loads((found.project / "Pulumi.yaml").read_text())["stackConfigDir"] == "."
