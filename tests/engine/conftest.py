"""Practice grounds of the engine tier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.engine.ground", "tests.engine.killing")

from tests.engine.practice import Practice  # noqa: E402 - after what pytest shall rewrite


@pytest.fixture(scope="module")
def practice(
    engine: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Practice]:
    """A practice ground of one module's own; its tests build on one another, in order.

    In a module with `LISTED` sites list their events, as shipped; in others each event makes its
    pool and roles by itself, with a token that sees everything.
    """
    listed = getattr(request.module, "LISTED", False)
    ground = Practice(Path(tmp_path_factory.mktemp("practice")), listed=listed)
    yield ground
    ground.close()
