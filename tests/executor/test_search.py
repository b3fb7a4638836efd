from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    ExecutorShutDownError,
    FoundTaskExecution,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    ParentTaskOutput,
    Storage,
    StoredError,
    Task,
    TaskContext,
    TaskExecutionCounts,
    TaskExecutionPage,
    Tasks,
    child_task,
)
from tests.conftest import OPTIONS


class Shop(NamedTuple):
    """An executor with a few finished executions, the ids in the order of creation."""

    executor: DurableExecutor
    good: Task[int, int]
    ids: dict[str, str]


@pytest.fixture
async def shop(executor: DurableExecutor) -> Shop:
    @executor.task()
    async def good(ctx: TaskContext, number: int) -> int:
        return number

    @executor.task()
    async def bad(ctx: TaskContext) -> None:
        raise ValueError("no")

    @executor.parent_task(sleep_before_run=0.005)  # so that its child is created later
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(good, 7)])

    wanted: list[tuple[str, Task[Any, Any], Any, dict[str, str]]] = [
        ("a", good, 1, {"tenant": "acme", "tier": "1"}),
        ("b", good, 2, {"tenant": "other"}),
        ("c", bad, None, {"tenant": "acme"}),
        ("d", tree, None, {}),
    ]
    ids = {}
    for name, task, value, tags in wanted:
        arguments = () if value is None else (value,)
        handle = await executor.enqueue_task(task, *arguments, key=name, tags=tags)
        execution = await handle.wait_and_get_finished_execution()
        ids[name] = handle.execution_id
        if execution.children:
            ids["child"] = execution.children[0].execution_id
        await asyncio.sleep(0.01)  # the next one is created some milliseconds later
    return Shop(executor, good, ids)


def _ids(page: TaskExecutionPage) -> list[str]:
    return [each.execution_id for each in page.executions]


async def _found(shop: Shop, **filters: Any) -> str:
    """Search, oldest first, and return the names of what was found."""
    page = await shop.executor.search_task_executions(order="oldest_first", **filters)
    names = {execution_id: name for name, execution_id in shop.ids.items()}
    return " ".join(names[execution_id] for execution_id in _ids(page))


async def test_a_search_without_filters_finds_all_the_newest_first(shop: Shop) -> None:
    page = await shop.executor.search_task_executions()
    assert _ids(page) == [shop.ids[name] for name in ("child", "d", "c", "b", "a")]
    assert page.next_cursor is None


async def test_filters_name_what_is_looked_for(shop: Shop) -> None:
    assert await _found(shop, tasks=[shop.good]) == "a b child"
    assert await _found(shop, tasks=["bad", shop.good]) == "a b c child"
    assert await _found(shop, tasks=["not_registered"]) == ""
    assert await _found(shop, statuses=["failed"]) == "c"
    assert await _found(shop, statuses=("ready", "running")) == ""
    assert await _found(shop, tags={"tenant": "acme"}) == "a c"
    assert await _found(shop, tags={"tenant": "acme", "tier": "1"}) == "a"
    assert await _found(shop, tags={"tenant": "acme"}, statuses=["failed"]) == "c"
    assert await _found(shop, is_root=True) == "a b c d"
    assert await _found(shop, is_root=False) == "child"
    assert await _found(shop, parent_execution_id=shop.ids["d"]) == "child"
    assert await _found(shop, root_execution_id=shop.ids["d"]) == "child"
    assert await _found(shop, parent_execution_id="te_nobody") == ""


async def test_instants_bound_a_search(shop: Shop) -> None:
    page = await shop.executor.search_task_executions(order="oldest_first")
    _, b, c, _, _ = page.executions
    assert await _found(shop, created_from=b.created_at, created_before=c.created_at) == "b"
    just_after = b.created_at + timedelta(microseconds=1)
    assert await _found(shop, created_from=just_after, tasks=[shop.good]) == "child"
    assert await _found(shop, created_before=just_after) == "a b"
    assert b.finished_at is not None
    assert await _found(shop, finished_before=b.finished_at) == "a"
    assert await _found(shop, finished_from=b.finished_at, is_root=True) == "b c d"
    hour = timedelta(hours=1)
    assert await _found(shop, created_from=datetime.now(UTC) + hour) == ""
    assert await _found(shop, created_before=datetime.now(UTC) - hour) == ""
    assert await _found(shop, created_from=datetime.min.replace(tzinfo=UTC)) == "a b c d child"
    assert await _found(shop, finished_before=datetime.max.replace(tzinfo=UTC)) == "a b c d child"


