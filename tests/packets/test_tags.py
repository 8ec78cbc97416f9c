"""The proof once more on a switch with true tags, where a second tag could lead somewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.packets.fleet import Place
from tests.packets.proof import Proof
from tests.packets.tagging import TaggingHosts, missing

pytestmark = pytest.mark.skipif(
    not os.environ.get("PRACTICUM_SWEEP"), reason="a switch with true tags is tried with --sweep"
)
PATIENCE_S = 2.0


@pytest.fixture
def hosts() -> Iterator[TaggingHosts]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    made = TaggingHosts()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def places(hosts: TaggingHosts) -> list[Place]:
    """Three clusters of two nodes on two hosts."""
    return [
        hosts.guest(
            10 * cluster + node, f"c0{cluster}", host, 100 + cluster, f"10.0.{cluster}.{node}"
        )
        for cluster in (1, 2, 3)
        for node, host in ((1, "one"), (2, "two"))
    ]


def proof(places: list[Place]) -> Proof:
    """A port of one VLAN takes no tags: frames with tags are no controls."""
    return Proof(places, every=True, tags_pass=False)


def test_nothing_passes_between_vlans_whatever_tags_a_guest_sends(places: list[Place]) -> None:
    verdict = proof(places).run()
    assert not verdict.red, str(verdict)


@pytest.mark.parametrize(
    "mistake",
    [
        ("set", "port", "tap11i0", "tag=102"),
        ("clear", "port", "tap11i0", "tag"),
        ("set", "port", "tap11i0", "vlan_mode=native-untagged"),
        ("set", "port", "to-two", "trunks=102,103"),
        ("set", "port", "to-two", "tag=101"),
        ("set", "port", "tap11i0", "vlan_mode=native-untagged", "trunks=101,102"),
    ],
    ids=["wrong tag", "no tag", "a trunk for a guest", "a VLAN cut", "a trunk of one VLAN",
         "a VLAN too many"],
)  # fmt: skip
def test_a_mistake_with_tags_turns_the_proof_red(
    hosts: TaggingHosts, places: list[Place], mistake: tuple[str, ...]
) -> None:
    hosts.change(*mistake)
    assert proof(places).run(PATIENCE_S).red
