from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    InvalidOptionError,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    Storage,
    StoredError,
    TaskContext,
    Tasks,
    child_task,
    open_storage,
    task_to_enqueue,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.transitions import cancel
from durable_execution._observing import (
    Activity,
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    BatchWritten,
    EnqueueTasks,
    ExecutionFinished,
    ExecutionRescued,
    Fact,
    RunAttempt,
    StorageCalled,
    TasksEnqueued,
    attempt_names,
    continuing,
    current_trace,
)
from tests.conftest import OPTIONS
from tests.executor.crash import crash

SENT = f"00-{7:032x}-{9:016x}-01"
tasks = Tasks()


@tasks.task(id="double")
async def double(ctx: TaskContext, number: int) -> int:
    return number * 2


@tasks.task(id="flaky", retry=RetryOptions(max_retries=1))
async def flaky(ctx: TaskContext, name: str) -> str | None:
    if ctx.attempt == 0:
        raise ValueError(name)
    return ctx.traceparent


@tasks.task(id="slow", timeout=0.05)
async def slow(ctx: TaskContext) -> None:
    await asyncio.Event().wait()


@tasks.task(id="hang")
async def hang(ctx: TaskContext) -> str | None:
    if not Hanging.is_over:
        await asyncio.Event().wait()
    return ctx.traceparent


class Hanging:
    is_over = False


@tasks.task(id="names")
def names(ctx: TaskContext) -> list[str | None]:
    running = attempt_names.current()
    assert running is not None
    return [running.execution_id, current_trace.get(), ctx.traceparent]


async def summarize(ctx: TaskContext, result: ParentTaskResult[str | None]) -> list[str | None]:
    return [ctx.traceparent, result.output, *result.outputs_of(flaky)]


@tasks.parent_task(id="family", finalize=summarize)
async def family(ctx: TaskContext) -> ParentTaskOutput[str | None]:
    return ParentTaskOutput(ctx.traceparent, [child_task(flaky, "child")])


class Spans:
    """A tracer that numbers its spans, and remembers what each is about and continues."""

    def __init__(self) -> None:
        self.begun: list[tuple[Activity, str | None]] = []
        self.errors: list[str] = []

    @contextmanager
    def __call__(self, activity: Activity, parent: str | None) -> Iterator[str | None]:
        self.begun.append((activity, parent))
        try:
            yield self.traceparent(len(self.begun))
        except BaseException as error:
            self.errors.append(repr(error))
            raise

    @staticmethod
    def traceparent(number: int) -> str:
        return f"00-{1:032x}-{number:016x}-01"


def executor_on(storage: Storage, **options: object) -> DurableExecutor:
    executor = DurableExecutor(storage, replace(OPTIONS, **options))  # type: ignore[arg-type]
    executor.include(tasks)
    return executor


def kinds(facts: list[Fact], *wanted: type[object]) -> list[Fact]:
    return [fact for fact in facts if isinstance(fact, wanted)]


async def test_life_of_an_execution_is_told() -> None:
    facts: list[Fact] = []
    async with executor_on(open_storage("memory://"), observers=[facts.append]) as executor:
        handle = await executor.enqueue_task(flaky, "x")
        await handle.result()
    told = kinds(facts, TasksEnqueued, AttemptStarted, AttemptEnded, ExecutionFinished)
    told.sort(key=lambda fact: isinstance(fact, ExecutionFinished))
    execution_id = handle.execution_id
    assert TasksEnqueued("flaky", 1) in told
    assert [
        (fact.attempt, getattr(fact, "outcome", "started"), fact.execution_id)
        for fact in told
        if isinstance(fact, AttemptStarted | AttemptEnded)
    ] == [
        (0, "started", execution_id),
        (0, "retried", execution_id),
        (1, "started", execution_id),
        (1, "completed", execution_id),
    ]
    finished = told[-1]
    assert isinstance(finished, ExecutionFinished)
    assert (finished.task_id, finished.status) == ("flaky", "completed")
    assert 0 <= finished.duration < 60


