from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import UNDEFINED, ORPCClient
from tests.remote.lab import Lab
from tests.remote.refusals import paths_of, refusal_of


def call(input: object = 1, **options: object) -> dict[str, Any]:
    return {"taskId": "echo", "input": input, "options": options}


async def test_same_key_and_input_is_one_execution(lab: Lab, client: ORPCClient) -> None:
    ids = [await client.enqueueTask(call(idempotencyKey="order 1")) for _ in range(3)]

    assert len(set(ids)) == 1
    assert lab.rows == 1


async def test_same_key_with_another_input_is_a_conflict_that_names_the_execution(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask(call(1, idempotencyKey="order 1"))

    error = await refusal_of(client.enqueueTask(call(2, idempotencyKey="order 1")))

    assert (error.code, error.status) == ("CONFLICT", 409)
    assert error.data == {
        "taskId": "echo",
        "idempotencyKey": "order 1",
        "executionId": execution_id,
    }
    assert lab.rows == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x00b", "\ud800", 7, [], UNDEFINED], ids=repr)
async def test_unusable_key_is_refused_with_its_path(
    key: object, lab: Lab, client: ORPCClient
) -> None:
    if key is UNDEFINED:  # which is no key at all
        await client.enqueueTask(call(idempotencyKey=key))
        return

    error = await refusal_of(client.enqueueTask(call(idempotencyKey=key)))

    assert (error.status, paths_of(error)) == (400, [["options", "idempotencyKey"]])
    assert lab.rows == 0


@pytest.mark.parametrize(
    "tags",
    [{"a b": "1"}, {"a": 1}, {"a": "x" * 256}, {str(n): "" for n in range(17)}, [], "a"],
    ids=lambda tags: str(tags)[:20],
)
async def test_unusable_tags_are_refused_with_their_path(
    tags: object, lab: Lab, client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTask(call(tags=tags)))

    assert (error.status, error.message) == (400, "Input validation failed")
    assert [path[:2] for path in paths_of(error)] == [["options", "tags"]]
    assert lab.rows == 0


async def test_many_tasks_are_enqueued_in_their_order(lab: Lab, client: ORPCClient) -> None:
    calls = [{"taskId": "echo", "input": n} for n in range(3)] + [
        {"taskId": "describe", "input": 7, "options": {"timeoutMs": 1500}}
    ]

    ids = await client.enqueueTasks({"tasks": calls})

    views = [
        await client.getTaskExecution({"taskId": each["taskId"], "executionId": execution_id})
        for each, execution_id in zip(calls, ids, strict=True)
    ]
    assert [view["input"] for view in views] == [0, 1, 2, 7]
    assert views[3]["timeoutMs"] == 1500
    assert lab.rows == 4


async def test_keys_make_many_one_too(lab: Lab, client: ORPCClient) -> None:
    first = await client.enqueueTask(call(1, idempotencyKey="order 1"))

    again, other = await client.enqueueTasks(
        {"tasks": [call(1, idempotencyKey="order 1"), call(1, idempotencyKey="order 2")]}
    )

    assert (again, other != first) == (first, True)
    assert lab.rows == 2


async def test_conflict_of_one_key_enqueues_none(lab: Lab, client: ORPCClient) -> None:
    await client.enqueueTask(call(1, idempotencyKey="order 1"))

    error = await refusal_of(
        client.enqueueTasks({"tasks": [call(5), call(2, idempotencyKey="order 1")]})
    )

    assert (error.code, error.data["idempotencyKey"]) == ("CONFLICT", "order 1")
    assert lab.rows == 1


EMAIL = {"to": 7, "send_at": "2024-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (7, ["tasks", 1]),
        ({"taskId": 7}, ["tasks", 1, "taskId"]),
        (call(timeoutMs="soon"), ["tasks", 1, "options", "timeoutMs"]),
        (call(idempotencyKey=""), ["tasks", 1, "options", "idempotencyKey"]),
        (call(tags={"a": "b"}), ["tasks", 1, "options", "tags", "a"]),
        ({"taskId": "sendEmail", "input": EMAIL}, ["tasks", 1, "input", "to"]),
    ],
    ids=str,
)
async def test_one_bad_task_is_named_by_its_path_and_none_is_enqueued(
    bad: object, path: list[object], lab: Lab, client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTasks({"tasks": [call(), bad]}))

    assert (error.status, paths_of(error)) == (400, [path])
    assert lab.rows == 0


async def test_option_out_of_bounds_names_its_task(lab: Lab, client: ORPCClient) -> None:
    error = await refusal_of(client.enqueueTasks({"tasks": [call(), call(timeoutMs=0)]}))

    assert error.message.startswith("tasks[1].options.timeoutMs must be")
    assert lab.rows == 0


async def test_one_unknown_task_enqueues_none(lab: Lab, client: ORPCClient) -> None:
    error = await refusal_of(client.enqueueTasks({"tasks": [call(), {"taskId": "nobody"}]}))

    assert (error.code, error.message) == ("NOT_FOUND", "Task nobody not found")
    assert lab.rows == 0


@pytest.mark.parametrize(
    "value",
    [UNDEFINED, None, [], {}, {"tasks": {}}, {"tasks": []}, {"tasks": [call()] * 1001}],
    ids=lambda value: repr(value)[:20],
)
async def test_no_tasks_or_too_many_are_refused(
    value: object, lab: Lab, client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTasks(value))

    assert (error.status, paths_of(error)) == (400, [["tasks"]])
    assert lab.rows == 0
