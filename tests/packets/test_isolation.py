"""The tutorial of SC09, plugged in as planned: no frame of any kind from a cluster to another."""

from __future__ import annotations

import os
import time

from tests.packets.conftest import Ground
from tests.packets.fleet import INSTRUCTOR, planned, plug_in
from tests.packets.proof import Proof

SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))


def test_nothing_passes_between_the_clusters_of_sc09_and_everything_within(ground: Ground) -> None:
    plan = planned("sc09")
    begin = time.monotonic()
    places = plug_in(ground, plan)
    plugged_s = time.monotonic() - begin
    verdict = Proof(places, every=SWEEP).run()
    assert not verdict.red, str(verdict)
    clusters = {cluster.name for cluster in plan.clusters}
    pairs = {pair for pair in verdict.pairs if set(pair) <= clusters}
    assert len(pairs) == 650
    assert {place.cluster for place in places} == clusters | {INSTRUCTOR, "world"}
    print(f"{len(places)} cards in {plugged_s:.1f} s, {verdict.frames} frames")