async def test_outcomes_are_told_apart() -> None:
    facts: list[Fact] = []
    async with executor_on(open_storage("memory://"), observers=[facts.append]) as executor:
        with pytest.raises(DurableExecutionError):
            await (await executor.enqueue_task(slow)).result()
        await (await executor.enqueue_task(family)).result()
        hanging = await executor.enqueue_task(hang)
        while executor.running_task_execution_ids != {hanging.execution_id}:
            await asyncio.sleep(0)  # a turn of the loop
        await hanging.cancel()
        while executor.running_task_execution_ids:
            await asyncio.sleep(0)
        hanging = await executor.enqueue_task(hang)
        while not executor.running_task_execution_ids:
            await asyncio.sleep(0)
    ended = Counter(fact.outcome for fact in facts if isinstance(fact, AttemptEnded))
    assert ended == {
        "timed_out": 1,
        "spawned": 1,
        "retried": 1,
        "completed": 2,
        "cancelled": 1,
        "handed_back": 1,
    }
    finished = {
        (fact.task_id, fact.status) for fact in facts if isinstance(fact, ExecutionFinished)
    }
    assert ("slow", "timed_out") in finished
    assert ("hang", "cancelled") in finished
    assert ("family", "completed") in finished


async def test_batches_and_calls_of_the_storage_are_told() -> None:
    facts: list[Fact] = []
    async with executor_on(open_storage("memory://"), observers=[facts.append]) as executor:
        handles = await asyncio.gather(*(executor.enqueue_task(double, n) for n in range(20)))
        handles += await executor.enqueue_tasks([task_to_enqueue(double, n) for n in range(3)])
        for handle in handles:
            await handle.result()
    written = Counter[str]()
    for fact in facts:
        if isinstance(fact, BatchWritten):
            written[fact.verb] += fact.size
    assert written["insert"] == 20
    assert written["insert_all"] == 1
    assert written["apply"] == 23
    verbs = {fact.verb for fact in facts if isinstance(fact, StorageCalled)}
    assert {"apply", "heartbeat", "insert", "sign_off"} <= verbs
    assert not verbs & {"open", "close", "listen", "can_notify"}
    assert TasksEnqueued("double", 3) in facts


async def test_rescue_and_end_of_a_lease_are_told(storage: Storage) -> None:
    facts: list[Fact] = []
    first, second = (
        executor_on(each, observers=[facts.append], lease=0.4)
        for each in (storage, storage.sibling())
    )
    Hanging.is_over = False
    await first.start()
    with continuing({"traceparent": SENT}):
        handle = await first.enqueue_task(hang)
    while not first.running_task_execution_ids:
        await asyncio.sleep(0)
    await crash(first)
    Hanging.is_over = True
    async with second:
        found = await second.get_task_execution_handle(hang, handle.execution_id)
        assert await found.result() == SENT
    assert ExecutionRescued("hang", handle.execution_id, is_given_up=False) in facts


async def test_outcome_that_comes_too_late_is_told() -> None:
    facts: list[Fact] = []
    storage = open_storage("memory://")
    async with executor_on(storage, observers=[facts.append], lease=30) as executor:
        handle = await executor.enqueue_task(finish_late)
        await FinishLate.began.wait()
        (row,) = await storage.get([handle.execution_id])
        assert row is not None
        cancelled = StoredError(error_type="cancelled", message="by another executor")
        await storage.apply([cancel(row, error=cancelled, now=row.updated_at)])
        FinishLate.may_end.set()
        while executor.running_task_executions_count:
            await asyncio.sleep(0)  # a turn of the loop
    assert AttemptLost("finishLate", handle.execution_id) in facts
    assert not kinds(facts, ExecutionFinished)


class FinishLate:
    began = asyncio.Event()
    may_end = asyncio.Event()


@tasks.task(id="finishLate")
async def finish_late(ctx: TaskContext) -> None:
    FinishLate.began.set()
    await FinishLate.may_end.wait()


async def test_storage_metrics_count_and_bound_durations() -> None:
    executor = executor_on(open_storage("memory://"), enable_storage_metrics=True)
    assert executor.get_storage_metrics() == {}
    async with executor:
        for number in range(10):
            await (await executor.enqueue_task(double, number)).result()
        metrics = executor.get_storage_metrics()
        applied = metrics["apply"]
        assert applied.count == 10
        assert applied.errors == 0
        assert 0 <= applied.min <= applied.p50 <= applied.p90 <= applied.p95 <= applied.max
    async with executor_on(open_storage("memory://")) as silent:
        await (await silent.enqueue_task(double, 1)).result()
        assert silent.get_storage_metrics() == {}


