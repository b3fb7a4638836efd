from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from durable_execution._engine.crew import Crew
from durable_execution._engine.running import Attempt
from tests._core.records import record_in
from tests._engine.attempts import tasks

place: ContextVar[str] = ContextVar("place", default="outside")


class Stage:
    """Runs attempts as a function says, and notes what becomes of them."""

    def __init__(self, act: Callable[[str], Awaitable[None]]) -> None:
        self._act = act
        self.crew = Crew(self._run, self._waits)
        self.began: list[str] = []
        self.ended: list[str] = []
        self.waited: list[str] = []

    async def _run(self, attempt: Attempt) -> None:
        name = attempt.record.execution_id
        self.began.append(name)
        try:
            await self._act(name)
        finally:
            self.ended.append(name)

    def _waits(self, attempt: Attempt) -> None:
        self.waited.append(attempt.record.execution_id)

    def start(self, *names: str) -> list[Attempt]:
        attempts = [
            Attempt(record_in("running", execution_id=each), tasks["on_the_loop"]) for each in names
        ]
        for attempt in attempts:
            self.crew.start(attempt)
        return attempts

    async def all_ended(self, number: int) -> None:
        while len(self.ended) < number:
            await asyncio.sleep(0)


async def test_what_never_waits_shares_a_task_and_begins_in_order() -> None:
    jobs: set[int] = set()

    async def act(_: str) -> None:
        jobs.add(id(asyncio.current_task()))

    stage = Stage(act)
    attempts = stage.start("a", "b", "c")
    assert stage.began == []
    await stage.all_ended(3)
    assert stage.began == ["a", "b", "c"]
    assert len(jobs) == 1
    assert stage.waited == []
    assert [attempt.job for attempt in attempts] == [None] * 3


async def test_what_waits_has_a_task_of_its_own_and_holds_up_nobody() -> None:
    gate = asyncio.Event()
    jobs: dict[str, asyncio.Task[Any] | None] = {}

    async def act(name: str) -> None:
        jobs[name] = asyncio.current_task()
        if name in "ac":
            await gate.wait()
            assert jobs[name] is asyncio.current_task()

    stage = Stage(act)
    first, *_ = stage.start("a", "b", "c", "d")
    await stage.all_ended(2)
    assert stage.ended == ["b", "d"]
    assert stage.waited == ["a", "c"]
    assert first.job is jobs["a"]
    assert len({jobs["a"], jobs["b"], jobs["c"]}) == 3
    gate.set()
    await stage.all_ended(4)
    assert stage.ended == ["b", "d", "a", "c"]


async def test_every_attempt_has_a_context_of_its_own() -> None:
    seen: list[str] = []

    async def act(name: str) -> None:
        seen.append(place.get())
        place.set(name)
        if name == "b":
            await asyncio.sleep(0)
            assert await asyncio.create_task(_placed()) == "b"
        assert place.get() == name

    async def _placed() -> str:
        return place.get()

    stage = Stage(act)
    stage.start("a", "b", "c")
    await stage.all_ended(3)
    assert seen == ["outside"] * 3
    assert place.get() == "outside"


async def test_a_task_that_somebody_keeps_is_not_shared_any_more() -> None:
    kept: dict[asyncio.Task[Any] | None, str] = {}

    async def act(name: str) -> None:
        kept[asyncio.current_task()] = name

    stage = Stage(act)
    stage.start("a", "b")
    await stage.all_ended(2)
    assert sorted(kept.values()) == ["a", "b"]


async def test_a_task_that_cancels_itself_takes_nobody_along() -> None:
    async def act(name: str) -> None:
        job = asyncio.current_task()
        assert job is not None
        if name == "a":
            job.cancel()
        await asyncio.sleep(0)

    stage = Stage(act)
    stage.start("a", "b")
    await stage.all_ended(2)
    assert stage.waited == ["a", "b"]


async def test_a_cancellation_reaches_who_waits_and_nobody_after_it() -> None:
    stopped: list[str] = []

    async def act(name: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(name)
            raise

    stage = Stage(act)
    first, _ = stage.start("a", "b")
    while len(stage.waited) < 2:
        await asyncio.sleep(0)
    assert first.job is not None
    first.job.cancel()
    await stage.all_ended(1)
    assert stopped == ["a"]
    stage.start("c")
    while len(stage.waited) < 3:
        await asyncio.sleep(0)
    assert stopped == ["a"]


async def test_what_was_abandoned_never_begins() -> None:
    async def act(_: str) -> None: ...

    stage = Stage(act)
    first, _ = stage.start("a", "b")
    first.abandon()
    await stage.all_ended(1)
    assert stage.began == ["b"]


async def test_what_asks_for_its_task_can_bound_and_group_its_work() -> None:
    async def act(_: str) -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))

    stage = Stage(act)
    stage.start("a", "b")
    await stage.all_ended(2)
    assert stage.ended == ["a", "b"]
