"""What a person with a cluster runs before trusting us: the same calls and programs as against
the lab, within reserved numbers and names, leaving nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.site import Site, differences
from tests.conformance.endpoint import Endpoint
from tests.conformance.replay import Replay
from tests.conformance.test_conformance import OURS, scenarios
from tests.engine.scenarios.story import Story

pytestmark = pytest.mark.acceptance
FOLDER = os.environ.get("PRACTICUM_CONFORMANCE", "")


def _only_in_a_lab(scenario: Path) -> bool:
    """Whether a scenario touches what belongs to a whole host or cluster."""
    found: str | None = json.loads(scenario.read_text()).get("where")
    return found == "lab"


def _told(replay: Replay, scenario: Path) -> str:
    if needs := replay.lacks(scenario):
        pytest.skip(f"the endpoint has fewer than {needs}")
    return "\n".join(str(fault) for fault in replay.play(scenario))


@pytest.mark.parametrize("scenario", scenarios(OURS))
def test_the_endpoint_answers_as_the_sources_say(replay: Replay, scenario: Path) -> None:
    if _only_in_a_lab(scenario):
        pytest.skip("changes what belongs to a whole host or cluster; runs against a lab only")
    assert _told(replay, scenario) == ""


@pytest.mark.skipif(not FOLDER, reason="PRACTICUM_CONFORMANCE names no folder of scenarios")
@pytest.mark.parametrize("scenario", scenarios(FOLDER and Path(FOLDER, "scenarios")))
def test_the_endpoint_answers_as_was_recorded(replay: Replay, scenario: Path) -> None:
    assert _told(replay, scenario) == ""


@pytest.fixture(scope="session")
def told(
    site: Site, endpoint: Endpoint, replay: Replay, tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Story:  # fmt: skip
    """The program of guests in the reserved range, from its first to its last stage."""
    engine: dict[str, Any] = request.getfixturevalue("engine")
    folder = tmp_path_factory.mktemp("story") / "reserved"
    story = Story(folder, engine, "reserved", site.variables(replay.nodes[0]))
    try:
        story.tell()
    finally:
        story.end()
    return story


def test_no_stage_of_the_program_fails(told: Story) -> None:
    assert told.failed == {}


@pytest.mark.parametrize("stage", ["refresh", "again", "settled", "still"])
def test_what_was_made_shows_no_drift(told: Story, stage: str) -> None:
    assert told.steps[stage] == {}


def test_everything_made_is_destroyed(told: Story) -> None:
    assert set(told.steps["destroy"].values()) == {"delete"}
    assert told.steps["destroy"].keys() == told.steps["create"].keys()


def test_a_difference_between_two_inventories_is_told() -> None:
    before = {"pool": {"a"}, "user": {"b"}}
    assert differences(before, {"pool": {"a", "c"}, "user": set()}) == [
        "pool c: left behind",
        "user b: gone",
    ]
