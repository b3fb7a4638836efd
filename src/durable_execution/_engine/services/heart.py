"""Keeps the lease: beats from a thread of its own, so that a busy event loop is no death.

Three things end the lease on purpose. The heart stops beating when the loop has not answered for
`loop_stall_timeout`, and says which task holds it. When beats have failed for the whole lease it
tells the loop to stop all attempts, before anyone else may start them. And each beat brings back
which attempts are no longer this executor's. A native call that never lets go of the interpreter
lock starves this thread too: then the lease runs out, and fences reject what comes late.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from durable_execution._engine.clock import Clock
from durable_execution._engine.rhythm import Rhythm
from durable_execution._engine.running import Running
from durable_execution._observing import Fact, LeaseEnded, LoopStalled
from durable_execution.errors import StorageError
from durable_execution.storage.protocol import Beat, Pulse, Storage

logger = logging.getLogger(__name__)

STORED_SHARE: Final = 0.7
"""The lease in the storage is shorter than the one that is promised, because the next beat of
another executor has yet to notice that it is over: 0.7 and a beat make 0.95 of the promise."""
TRUSTED_SHARE: Final = 0.65
"""The executor counts on less than is stored: its attempts need a moment to stop, and the storage
counts in whole milliseconds, before others may begin them."""
BEATS_PER_LEASE: Final = 4


class Told(NamedTuple):
    """Whom the heart tells what it learns; each is called on the executor's event loop."""

    lost: Callable[[Iterable[tuple[str, int]]], None]
    """Given (execution id, fence): while a beat is under way, a row may be lost and taken anew."""
    lost_all: Callable[[], None]
    found_dead: Callable[[], None]
    revived: Callable[[], None]
    """The lease was over and runs again: rows may still be held whose attempts were stopped, and
    claims in between were refused."""