async def test_trace_of_a_caller_reaches_every_attempt_and_child(storage: Storage) -> None:
    async with executor_on(storage) as executor:
        with continuing({"traceparent": SENT}):
            handles = [
                await executor.enqueue_task(flaky, "retried"),
                await executor.enqueue_task(flaky, "keyed", key="k", tags={"a": "1"}),
                (await executor.enqueue_tasks([task_to_enqueue(flaky, "many")]))[0],
            ]
            parent = await executor.enqueue_task(family)
            named = await executor.enqueue_task(names)
        untraced = await executor.enqueue_task(flaky, "none")
        assert [await handle.result() for handle in handles] == [SENT] * 3
        assert await parent.result() == [SENT] * 3
        assert await named.result() == [named.execution_id, SENT, SENT]
        assert await untraced.result() is None
        assert attempt_names.current() is None


async def test_tracer_gets_a_span_for_each_enqueue_and_attempt_in_one_trace(
    storage: Storage,
) -> None:
    spans = Spans()
    async with executor_on(storage, tracer=spans) as executor:
        with continuing({"traceparent": SENT}):
            handle = await executor.enqueue_task(family)
        await handle.result()
    activities = [activity for activity, _ in spans.begun]
    assert activities[0] == EnqueueTasks("family", handle.execution_id)
    attempts = [each for each in activities[1:] if isinstance(each, RunAttempt)]
    parents = [parent for _, parent in spans.begun]
    # Children are part of the attempt of their parent, its finalize task of what caused it.
    assert [(each.task_id, each.attempt) for each in attempts] == [
        ("family", 0),
        ("flaky", 0),
        ("flaky", 1),
        ("family_finalize", 0),
    ]
    assert parents == [
        SENT,
        Spans.traceparent(1),
        Spans.traceparent(2),
        Spans.traceparent(2),
        Spans.traceparent(1),
    ]
    assert spans.errors == ["ValueError('child')"]


async def test_span_of_an_attempt_says_why_it_was_cancelled() -> None:
    spans = Spans()
    async with executor_on(open_storage("memory://"), tracer=spans) as executor:
        with pytest.raises(DurableExecutionError):
            await (await executor.enqueue_task(slow)).result()
    assert spans.errors == ["CancelledError('timed out')"]


async def test_hooks_must_be_callable() -> None:
    with pytest.raises(InvalidOptionError, match=re.escape("observers must be callable")):
        executor_on(open_storage("memory://"), observers=["print"])
    with pytest.raises(InvalidOptionError, match="tracer must be callable"):
        executor_on(open_storage("memory://"), tracer="otel")


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_names, "are_wanted", True)


async def test_attempts_are_named_only_where_somebody_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_names, "are_wanted", False)
    Kept.names.clear()
    async with executor_on(open_storage("memory://")) as executor:
        await (await executor.enqueue_task(keep_names)).result()
    assert Kept.names == [None]


async def test_executor_that_is_started_within_a_trace_runs_others_outside_of_it() -> None:
    with continuing({"traceparent": SENT}):
        executor = executor_on(open_storage("memory://"))
        await executor.start()
        assert current_trace.get() == SENT
        inside = await executor.enqueue_task(names)
    outside = await executor.enqueue_task(names)
    assert await inside.result() == [inside.execution_id, SENT, SENT]
    assert await outside.result() == [outside.execution_id, None, None]
    await executor.shutdown()


async def test_names_of_an_attempt_keep_nothing_alive_but_its_row() -> None:
    Kept.names.clear()
    async with executor_on(open_storage("memory://")) as executor:
        handle = await executor.enqueue_task(keep_names)
        await handle.result()
    (kept,) = Kept.names
    assert isinstance(kept, ExecutionRecord)


class Kept:
    names: list[object] = []  # noqa: RUF012 # reset by nobody: one test fills it


@tasks.task(id="keepNames")
async def keep_names(ctx: TaskContext) -> None:
    Kept.names.append(attempt_names.current())