async def test_pages_follow_one_another(shop: Shop) -> None:
    found: list[str] = []
    cursor = None
    for size in (2, 2, 1):
        page = await shop.executor.search_task_executions(cursor=cursor, limit=2)
        assert len(page.executions) == size
        found += _ids(page)
        cursor = page.next_cursor
    assert cursor is None
    assert found == [shop.ids[name] for name in ("child", "d", "c", "b", "a")]


async def test_what_is_found_shows_all_but_input_and_output(shop: Shop) -> None:
    page = await shop.executor.search_task_executions(tags={"tier": "1"})
    (found,) = page.executions
    handle = await shop.executor.get_task_execution_handle(shop.good, shop.ids["a"])
    full = await handle.wait_and_get_finished_execution()
    assert found == FoundTaskExecution(
        task_id="good",
        execution_id=shop.ids["a"],
        status="completed",
        root=None,
        parent=None,
        idempotency_key="a",
        tags={"tenant": "acme", "tier": "1"},
        sleeping_task_unique_id=None,
        executor_id=found.executor_id,
        attempt=0,
        children_count=0,
        active_children_count=0,
        error=None,
        start_at=full.start_at,
        created_at=full.created_at,
        updated_at=full.updated_at,
        started_at=full.started_at,
        expires_at=full.expires_at,
        finished_at=full.finished_at,
    )
    assert found.executor_id is not None


