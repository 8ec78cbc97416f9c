"""One short text that changes exactly when the decisions change: the digest of a plan."""

from __future__ import annotations

import hashlib

from plan.records import EventPlan, SitePlan


def plan_digest(plan: EventPlan | SitePlan) -> str:
    """Digest of every decision in a plan: 16 hex digits.

    The plan's records are frozen and ordered, so their representation is the decisions' text.
    """
    return hashlib.sha256(repr(plan).encode()).hexdigest()[:16]
