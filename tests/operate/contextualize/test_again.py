"""Which clusters a run has to prepare once more."""

from __future__ import annotations

import pytest

from operate.contextualize.again import COMMAND, clusters_to_prepare
from operate.progress import Tally
from tests.plan.making import planned

PLAN = planned(clusters={"count": 3}, contextualize={"level": "base"})


@pytest.mark.parametrize(
    ("changed", "failed", "names"),
    [
        ({}, {}, []),
        ({"c02-n1": "create"}, {}, ["c02"]),
        ({"c02-n1": "replace", "c02-n2": "create"}, {}, ["c02"]),
        ({"c02-n1": "update"}, {}, []),
        ({"instructor": "create"}, {}, ["instructor"]),
        ({"c02-n1": "create", COMMAND.format("c02"): "replace"}, {}, []),
        ({"c02-n1": "create"}, {COMMAND.format("c02"): "its agent did not answer"}, []),
    ],
)
def test_clusters_of_guests_that_were_made_while_their_command_did_not_run(
    changed: dict[str, str], failed: dict[str, str], names: list[str]
) -> None:
    assert clusters_to_prepare(PLAN, Tally(changed=changed, failed=failed)) == names


def test_guests_that_are_not_prepared_at_all_are_none_of_them() -> None:
    plan = planned(clusters={"count": 3})
    assert clusters_to_prepare(plan, Tally(changed={"c02-n1": "create"})) == []
