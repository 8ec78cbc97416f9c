"""Stacks for tests of the plan: small sites and events as data, without any file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from event.model import Event, Site
from event.stack import EventStack, SiteStack
from plan.plan import plan_event
from plan.records import EventPlan

Json = dict[str, Any]

HERE = Path(__file__).parent
STACKS = HERE / "stacks"
GOLDEN = HERE / "golden"


def site_stack(hosts: list[Json] | None = None, **changes: Any) -> SiteStack:
    """Six large hosts with a shared storage; `changes` replace whole keys of the site."""
    site = {
        "api": {"endpoint": "https://127.0.0.1:8006", "insecure": True},
        "hosts": hosts or [host("pve[01-06]")],
        "storages": {
            "shared": {"type": "nfs", "shared": True, "sizeGib": 100_000},
            "local": {"type": "dir"},
        },
        "images": {
            "debian-12": image(9000, "shared"),
            "windows": image(9100, "local", diskGib=40),
        },
        "network": {
            "exposed": {"subnet": "198.51.0.0/16", "gateway": "198.51.0.1"},
            "dns": ["198.51.0.2"],
        },
        **changes,
    }
    return SiteStack(
        name="hall",
        path=Path("Pulumi.hall.yaml"),
        locate=lambda _: None,
        site=Site.model_validate(site),
        lab=None,
    )


def host(name: str, **changes: Any) -> Json:
    """A row of large hosts."""
    return {"name": name, "cores": 512, "memoryGib": 2048, "diskGib": 40_000, **changes}


def image(vmid: int, storage: str, **changes: Any) -> Json:
    """An image on a storage."""
    return {
        "vmid": vmid,
        "volume": f"{storage}:import/{vmid}.qcow2",
        "storage": storage,
        "diskGib": 8,
        **changes,
    }


def event_stack(site: SiteStack | None = None, **changes: Any) -> EventStack:
    """The event of 2009: 26 clusters of one head and four compute nodes, and an instructor.

    `changes` replace whole keys of the event; a key with the value None is left out.
    """
    event = {
        "title": "Linux Cluster Construction",
        "on": "hall",
        "clusters": {"count": 26},
        "nodeGroups": {
            "head": {"image": "debian-12", "cores": 2, "memoryMib": 1024, "exposed": True},
            "compute": {"image": "debian-12", "count": 4},
        },
        "instructor": {"image": "debian-12"},
        **changes,
    }
    return EventStack(
        name="sc09",
        path=Path("Pulumi.sc09.yaml"),
        locate=lambda _: None,
        event=Event.model_validate({k: v for k, v in event.items() if v is not None}),
        site=site or site_stack(),
    )


def planned(site: SiteStack | None = None, **changes: Any) -> EventPlan:
    """The plan of `event_stack` with these changes."""
    return plan_event(event_stack(site, **changes))


def hosts_of(plan: EventPlan) -> dict[str, str]:
    """Host of each guest."""
    return {guest.name: guest.host for guest in plan.guests}


def check_golden(name: str, text: str) -> None:
    """Compare with the file in `golden/`; PRACTICUM_GOLDEN=write writes it anew."""
    path = GOLDEN / name
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
