"""Guests wait here for their turn to be cloned: hooks that the engine calls, and who watches.

The engine calls `before_create` of a guest when it is about to create it, and waits. `plan.lanes`
decides whose turn it is; a look at the cluster tells it when a clone is done, long before the
guest is complete. Nothing here can break a run: who cannot look goes on carefully, and a lock
error that comes up all the same makes the engine try that guest again, in its turn.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature

from components.sight import Sight, SightError, api_token
from plan.lanes import STUCK_AFTER, Lanes
from plan.records import EventPlan, Guest

PACE_VARIABLE = "PRACTICUM_LANE_PACE"
"""Multiplies the cluster's waits, for a lab whose clock is faster."""
ENDING_VARIABLE = "PRACTICUM_ENDING"
"""Names a file that is there once the run is to end."""
PATIENCE_S = 0.25
"""How often the end of the run is looked for."""
BLIND_PAUSE_S = 1.0
LOCK_ERROR = re.compile(
    r"VM clone: .*("
    r"cfs-lock 'storage-[^']*' error: got lock request timeout"
    r"|can't lock file '[^']*/pve-storage-[^']*' - got timeout)",
    re.DOTALL,
)
"""Of a clone, which leaves nothing behind. A later step that meets a lock leaves a guest that is
half there, and to create that once more would find its VMID taken."""
CANCELLED = re.compile(r"context canceled|operation was canceled", re.IGNORECASE)
TRIES = 5
"""How often a guest is tried that meets a lock."""


class NoTurnError(Exception):
    """A guest's turn does not come."""


class InterruptedRunError(NoTurnError):
    """The run ends before a guest's turn has come."""


class StuckLaneError(NoTurnError):
    """Somebody else goes on holding the lock that a guest's clone needs."""


class Turns:
    """The turns of an event's guests."""

    def __init__(self, guests: Iterable[Guest], sight: Sight | None, *, pace: float = 1.0) -> None:
        self._lanes = Lanes(guests, pace=pace)
        self._sight = sight
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._tries: dict[str, int] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sight")
        self._ended = False

    def binding(self) -> pulumi.ResourceHookBinding:
        """The hooks of a guest, as far as the engine knows such hooks."""
        if not monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS):
            return pulumi.ResourceHookBinding()
        before = pulumi.ResourceHook("guest-waits-for-its-turn", self.before)
        after = pulumi.ResourceHook(
            "guest-is-complete", self.after, pulumi.ResourceHookOptions(ignore_errors=True)
        )
        binding = pulumi.ResourceHookBinding(before_create=[before], after_create=[after])
        if monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS):
            binding.on_error = [pulumi.ErrorHook("guest-met-a-lock", self.failed)]
        return binding

    async def before(self, args: pulumi.ResourceHookArgs) -> None:
        """Return when the guest may be cloned. Raises `NoTurnError`."""
        await self._turn(args.name)

    async def after(self, args: pulumi.ResourceHookArgs) -> None:
        """A guest is complete."""
        self._lanes.made(args.name)
        self._let_go()

    async def failed(self, args: pulumi.ErrorHookArgs) -> bool:
        """Whether the engine is to try again: after a lock error, when its turn has come."""
        error = args.errors[0] if args.errors else ""
        if CANCELLED.search(error):
            self._end()
        locked = args.failed_operation == "create" and LOCK_ERROR.search(error) is not None
        if locked:
            self._met_lock(args.name)
        self._lanes.end(args.name)
        self._let_go()
        if not locked or self._ending():
            return False
        self._tries[args.name] = self._tries.get(args.name, 1) + 1
        if self._tries[args.name] > TRIES:
            return False
        with suppress(NoTurnError):
            await self._turn(args.name)
            return True
        return False

    def _met_lock(self, name: str) -> None:
        """Send away who waits for a lock that nobody gets."""
        self._lanes.met_lock(name)
        for each in self._lanes.behind_stuck(name):
            turn = self._waiting.get(each)
            if turn is not None and not turn.done():
                turn.set_exception(self._stuck(each))

    def _stuck(self, name: str) -> StuckLaneError:
        return StuckLaneError(
            f"not tried, since the last {STUCK_AFTER} clones have met the lock of storage "
            f"{self._lanes.storage(name)}: look who holds it (the tasks of its hosts)"
        )

    async def _turn(self, name: str) -> None:
        if self._ending():
            raise InterruptedRunError("the run ends")
        if self._lanes.behind_stuck(name):
            raise self._stuck(name)
        turn = self._waiting[name] = asyncio.get_running_loop().create_future()
        self._lanes.ask(name)
        try:
            self._let_go()
            if not turn.done() and (self._watcher is None or self._watcher.done()):
                self._watcher = asyncio.create_task(self._watch())
            await turn
        except BaseException:
            self._lanes.end(name)
            raise
        finally:
            self._waiting.pop(name, None)

    def _let_go(self) -> None:
        for name in self._lanes.next(time.monotonic()):
            turn = self._waiting.get(name)
            if turn is not None and not turn.done():
                turn.set_result(None)

    async def _watch(self) -> None:
        """Look at the cluster as long as somebody waits."""
        checked = 0.0
        while self._lanes.waiting:
            spent = await self._look()
            self._let_go()
            now = time.monotonic()
            if now - checked > PATIENCE_S:
                checked = now
                if self._ending():
                    return
            pause = max(self._lanes.pause(now), spent / 2)
            await asyncio.sleep(min(pause, PATIENCE_S))

    async def _look(self) -> float:
        """One look; the seconds that it took, or more when it failed."""
        if self._sight is None:
            return BLIND_PAUSE_S
        begun = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            sight = await loop.run_in_executor(self._thread, self._sight.guests)
        except Exception as error:  # whatever it is: nobody may wait for ever because of it
            if not isinstance(error, SightError):
                pulumi.log.debug(f"the cluster could not be looked at: {type(error).__name__}")
            return BLIND_PAUSE_S
        now = time.monotonic()
        self._lanes.look(sight, now)
        return now - begun

    def _ending(self) -> bool:
        path = os.environ.get(ENDING_VARIABLE)
        if not self._ended and path and Path(path).exists():
            self._end()
        return self._ended

    def _end(self) -> None:
        """Let nobody wait any longer."""
        self._ended = True
        for turn in self._waiting.values():
            if not turn.done():
                turn.set_exception(InterruptedRunError("the run ends"))


def turns(plan: EventPlan) -> Turns:
    """The turns of an event's guests, watched with the provider's token."""
    token = None if pulumi.runtime.is_dry_run() else api_token(plan.api)
    sight = Sight(plan.api, token) if token else None
    return Turns(plan.guests, sight, pace=float(os.environ.get(PACE_VARIABLE, "1")))
