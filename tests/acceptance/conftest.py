"""One site for a whole run: looked at before, swept and looked at again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.site import Broom, Site, differences, inventory, named
from tests.conformance.endpoint import Endpoint
from tests.conformance.masks import Vmids
from tests.conformance.replay import Replay
from tests.conformance.web import Web

ABSENT = "no endpoint is given: ./practicum test acceptance --endpoint https://HOST:8006"


@pytest.fixture(scope="session")
def site() -> Site:
    """The endpoint that somebody named."""
    found = named()
    if found is None:
        pytest.skip(ABSENT)
    return found


@pytest.fixture(scope="session")
def endpoint(site: Site) -> Iterator[Endpoint]:
    """The site with nothing in what is reserved; swept whatever happens, and then compared."""
    opened = site.open()
    before = inventory(opened, site.storage)
    taken = sorted(n for kind in ("guest", "pool") for n in before[kind] if site.is_ours(kind, n))
    if taken:
        last = site.vmid + Vmids.COUNT - 1
        pytest.fail(
            f"{', '.join(taken)} is within what is reserved (VMIDs {site.vmid} to {last}, pool "
            f"{site.pool}); remove it, or name others with --vmids and --pool"
        )
    try:
        yield opened
    finally:
        left = differences(before, inventory(opened, site.storage))
        broom = Broom(site, opened, before)
        if left:
            broom.sweep()
        still = differences(before, inventory(opened, site.storage))
        opened.close()
        assert left == [], f"swept: {broom.told}; still there: {still}"


@pytest.fixture(scope="session")
def replay(site: Site, endpoint: Endpoint) -> Iterator[Replay]:
    """Scenarios of calls, with VMIDs in the reserved range."""
    with Web() as web:
        yield Replay(
            endpoint,
            storage=site.storage,
            web=web.address,
            vmid=site.vmid,
            first_node=site.node,
        )
