from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from durable_execution.orpc import ORPCClient
from durable_execution.server import (
    AllowedOptions,
    RPCHandler,
    create_tasks_router,
    rpc,
)
from tests.remote.lab import Lab, client_of
from tests.remote.refusals import paths_of, refusal_of


async def ids_of(client: ORPCClient, **filters: object) -> list[str]:
    page = await client.listTaskExecutions(filters)
    return [each["executionId"] for each in page["executions"]]


async def finished(lab: Lab, key: str, execution_id: str) -> None:
    handle = await lab.executor.get_task_execution_handle(lab.tasks[key], execution_id)
    await handle.wait_and_get_finished_execution(timeout=30)


async def enqueued(client: ORPCClient, key: str, input: object = 1, **options: object) -> str:
    execution_id: str = await client.enqueueTask(
        {"taskId": key, "input": input, "options": options}
    )
    return execution_id


async def test_newest_comes_first_and_the_order_can_be_turned(client: ORPCClient) -> None:
    ids = sorted([await enqueued(client, "echo", n) for n in range(3)])

    assert await ids_of(client) == ids[::-1]
    assert await ids_of(client, order="oldest_first") == ids


async def test_entry_is_the_view_without_payloads_and_families(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await enqueued(client, "family", 2)
    await finished(lab, "family", execution_id)

    page = await client.listTaskExecutions({"taskIds": ["family"]})
    view = await client.getTaskExecution({"taskId": "family", "executionId": execution_id})

    left_out = ("input", "output", "children", "finalize")
    expected = {name: value for name, value in view.items() if name not in left_out}
    assert page == {"executions": [{**expected, "childrenCount": 2}]}


async def test_only_mounted_tasks_are_found_and_under_their_first_key(lab: Lab) -> None:
    await lab.executor.enqueue_task(lab.tasks["echo"], 1)
    handle = await lab.executor.enqueue_task(lab.tasks["held"])
    router = create_tasks_router(
        rpc, lab.executor, {"hold": lab.tasks["held"], "again": lab.tasks["held"]}
    )
    client = client_of(RPCHandler(router, prefix="/rpc"))

    page = await client.listTaskExecutions({})

    found = [(each["taskId"], each["executionId"]) for each in page["executions"]]
    assert found == [("hold", handle.execution_id)]
    assert await ids_of(client, taskIds=["again"]) == [handle.execution_id]


async def test_children_of_private_tasks_stay_private(lab: Lab) -> None:
    handle = await lab.executor.enqueue_task(lab.tasks["family"], 2)
    await handle.result(timeout=30)
    router = create_tasks_router(rpc, lab.executor, {"family": lab.tasks["family"]})
    client = client_of(RPCHandler(router, prefix="/rpc"))

    assert await ids_of(client, rootExecutionId=handle.execution_id) == []
    assert await ids_of(lab.client(), parentExecutionId=handle.execution_id) != []


async def test_unknown_key_is_not_found(client: ORPCClient) -> None:
    error = await refusal_of(client.listTaskExecutions({"taskIds": ["echo", "nobody"]}))

    assert (error.code, error.message) == ("NOT_FOUND", "Task nobody not found")


async def test_no_keys_find_nothing(client: ORPCClient) -> None:
    await enqueued(client, "echo")

    assert await ids_of(client, taskIds=[]) == []


async def test_filters_hold_together(lab: Lab, client: ORPCClient) -> None:
    done = await enqueued(client, "echo")
    await finished(lab, "echo", done)
    failed = await enqueued(client, "broken")
    await finished(lab, "broken", failed)

    assert await ids_of(client, statuses=["completed"]) == [done]
    assert await ids_of(client, statuses=["completed", "failed"], order="oldest_first") == sorted(
        [done, failed]
    )
    assert await ids_of(client, statuses=["failed"], taskIds=["echo"]) == []
    assert await ids_of(client, isRoot=False) == []


async def test_instants_bound_what_is_found(lab: Lab, client: ORPCClient) -> None:
    execution_id = await enqueued(client, "echo")
    await finished(lab, "echo", execution_id)
    now = datetime.now(UTC)
    past, future = now - timedelta(hours=1), now + timedelta(hours=1)

    assert await ids_of(client, createdFrom=past, finishedBefore=future) == [execution_id]
    assert await ids_of(client, createdFrom=future) == []
    assert await ids_of(client, createdBefore=past) == []
    assert await ids_of(client, finishedFrom=future) == []


async def test_ids_are_found_by_how_they_begin(client: ORPCClient) -> None:
    ids = [await enqueued(client, "echo", n) for n in range(2)]

    assert await ids_of(client, idPrefix=ids[0]) == [ids[0]]
    assert await ids_of(client, idPrefix="te_") == sorted(ids)[::-1]
    assert await ids_of(client, idPrefix="de_") == []


async def test_no_input_lists_all(client: ORPCClient) -> None:
    execution_id = await enqueued(client, "echo")

    page = await client.listTaskExecutions()

    assert [each["executionId"] for each in page["executions"]] == [execution_id]


async def test_tags_find_what_has_them_and_are_shown(lab: Lab) -> None:
    router = create_tasks_router(
        rpc, lab.executor, lab.tasks, allow_options=AllowedOptions(tags=True)
    )
    client = client_of(RPCHandler(router, prefix="/rpc"))
    execution_id = await enqueued(client, "echo", tags={"tenant": "a"}, idempotencyKey="k")
    await enqueued(client, "echo", tags={"tenant": "b"})

    page = await client.listTaskExecutions({"tags": {"tenant": "a"}})

    [entry] = page["executions"]
    assert (entry["executionId"], entry["tags"]) == (execution_id, {"tenant": "a"})
    assert entry["idempotencyKey"] == "k"


async def test_pages_follow_one_another_without_gap_or_repeat(client: ORPCClient) -> None:
    ids = sorted([await enqueued(client, "echo", n) for n in range(5)])

    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await client.listTaskExecutions({"order": "oldest_first", "limit": 2, **cursor})
        seen += [each["executionId"] for each in page["executions"]]
        if "nextCursor" not in page:
            break
        cursor = {"cursor": page["nextCursor"]}

    assert seen == ids


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"taskIds": "echo"}, ["taskIds"]),
        ({"taskIds": [7]}, ["taskIds", 0]),
        ({"statuses": ["paused"]}, ["statuses", 0]),
        ({"createdFrom": "yesterday"}, ["createdFrom"]),
        ({"createdFrom": 7}, ["createdFrom"]),
        ({"finishedBefore": "2024-01-01T00:00:00"}, ["finishedBefore"]),
        ({"parentExecutionId": "a b"}, ["parentExecutionId"]),
        ({"rootExecutionId": "x" * 65}, ["rootExecutionId"]),
        ({"isRoot": "yes"}, ["isRoot"]),
        ({"idPrefix": "a b"}, ["idPrefix"]),
        ({"idPrefix": ""}, ["idPrefix"]),
        ({"tags": {"a b": "1"}}, ["tags"]),
        ({"order": "random"}, ["order"]),
        ({"cursor": "x" * 1001}, ["cursor"]),
        ({"limit": 0}, ["limit"]),
        ({"limit": 1001}, ["limit"]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_malformed_filter_is_refused_with_its_path(
    filters: dict[str, Any], path: list[object], client: ORPCClient
) -> None:
    error = await refusal_of(client.listTaskExecutions(filters))

    assert (error.code, error.message) == ("BAD_REQUEST", "Input validation failed")
    assert paths_of(error) == [path]


async def test_cursor_of_another_search_is_refused(client: ORPCClient) -> None:
    for n in range(2):
        await enqueued(client, "echo", n)
    page = await client.listTaskExecutions({"limit": 1})

    error = await refusal_of(
        client.listTaskExecutions({"order": "oldest_first", "cursor": page["nextCursor"]})
    )

    assert (error.status, error.message.startswith("cursor is not one")) == (400, True)


async def test_errors_of_executions_are_shown(lab: Lab, client: ORPCClient) -> None:
    execution_id = await enqueued(client, "broken")
    await finished(lab, "broken", execution_id)

    page = await client.listTaskExecutions({"statuses": ["failed"]})

    assert page["executions"][0]["error"]["message"] == "LookupError: nothing there"


async def test_executions_of_tasks_that_nobody_mounts_any_more_are_not_shown() -> None:
    storage = InMemoryStorage()
    first = DurableExecutor(storage)

    @first.task
    async def gone(ctx: TaskContext) -> None: ...

    async with first:
        await (await first.enqueue_task(gone)).result(timeout=30)
    later = DurableExecutor(storage)

    @later.task
    async def stays(ctx: TaskContext) -> None: ...

    async with later:
        router = create_tasks_router(rpc, later, {"stays": stays})
        assert await ids_of(client_of(RPCHandler(router, prefix="/rpc"))) == []