async def test_what_is_found_shows_errors_and_family(shop: Shop) -> None:
    newest_first = (await shop.executor.search_task_executions()).executions
    child, tree, bad = newest_first[:3]
    assert bad.error.without_traceback() == StoredError(message="ValueError: no", is_retryable=True)
    assert tree.children_count == 1
    assert child.root is not None
    assert child.parent is not None
    assert child.root.execution_id == child.parent.execution_id == shop.ids["d"]


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ({"statuses": ["done"]}, "statuses must be several of cancelled, completed"),
        ({"statuses": "failed"}, "statuses must be several of"),
        ({"created_from": datetime(2026, 1, 1)}, "created_from must be an aware datetime"),  # noqa: DTZ001
        ({"finished_before": 7}, "finished_before must be an aware datetime, got 7"),
        ({"order": "random"}, "order must be one of newest_first, oldest_first"),
        ({"limit": 0}, "limit must be 1 to 1000, got 0"),
        ({"limit": 1001}, "limit must be 1 to 1000, got 1001"),
        ({"limit": True}, "limit must be 1 to 1000, got bool"),
        ({"cursor": "page 2"}, "cursor is not one that a search with order"),
        ({"cursor": b"x"}, "cursor must be str, got bytes"),
        ({"is_root": 1}, "is_root must be bool, got int"),
        ({"parent_execution_id": "\0"}, "parent_execution_id must be the id of an execution"),
        ({"root_execution_id": "x" * 65}, "root_execution_id must be the id of an execution"),
    ],
)
async def test_a_malformed_filter_is_named(
    executor: DurableExecutor, filters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        await executor.search_task_executions(**filters)


async def test_malformed_tags_and_task_ids_are_named(executor: DurableExecutor) -> None:
    with pytest.raises(InvalidOptionError, match="tag tenant must be a string"):
        await executor.search_task_executions(tags={"tenant": 7})  # type: ignore[dict-item]
    with pytest.raises(InvalidOptionError, match="task id must be 1 to 255 letters"):
        await executor.search_task_executions(tasks=["no task"])
    with pytest.raises(InvalidOptionError, match="task id must be 1 to 255 letters"):
        await executor.count_task_executions(tasks=["no task"])


async def test_counts_are_by_task_and_status(shop: Shop) -> None:
    counts = {"good": {"completed": 3}, "bad": {"failed": 1}, "tree": {"completed": 1}}
    found = await shop.executor.count_task_executions()
    assert {task_id: each.by_status for task_id, each in found.items()} == counts
    assert all(each.is_known for each in found.values())
    some = await shop.executor.count_task_executions(tasks=[shop.good, "nobody"])
    assert some == {"good": TaskExecutionCounts(by_status={"completed": 3}, is_known=True)}
    assert some["good"].unfinished == 0


async def test_counts_tell_what_no_live_executor_runs(storage: Storage) -> None:
    tasks, newer = Tasks(), Tasks()

    @tasks.task
    async def both_know(ctx: TaskContext) -> None: ...

    @newer.task
    async def one_knows(ctx: TaskContext) -> None: ...

    newer.include(tasks)
    idle = replace(OPTIONS, max_concurrent_task_executions=0)
    async with DurableExecutor(storage, idle) as client:
        client.include(newer)
        await client.enqueue_task(both_know)
        await client.enqueue_task(one_knows)

        async def known() -> dict[str, bool]:
            found = await client.count_task_executions()
            return {task_id: each.is_known for task_id, each in found.items()}

        unfinished = {each.unfinished for each in (await client.count_task_executions()).values()}
        assert unfinished == {1}
        # The client knows both, and runs neither.
        assert await known() == {"both_know": False, "one_knows": False}
        async with an_executor(storage, tasks):
            assert await known() == {"both_know": True, "one_knows": False}
            async with an_executor(storage, newer):
                assert await known() == {"both_know": True, "one_knows": True}
            assert await known() == {"both_know": True, "one_knows": False}
        assert await known() == {"both_know": False, "one_knows": False}


def an_executor(storage: Storage, tasks: Tasks) -> DurableExecutor:
    executor = DurableExecutor(storage.sibling(), OPTIONS)
    executor.include(tasks)
    return executor


async def test_counts_know_a_task_that_was_added_to_a_running_executor(storage: Storage) -> None:
    async with DurableExecutor(storage, replace(OPTIONS, lease=1)) as executor:

        @executor.task
        async def late(ctx: TaskContext) -> None: ...

        await executor.enqueue_task(late)
        assert (await executor.count_task_executions())["late"].is_known
        async with asyncio.timeout(30):
            # The next beat tells others of it.
            while late.id not in await storage.known_task_ids():
                await asyncio.sleep(0.02)


async def test_old_finished_executions_are_deleted_with_what_is_below(shop: Shop) -> None:
    delete = shop.executor.delete_finished_task_executions
    assert await delete(older_than=timedelta(hours=1)) == 0
    assert await delete(older_than=0, limit=2) == 2
    assert await delete(older_than=0) == 3
    assert (await shop.executor.search_task_executions()).executions == ()
    again = await shop.executor.enqueue_task(shop.good, 99, key="a")
    assert again.execution_id != shop.ids["a"]
    assert await again.result() == 99


async def test_unfinished_executions_are_not_deleted(executor: DurableExecutor) -> None:
    bell = executor.sleeping_task("bell", output=str)
    await executor.enqueue_task(bell, "door")
    assert await executor.delete_finished_task_executions(older_than=0) == 0
    await executor.wakeup_sleeping_task_execution(bell, "door", output="open")


async def test_deletion_goes_on_over_several_batches() -> None:
    async with DurableExecutor(InMemoryStorage()) as executor:

        @executor.task()
        async def nothing(ctx: TaskContext) -> None: ...

        handles = [await executor.enqueue_task(nothing) for _ in range(1200)]
        await asyncio.gather(*[handle.result() for handle in handles])
        await asyncio.sleep(0.01)  # what finished in this very millisecond is not older
        assert await executor.delete_finished_task_executions(older_than=0, limit=1100) == 1100
        (counts,) = (await executor.count_task_executions()).values()
        assert counts.by_status == {"completed": 100}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"older_than": -1}, "older_than must be from 0"),
        ({"older_than": "1"}, "older_than must be seconds or a timedelta"),
        ({"older_than": 1, "limit": 0}, "limit must be a whole number from 1 to 1000000"),
    ],
)
async def test_malformed_bounds_of_a_deletion_are_named(
    executor: DurableExecutor, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidOptionError, match=complaint):
        await executor.delete_finished_task_executions(**arguments)


async def test_an_executor_that_does_not_run_finds_nothing(storage: Storage) -> None:
    executor = DurableExecutor(storage, ExecutorOptions())
    with pytest.raises(ExecutorShutDownError):
        await executor.search_task_executions()
    with pytest.raises(ExecutorShutDownError):
        await executor.count_task_executions()
    with pytest.raises(ExecutorShutDownError):
        await executor.delete_finished_task_executions(older_than=0)


async def test_an_execution_is_found_by_the_beginning_of_its_id(shop: Shop) -> None:
    whole = shop.ids["b"]
    page = await shop.executor.search_task_executions(id_prefix=whole[:-8])
    assert whole in [each.execution_id for each in page.executions]
    assert all(each.execution_id.startswith(whole[:-8]) for each in page.executions)
    assert (await shop.executor.search_task_executions(id_prefix=f"{whole}x")).executions == ()
    with pytest.raises(InvalidInputError, match="id_prefix must be the id of an execution"):
        await shop.executor.search_task_executions(id_prefix="a b")
