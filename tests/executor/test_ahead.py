"""Rows that are claimed before a thread is free, because one should be in a moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from durable_execution import (
    DurableExecutionCancelledError,
    DurableExecutor,
    TaskContext,
    TaskExecutionHandle,
)
from durable_execution._engine import attempt
from durable_execution._engine.surroundings import Surroundings
from durable_execution._engine.threads import WorkerThreads
from durable_execution._observing import Activity, RunAttempt, Tracer
from durable_execution.storage.protocol import Storage
from tests.conftest import OPTIONS


class Gate:
    """A task that says that it has begun, and returns once it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.runs: list[str] = []

    def __call__(self, ctx: TaskContext) -> int:
        self.runs.append(ctx.execution_id)
        self.begun.set()
        while not self.may_end.is_set() and not ctx.cancel_signal.wait_in_thread(0.005):
            pass
        return ctx.attempt


def one_thread(storage: Storage, tracer: Tracer | None = None) -> DurableExecutor:
    """Return an executor with one thread, which thinks that it will be free in a moment."""

    def new_threads(most: int) -> WorkerThreads:
        threads = WorkerThreads(most)
        for _ in range(100):
            threads.ahead.note(0)
        return threads

    options = replace(OPTIONS, max_threads=1, shutdown_timeout=0, tracer=tracer)
    executor = DurableExecutor(storage, options)
    executor._surroundings = Surroundings(new_threads=new_threads)
    return executor


async def enqueued(executor: DurableExecutor, task: Any) -> list[TaskExecutionHandle[int]]:
    return [await executor.enqueue_task(task) for _ in range(3)]


async def are(handles: Sequence[TaskExecutionHandle[int]], *statuses: str) -> bool:
    return [(await each.get_execution()).status for each in handles] == list(statuses)


async def test_what_waits_for_too_long_is_handed_back(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "PATIENCE", 0.01)
    gate = Gate()
    async with one_thread(storage) as executor:
        handles = await enqueued(executor, executor.task(id="gate")(gate))
        while not await are(handles, "running", "ready", "ready"):
            await asyncio.sleep(0.001)  # its patience ends by itself
        assert executor.running_task_execution_ids == {handles[0].execution_id}
        gate.may_end.set()
        assert [await each.result() for each in handles] == [0, 0, 0], "a retry was spent"
    assert sorted(gate.runs) == sorted(each.execution_id for each in handles)


async def test_what_is_handed_back_is_no_error_of_its_span(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "PATIENCE", 0.01)
    errors: list[BaseException] = []
    attempts = 0

    @contextmanager
    def spans(activity: Activity, parent: str | None, /) -> Iterator[str | None]:
        nonlocal attempts
        attempts += isinstance(activity, RunAttempt)
        try:
            yield None
        except BaseException as error:
            errors.append(error)
            raise

    gate = Gate()
    async with one_thread(storage, spans) as executor:
        handles = await enqueued(executor, executor.task(id="gate")(gate))
        while not await are(handles, "running", "ready", "ready"):
            await asyncio.sleep(0.001)  # its patience ends by itself
        gate.may_end.set()
        assert [await each.result() for each in handles] == [0, 0, 0]
    assert attempts > len(handles), "nothing was handed back"
    assert not errors


async def test_a_shutdown_hands_back_what_waits(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "PATIENCE", 60)
    gate, other = Gate(), Gate()
    other.may_end.set()
    async with one_thread(storage.sibling()) as second:
        executor = one_thread(storage)
        await executor.start()
        handles = await enqueued(executor, executor.task(id="gate")(gate))
        await asyncio.to_thread(gate.begun.wait, 30)
        while not await are(handles, "running", "running", "running"):
            await asyncio.sleep(0.001)  # the claim is on its way
        await executor.shutdown()
        task = second.task(id="gate")(other)
        for each in handles:
            found = await second.get_task_execution_handle(task, each.execution_id)
            assert await found.result() == 0
    assert gate.runs == [handles[0].execution_id]
    assert sorted(other.runs) == sorted(each.execution_id for each in handles[1:])


async def test_what_is_cancelled_while_it_waits_never_runs(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "PATIENCE", 60)
    gate = Gate()
    async with one_thread(storage) as executor:
        handles = await enqueued(executor, executor.task(id="gate")(gate))
        while not await are(handles, "running", "running", "running"):
            await asyncio.sleep(0.001)  # the claim is on its way
        await handles[1].cancel()
        with pytest.raises(DurableExecutionCancelledError):
            await handles[1].result()
        gate.may_end.set()
        assert (await handles[0].result(), await handles[2].result()) == (0, 0)
    assert gate.runs == [handles[0].execution_id, handles[2].execution_id]
