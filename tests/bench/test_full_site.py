"""The bench of a full site goes through, on a small one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from bench import full_site, servers
from bench.labs import Served
from bench.processes import BenchError

pytestmark = pytest.mark.wire


def test_a_filled_lab_gives_three_results_and_says_why_a_peer_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_lab: Served, _folder: Path, _names: Sequence[str]) -> NoReturn:
        raise BenchError("nobody else is here")

    monkeypatch.setattr(servers, "fakepve", absent)
    for name, value in (("GUESTS", 20), ("LISTS", 3), ("LOAD_S", 0.1)):
        monkeypatch.setattr(full_site, name, value)
    found = {each.id: each for each in full_site.results(tmp_path, repeats=1)}
    assert list(found) == ["lab.full.list", "lab.full.read", "lab.full.memory"]
    assert found["lab.full.list"].peer.what == "none: nobody else is here"
    assert all(each.figure.median > 0 and each.bound.spread for each in found.values())
