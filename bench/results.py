"""The results of all benches in one JSON document, and what one result has to say.

A result has a figure, the bound that it cannot beat and a peer that does the same work, all from
the same run. A missing bound or peer is stated with its reason, never left out.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import Spread

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side of a comparison; without a spread, `what` says why there is none."""

    what: str
    spread: Spread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the project wants of a value: at most `limit`, of the figure itself or of its ratio
    to the bound or to the peer."""

    limit: float
    of: str = "figure"  # "figure", "bound" or "peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured thing. `more` holds further values by name: sizes, counts, memory."""

    id: str  # plan.cold.26, engine.up
    what: str
    unit: str
    figure: Spread
    bound: Arm
    peer: Arm
    target: Target | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> float:
        """The value that the target is about."""
        if self.target is not None and self.target.of in ("bound", "peer"):
            arm = self.bound if self.target.of == "bound" else self.peer
            if arm.spread is None:
                raise ValueError(f"{self.id}: a target on a {self.target.of} that was not measured")
            return self.figure.median / arm.spread.median
        return self.figure.median

    def as_data(self) -> dict[str, Any]:
        """The result as JSON keeps it, with ratios and whether the target is met."""
        data = asdict(self)
        data["target"] = None
        if self.target is not None:
            data["target"] = asdict(self.target) | {"met": self.measured <= self.target.limit}
        for side, arm in (("bound", self.bound), ("peer", self.peer)):
            if arm.spread is not None and arm.spread.median:
                data[side]["ratio"] = self.figure.median / arm.spread.median
        return rounded(data)  # type: ignore[no-any-return]


def rounded(value: Any) -> Any:
    """The value with every float cut to four significant digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def merge(
    path: Path, bench: str, results: Iterable[Result], context: Mapping[str, Any]
) -> dict[str, Any]:
    """Put one bench's results in the place of its earlier ones; other benches stay. Returns all."""
    document: dict[str, Any] = {"format": FORMAT, "benches": {}}
    if path.exists():
        document = json.loads(path.read_text())
    document["benches"][bench] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **rounded(context),
        "results": [result.as_data() for result in results],
    }
    document["benches"] = dict(sorted(document["benches"].items()))
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return document
