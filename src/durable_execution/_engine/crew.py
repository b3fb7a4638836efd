"""Runs attempts, many in one task of asyncio for as long as none of them waits for anything.

To make a task of asyncio and to let it begin with the next turn of the loop costs more than all
else that an engine of few parts does for a short attempt. So an attempt begins in a task in which
others have begun before, each in a context of its own. Once it waits, that task is its own: it
bears its name, nothing else ever runs in it, and what else is to begin goes on in another one.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from functools import partial
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from durable_execution._engine.running import Attempt

Run = Callable[[Attempt], Coroutine[Any, Any, None]]


class Crew:
    """Begins attempts in the order in which they are given.

    Args:
        run: Runs an attempt, to its end.
        on_wait: Hears of an attempt that waits for the first time.
    """

    def __init__(self, run: Run, on_wait: Callable[[Attempt], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._run = run
        self._on_wait = on_wait
        self._next: deque[Attempt] = deque()
        self._hand: asyncio.Task[None] | None = None
        """The task that what comes next begins in; it is about to run, or runs."""

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt with the next turn of the loop."""
        self._next.append(attempt)
        if self._hand is None:
            self._call()

    def _call(self) -> None:
        self._hand = self._loop.create_task(self._work(), name="durable-execution-crew")

    async def _work(self) -> None:
        job = self._hand
        assert job is not None  # noqa: S101 - `start` has set it
        strong, weak = getrefcount(job), getweakrefcount(job)
        try:
            while self._next:
                attempt = self._next.popleft()
                if attempt.is_abandoned:
                    continue
                attempt.job = job
                has_waited = await self._take_through(attempt, job)
                attempt.job = None
                if has_waited or job.cancelling():
                    return
                if getrefcount(job) != strong or getweakrefcount(job) != weak:
                    return  # somebody has noted it as the task of that attempt
        finally:
            self._part_from(job)

    @types.coroutine
    def _take_through(self, attempt: Attempt, job: asyncio.Task[None]) -> Generator[Any, Any, bool]:
        """Run an attempt in a context of its own; return whether it has ever waited."""
        within = copy_context().run
        run = self._run(attempt)
        try:
            awaited = within(run.send, None)
        except StopIteration:
            return False
        self._part_from(job)
        self._on_wait(attempt)
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # cancelled, or closed with its loop
                step = partial(run.throw, error)
            else:
                step = partial(run.send, value)
            try:
                awaited = within(step)
            except StopIteration:
                return True

    def _part_from(self, job: asyncio.Task[None]) -> None:
        """Leave a task to what runs in it; the others go on in a new one."""
        if self._hand is not job:
            return
        self._hand = None
        if self._next:
            self._call()
