"""The events that are measured: the shipped one as it is, larger ones of the same shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.planning import SIZES
from bench.processes import BenchError
from bench.stacks import EVENT, LOCAL, ROOT, SITE, Size, replaced, shipped, write_stacks
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event


def test_the_shipped_size_is_the_shipped_file(tmp_path: Path) -> None:
    write_stacks(tmp_path, Size(clusters=26))
    for name in (EVENT, SITE):
        assert (tmp_path / f"Pulumi.{name}.yaml").read_text() == shipped(name)


@pytest.mark.parametrize("clusters", SIZES)
def test_every_size_can_be_planned_on_its_site(clusters: int, tmp_path: Path) -> None:
    size = Size(clusters=clusters)
    write_stacks(tmp_path, size, endpoint="https://127.0.0.1:9")
    stack = read_stack(EVENT, tmp_path)
    assert isinstance(stack, EventStack)
    plan = plan_event(stack)
    assert len(plan.guests) == size.guests == clusters * 5 + 1
    assert len(plan.hosts) == size.hosts
    assert plan.api.endpoint == "https://127.0.0.1:9"


def test_secrets_of_an_earlier_use_are_left_out() -> None:
    used = (
        "# first line\nconfig:\n  practicum:event:\n    on: lab\n"
        "  practicum:secret:\n    secure: v1:abc\nencryptionsalt: v1:def\n"
    )
    assert LOCAL.sub("", used) == "# first line\nconfig:\n  practicum:event:\n    on: lab\n"


def test_a_change_that_hits_nothing_is_an_error() -> None:
    with pytest.raises(BenchError, match="0 times"):
        replaced("a: 1", {"b": "c"})
    assert replaced("a: 1", {"1": "2"}) == "a: 2"


def test_nothing_of_a_measurement_is_written_into_the_checkout(tmp_path: Path) -> None:
    before = sorted((ROOT / "stacks").iterdir())
    write_stacks(tmp_path, Size(clusters=60))
    assert sorted((ROOT / "stacks").iterdir()) == before