class Heart:
    """The thread that beats."""

    def __init__(
        self,
        storage: Storage,
        running: Running,
        clock: Clock,
        told: Told,
        *,
        executor_id: str,
        task_ids: Callable[[], frozenset[str]],
        lease_ms: int,
        loop_stall_timeout: float,
        rhythm: Rhythm,
        monotonic: Callable[[], float],
        tell: Callable[[Fact], None] | None = None,
    ) -> None:
        self._storage = storage
        self._running = running
        self._clock = clock
        self._told = told
        self._executor_id = executor_id
        self._task_ids = task_ids
        self._told_task_ids: frozenset[str] | None = None
        """What the storage has been told to be run here."""
        self._lease_ms = lease_ms
        self._loop_stall_timeout = loop_stall_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._rhythm = rhythm
        self._monotonic = monotonic
        self._tell_fact = tell
        self._is_stopped = False
        self._asked_at: float | None = None
        """Since when the executor's loop owes an answer."""
        self._has_stalled = False
        self._has_lost_all = False
        self._beaten_at = 0.0
        self._terms = 0

    @property
    def is_beating(self) -> bool:
        """Whether the lease still runs, as far as is known here."""
        return self._lease_left > 0

    @property
    def lease_term(self) -> int | None:
        """The number of the lease that runs, None while none does; each end begins another."""
        return self._terms if self.is_beating else None

    @property
    def _lease_left(self) -> float:
        """Seconds until what this executor holds must have stopped here."""
        return self._beaten_at + self._lease_ms * TRUSTED_SHARE / 1000 - self._monotonic()

    async def start(self) -> None:
        """Beat once, which registers the executor, and go on beating in a thread."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        beat, sent_at = self._beat(), self._monotonic()
        pulse = await self._storage.heartbeat(beat)
        self._take(pulse, beat, sent_at, is_first=True)
        self._rhythm.start(self._keep_beating, name=f"durable-execution-heart-{self._executor_id}")

    def give_up(self) -> None:
        """Stop beating without waiting for the thread."""
        self._is_stopped = True
        self._rhythm.hasten()

    async def stop(self) -> None:
        """Stop beating; the lease runs out unless the executor signs off."""
        self.give_up()
        await self._rhythm.ended()

    def beat_now(self) -> None:
        """Beat at once, to learn what was lost."""
        self._rhythm.hasten()

    async def _keep_beating(self) -> None:
        storage = self._storage.sibling()
        interval = self._lease_ms / 1000 / BEATS_PER_LEASE
        is_open = storage is self._storage
        try:
            while not await self._next_beat(interval):
                self._check_lease()
                if self._is_loop_stalled():
                    continue
                try:
                    if not is_open:
                        await storage.open()
                        is_open = True
                    # One that hangs must not hide that the lease is over.
                    left = self._lease_left
                    async with asyncio.timeout(left if left > 0 else self._lease_ms / 1000):
                        beat, sent_at = self._beat(), self._monotonic()
                        pulse = await storage.heartbeat(beat)
                    self._take(pulse, beat, sent_at, is_first=False)
                except Exception as error:
                    is_expected = isinstance(error, StorageError | TimeoutError)
                    logger.warning(
                        "a beat failed",
                        exc_info=None if is_expected else error,
                        extra={"error": str(error)},
                    )
                    self._check_lease()  # a beat that hung may have outlived it
        finally:
            if storage is not self._storage:
                await storage.close()

    async def _next_beat(self, interval: float) -> bool:
        """Wait for the next beat; return whether to stop instead."""
        left = self._lease_left
        await self._rhythm.pause(min(interval, left) if left > 0 else interval)
        return self._is_stopped

    def _beat(self) -> Beat:
        task_ids = self._task_ids()
        return Beat(
            executor_id=self._executor_id,
            lease_ms=int(self._lease_ms * STORED_SHARE),
            held=self._running.held(),
            task_ids=None if task_ids == self._told_task_ids else task_ids,
            ended=self._running.ended,
        )

    def _take(self, pulse: Pulse, beat: Beat, sent_at: float, *, is_first: bool) -> None:
        was_over = self._has_lost_all or not (is_first or self.is_beating)
        self._beaten_at = sent_at  # the storage counts from later, which is the safe side
        self._clock.sync(pulse.now, took_ms=math.ceil((self._monotonic() - sent_at) * 1000))
        if beat.task_ids is not None:
            self._told_task_ids = beat.task_ids
        elif not pulse.was_known:
            self._told_task_ids = None  # forgotten with the executor: told with the next beat
        was_given_up = not pulse.was_known and not is_first
        if was_given_up:
            logger.warning("this executor was given up for dead and registers again")
        self._has_lost_all = False
        if was_over:
            self._terms += 1
        if was_over or was_given_up:
            self._tell(self._told.revived)
        if pulse.lost:
            lost = frozenset(pulse.lost)
            self._tell(self._told.lost, [held for held in beat.held if held[0] in lost])
        if pulse.found_dead:
            self._tell(self._told.found_dead)

    def _check_lease(self) -> None:
        if self.is_beating:
            return
        if not self._has_lost_all:
            self._has_lost_all = True
            logger.error("no beat came through: the lease is over, stopping all attempts")
            if self._tell_fact is not None:
                self._tell_fact(LeaseEnded(self._executor_id))
        self._tell(self._told.lost_all)

    def _is_loop_stalled(self) -> bool:
        """Whether the loop has owed an answer for too long; if it owes none, ask for one.

        Silence counts from the question: beats may be further apart than the loop may be silent.
        """
        asked_at = self._asked_at
        if asked_at is None:
            asked_at = self._asked_at = self._monotonic()
            self._tell(self._answer)
        silence = self._monotonic() - asked_at
        if silence <= self._loop_stall_timeout:
            self._has_stalled = False
            return False
        if not self._has_stalled:
            self._has_stalled = True
            logger.error(
                "event loop has not answered for %.1f s, the lease will end; it is held by %s",
                silence,
                self._culprit(),
            )
            if self._tell_fact is not None:
                self._tell_fact(LoopStalled(self._executor_id, silence))
        return True

    def _answer(self) -> None:
        self._asked_at = None

    def _culprit(self) -> str:
        """Name what the executor's event loop is doing right now."""
        name = "no task"
        if self._loop is not None:
            task = asyncio.current_task(self._loop)
            name = name if task is None else self._running.name_of(task)
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way
        if frame is None:
            return name
        return f"{name}, in {''.join(traceback.format_stack(frame, limit=3)).strip()}"

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)
