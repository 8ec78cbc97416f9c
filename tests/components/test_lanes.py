"""Guests that wait for their turn: let go in order, tried again after a lock, never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest

from components.lanes import ENDING_VARIABLE, TRIES, InterruptedRunError, StuckLaneError, Turns
from components.sight import Sight, SightError
from event.read import read_stack
from event.stack import EventStack
from plan.lanes import STUCK_AFTER, Sighting
from plan.plan import plan_event
from plan.records import Guest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = "cfs-lock 'storage-shared' error: got lock request timeout"
LOCK = f'VM clone: task "UPID:pve01:qmclone" failed to complete with exit code: {TIMEOUT}'
PATIENCE_S = 60


class Cluster:
    """A cluster that lists what the test puts in; with `broken` it does not answer."""

    def __init__(self) -> None:
        self.listed: dict[int, Sighting] = {}
        self.broken: Exception | None = None

    def guests(self) -> dict[int, Sighting]:
        if self.broken is not None:
            raise self.broken
        return dict(self.listed)

    def shows(self, guest: Guest, *, locked: bool = False, configured: bool = False) -> None:
        tags = frozenset(guest.tags) if configured else frozenset[str]()
        self.listed[guest.vmid] = Sighting(locked=locked, tags=tags)


def guests_of(event: str) -> tuple[Guest, ...]:
    stack = read_stack(event, ROOT / "stacks")
    assert isinstance(stack, EventStack)
    return plan_event(stack).guests


@pytest.fixture
def guests() -> tuple[Guest, ...]:
    return guests_of("laptop")


def played(scene: Coroutine[Any, Any, None]) -> None:
    """Run a scene in a loop of its own; nothing in it may wait for ever."""

    async def within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scene

    loop = asyncio.new_event_loop()  # asyncio.run would take the SDK's loop away
    try:
        loop.run_until_complete(within())
    finally:
        loop.close()


def turns_on(guests: tuple[Guest, ...], cluster: Cluster | None) -> Turns:
    return Turns(guests, cast(Sight, cluster))


def created(guest: Guest) -> pulumi.ResourceHookArgs:
    return cast(pulumi.ResourceHookArgs, SimpleNamespace(name=guest.name))


def failed(guest: Guest, error: str, operation: str = "create") -> pulumi.ErrorHookArgs:
    found = SimpleNamespace(name=guest.name, errors=[error], failed_operation=operation)
    return cast(pulumi.ErrorHookArgs, found)


async def until(what: Any) -> None:
    while not what():
        await asyncio.sleep(0.01)


def test_the_next_guest_is_let_go_when_the_clone_before_it_is_seen_to_be_done(
    guests: tuple[Guest, ...],
) -> None:
    async def scene() -> None:
        cluster = Cluster()
        turns = turns_on(guests, cluster)
        await turns.before(created(guests[0]))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        cluster.shows(guests[0], locked=True)
        await asyncio.sleep(0.2)
        assert not second.done()
        cluster.shows(guests[0])
        await second

    played(scene())


@pytest.mark.parametrize("broken", [SightError("refused"), RuntimeError("a bug")])
def test_a_cluster_that_does_not_answer_makes_guests_go_one_by_one(
    guests: tuple[Guest, ...], broken: Exception
) -> None:
    async def scene() -> None:
        cluster = Cluster()
        cluster.broken = broken
        turns = turns_on(guests, cluster)
        await turns.before(created(guests[0]))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        await asyncio.sleep(0.1)
        assert not second.done()
        await turns.after(created(guests[0]))
        await second

    played(scene())


def test_without_a_token_guests_go_one_by_one(guests: tuple[Guest, ...]) -> None:
    async def scene() -> None:
        turns = turns_on(guests, None)
        await turns.before(created(guests[0]))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        await turns.after(created(guests[0]))
        await second

    played(scene())


def test_a_guest_that_met_a_lock_is_tried_again_in_its_turn(guests: tuple[Guest, ...]) -> None:
    async def scene() -> None:
        cluster = Cluster()
        turns = turns_on(guests, cluster)
        await turns.before(created(guests[0]))
        assert await turns.failed(failed(guests[0], LOCK))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        await asyncio.sleep(0.1)
        assert not second.done()
        cluster.shows(guests[0], configured=True)
        await second

    played(scene())


def test_a_lock_that_is_never_free_ends_the_tries(guests: tuple[Guest, ...]) -> None:
    async def scene() -> None:
        turns = turns_on(guests, Cluster())
        await turns.before(created(guests[0]))
        found = [await turns.failed(failed(guests[0], LOCK)) for _ in range(TRIES)]
        assert found == [True] * (TRIES - 1) + [False]

    played(scene())


@pytest.mark.parametrize(
    ("error", "operation"),
    [("no room", "create"), (TIMEOUT, "create"), (LOCK, "update"), (LOCK, "delete")],
)
def test_another_failure_is_not_tried_again_and_holds_up_nobody(
    guests: tuple[Guest, ...], error: str, operation: str
) -> None:
    async def scene() -> None:
        turns = turns_on(guests, Cluster())
        await turns.before(created(guests[0]))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        await asyncio.sleep(0)
        assert not await turns.failed(failed(guests[0], error, operation))
        await second

    played(scene())


def test_waiting_guests_are_sent_away_when_the_run_is_to_end(
    guests: tuple[Guest, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDING_VARIABLE, str(tmp_path / "ending"))

    async def scene() -> None:
        cluster = Cluster()
        turns = turns_on(guests, cluster)
        await turns.before(created(guests[0]))
        cluster.shows(guests[0], locked=True)
        waiting = [asyncio.ensure_future(turns.before(created(each))) for each in guests[1:]]
        await asyncio.sleep(0.1)
        (tmp_path / "ending").touch()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in found} == {InterruptedRunError}
        with pytest.raises(InterruptedRunError):
            await turns.before(created(guests[1]))

    played(scene())


def test_a_provider_that_is_cancelled_sends_waiting_guests_away(guests: tuple[Guest, ...]) -> None:
    async def scene() -> None:
        turns = turns_on(guests, Cluster())
        await turns.before(created(guests[0]))
        second = asyncio.ensure_future(turns.before(created(guests[1])))
        await asyncio.sleep(0)
        assert not await turns.failed(failed(guests[0], "error cloning VM: context canceled"))
        with pytest.raises(InterruptedRunError):
            await second

    played(scene())


def test_a_lock_that_nobody_gets_sends_away_who_waits_for_it() -> None:
    many = guests_of("sc09")
    tries: list[str] = []

    async def create(turns: Turns, guest: Guest) -> str:
        try:
            await turns.before(created(guest))
            tries.append(guest.name)
            while await turns.failed(failed(guest, LOCK)):
                tries.append(guest.name)
        except StuckLaneError as error:
            return str(error)
        return "failed"

    async def scene() -> None:
        turns = turns_on(many, Cluster())
        told = await asyncio.gather(*(create(turns, each) for each in many))
        assert len(tries) == STUCK_AFTER
        assert told.count("failed") == len(set(tries))
        away = {each for each in told if each != "failed"}
        assert len(away) == 1
        assert away.pop().startswith("not tried, since the last 12 clones have met the lock of")
        with pytest.raises(StuckLaneError):
            await turns.before(created(many[0]))

    played(scene())


def test_locks_that_are_got_in_between_send_nobody_away(guests: tuple[Guest, ...]) -> None:
    async def scene() -> None:
        turns = turns_on(guests, Cluster())
        await turns.before(created(guests[0]))
        for _ in range(STUCK_AFTER - 1):
            await turns.failed(failed(guests[0], LOCK))
        await turns.after(created(guests[1]))
        await turns.failed(failed(guests[0], LOCK))
        await turns.before(created(guests[2]))

    played(scene())
