from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    Storage,
    StorageError,
    StorageUnavailableError,
    Task,
    TaskContext,
    child_task,
)
from durable_execution._engine import patience
from durable_execution._engine.commits import PATIENT_TRIES
from tests.conftest import CLAIMED, OPTIONS
from tests.executor.faulty_storage import FaultyStorage

WHEN = ("fail_before", "fail_after")


@pytest.fixture
def faulty(storage: Storage) -> FaultyStorage:
    return FaultyStorage(storage)


@pytest.fixture
async def executor(faulty: FaultyStorage, lease: float) -> AsyncIterator[DurableExecutor]:
    async with DurableExecutor(faulty, replace(OPTIONS, lease=lease)) as executor:
        yield executor


@pytest.fixture
def runs() -> Counter[str]:
    return Counter()


@pytest.fixture
def leaf(executor: DurableExecutor, runs: Counter[str]) -> Task[int, int]:
    @executor.task
    async def leaf(ctx: TaskContext, number: int) -> int:
        runs[ctx.execution_id] += 1
        return number * 2

    return leaf


@pytest.fixture
def tree(executor: DurableExecutor, leaf: Task[int, int]) -> Task[int, int]:
    async def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        return result.output + sum(result.outputs_of(leaf))

    @executor.parent_task(finalize=total)
    async def tree(ctx: TaskContext, count: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(count, [child_task(leaf, 1) for _ in range(count)])

    return tree


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("verb", ["insert", "claim", "apply", "get"])
async def test_a_fault_loses_nothing_and_does_nothing_twice(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    leaf: Task[int, int],
    runs: Counter[str],
    verb: str,
    when: str,
) -> None:
    getattr(faulty, when)(verb, times=3)
    tags = CLAIMED if verb == "claim" else None
    handles = await asyncio.gather(
        *(executor.enqueue_task(leaf, number, tags=tags) for number in range(10))
    )
    results = await asyncio.gather(*(handle.result() for handle in handles))
    assert results == [each * 2 for each in range(10)]
    assert set(runs.values()) == {1}
    assert len(runs) == 10


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("verb", ["apply", "claim", "children_of", "last_children_of", "joinable"])
async def test_a_tree_ends_whatever_call_fails(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    tree: Task[int, int],
    runs: Counter[str],
    verb: str,
    when: str,
) -> None:
    sequence = executor.sequential_tasks("sequence", (tree, tree))
    handle = await executor.enqueue_task(sequence, 2)
    getattr(faulty, when)(verb, times=2)
    # Well below the ten seconds of the sweep for what nobody was told of.
    assert await handle.result(timeout=30) == 18
    assert set(runs.values()) == {1}


@pytest.mark.parametrize("place", range(8))
async def test_each_write_of_a_tree_may_lose_its_answer(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    tree: Task[int, int],
    runs: Counter[str],
    place: int,
) -> None:
    applied = 0

    def count() -> None:
        nonlocal applied
        applied += 1
        if applied == place:
            faulty.fail_after("apply")
        faulty.after_next("apply", count)

    faulty.after_next("apply", count)
    handle = await executor.enqueue_task(tree, 2)
    assert await handle.result(timeout=30) == 6
    assert set(runs.values()) == {1}


async def test_an_outcome_outlasts_a_storage_that_is_long_away(
    executor: DurableExecutor, faulty: FaultyStorage, leaf: Task[int, int], runs: Counter[str]
) -> None:
    faulty.fail_before("apply", times=5)
    assert await (await executor.enqueue_task(leaf, 1)).result() == 2
    assert set(runs.values()) == {1}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long before trying again."""
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.03)


@pytest.mark.usefixtures("hurried")
async def test_finalize_waits_for_a_storage_that_is_long_away(
    executor: DurableExecutor, faulty: FaultyStorage, tree: Task[int, int]
) -> None:
    handle = await executor.enqueue_task(tree, 1)
    faulty.fail_before("children_of", times=2 * PATIENT_TRIES)
    assert await handle.result() == 3


@pytest.mark.usefixtures("hurried")
async def test_an_enqueue_gives_up_after_some_tries(
    executor: DurableExecutor, faulty: FaultyStorage, leaf: Task[int, int]
) -> None:
    faulty.fail_before("insert", times=100)
    with pytest.raises(StorageUnavailableError, match="insert was not reached"):
        await executor.enqueue_task(leaf, 1)
    assert faulty.calls["insert"] == PATIENT_TRIES
    faulty.recover()
    assert await (await executor.enqueue_task(leaf, 1)).result() == 2


async def test_a_refused_insert_fails_its_caller_only(
    executor: DurableExecutor, faulty: FaultyStorage, leaf: Task[int, int]
) -> None:
    faulty.fail_before("insert", error=StorageError("disk full"))
    with pytest.raises(StorageError, match="disk full"):
        await executor.enqueue_task(leaf, 1)
    assert await (await executor.enqueue_task(leaf, 1)).result() == 2


async def test_an_outcome_that_the_storage_refuses_fails_the_execution(
    executor: DurableExecutor, faulty: FaultyStorage, leaf: Task[int, int]
) -> None:
    faulty.fail_before("apply", error=StorageError("too odd"))
    execution = await (await executor.enqueue_task(leaf, 1)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message == "The outcome could not be stored: too odd"
    assert execution.error.is_internal


@pytest.mark.parametrize("lease", [1], indirect=True)
async def test_beats_that_fail_for_a_whole_lease_stop_the_attempts(
    executor: DurableExecutor, faulty: FaultyStorage
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> int:
        begun.set()
        if ctx.attempt == 0 and not cancelled.is_set():
            try:
                await asyncio.Event().wait()
            finally:
                assert ctx.cancel_signal.is_set()
                cancelled.set()
        return 5

    handle = await executor.enqueue_task(work, retry=RetryOptions())
    await begun.wait()
    faulty.fail_before("heartbeat", times=1000)
    await cancelled.wait()
    assert not executor.is_healthy
    faulty.recover()
    # The row is an orphan now: this executor's own rescuer takes it back.
    assert await handle.result() == 5
    assert executor.is_healthy


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("lease", [1], indirect=True)
async def test_a_beat_that_breaks_oddly_does_not_end_the_heart(
    executor: DurableExecutor, faulty: FaultyStorage
) -> None:
    faulty.fail_before("heartbeat", times=2, error=RuntimeError("odd"))
    before = faulty.calls["heartbeat"]
    while faulty.calls["heartbeat"] < before + 4:
        await asyncio.sleep(0.01)  # beats come by the clock
    assert executor.is_healthy


async def test_who_waits_later_finds_what_a_lost_answer_left_untold(
    executor: DurableExecutor, faulty: FaultyStorage, leaf: Task[int, int], runs: Counter[str]
) -> None:
    faulty.fail_after("apply")
    handle = await executor.enqueue_task(leaf, 1)
    while executor.running_task_executions_count or not runs:
        await asyncio.sleep(0.001)  # the attempt ends by itself
    assert await handle.result(timeout=30) == 2


async def test_who_waits_or_wakes_up_does_not_hear_of_a_short_outage(
    executor: DurableExecutor, faulty: FaultyStorage, tree: Task[int, int]
) -> None:
    signature = executor.sleeping_task("signature", output=str)
    await executor.enqueue_task(signature, "ada")
    family = await executor.enqueue_task(tree, 2)
    await family.result(timeout=30)

    faulty.fail_before("children_of", times=3)
    shown = await family.wait_and_get_finished_execution(timeout=30)
    faulty.fail_before("get_by_sleeping_unique_id", times=3)
    woken = await executor.wakeup_sleeping_task_execution(signature, "ada", output="signed")

    assert shown.status == "completed"
    assert woken.status == "completed"


async def test_a_claim_whose_answer_is_lost_at_the_end_is_handed_back(storage: Storage) -> None:
    faulty = FaultyStorage(storage)
    executor = DurableExecutor(faulty, replace(OPTIONS, shutdown_timeout=0))
    claimed = asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async with executor:
        await (await executor.enqueue_task(work, 0)).result()
        faulty.fail_after("claim")
        faulty.after_next("claim", claimed.set)
        handle = await executor.enqueue_task(work, 60, tags=CLAIMED)
        await claimed.wait()
    async with DurableExecutor(storage, OPTIONS) as other:
        (record,) = await other._engine.storage.get([handle.execution_id])  # type: ignore[union-attr]
    assert record is not None
    assert (record.status, record.crash_count) == ("ready", 0)
