"""Sleeping executions that a caller of the tasks router wakes up."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import UNDEFINED, ORPCClient
from tests.remote.refusals import refusal_of


async def woken(client: ORPCClient, options: dict[str, Any], unique_id: str = "order 1") -> Any:
    return await client.wakeupSleepingTaskExecution(
        {"taskId": "approval", "sleepingTaskUniqueId": unique_id, "options": options}
    )


async def test_wakeup_completes_a_sleeping_execution(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "approval", "input": "order 1"})

    view = await woken(client, {"status": "completed", "output": 7})

    assert (view["status"], view["output"], view["executionId"]) == ("completed", 7, execution_id)
    assert view["sleepingTaskUniqueId"] == "order 1"


async def test_second_wakeup_returns_the_result_of_the_first(client: ORPCClient) -> None:
    await client.enqueueTask({"taskId": "approval", "input": "order 1"})
    first = await woken(client, {"status": "completed", "output": 7})

    second = await woken(client, {"status": "failed", "error": "too late"})

    assert second == first


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("refused", "refused"),
        ({"message": "refused", "code": 7}, "refused"),
        (UNDEFINED, "Unknown error"),
        (None, "Unknown error"),
        ({}, "Unknown error"),
        ("", "Unknown error"),
        ({"code": 7}, '{"json":{"code":7}}'),
    ],
)
async def test_wakeup_fails_a_sleeping_execution(
    error: object, message: str, client: ORPCClient
) -> None:
    await client.enqueueTask({"taskId": "approval", "input": "order 1"})

    view = await woken(client, {"status": "failed", "error": error})

    assert view["status"] == "failed"
    assert view["error"] == {
        "errorType": "generic",
        "message": message,
        "isRetryable": False,
        "isInternal": False,
    }


async def test_wakeup_of_an_unknown_id_is_not_found(client: ORPCClient) -> None:
    error = await refusal_of(woken(client, {"status": "completed", "output": 1}, "nobody"))

    assert (error.code, error.status) == ("NOT_FOUND", 404)
    assert error.message == "Sleeping task execution not found [sleepingTaskUniqueId=nobody]"


async def test_task_that_does_not_sleep_cannot_be_woken(client: ORPCClient) -> None:
    call = {
        "taskId": "sendEmail",
        "sleepingTaskUniqueId": "u",
        "options": {"status": "completed", "output": 1},
    }

    error = await refusal_of(client.wakeupSleepingTaskExecution(call))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message == "Task sendEmail is not a sleeping task"


async def test_wakeup_with_a_misfit_output_leaves_the_execution_asleep(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "approval", "input": "order 1"})

    error = await refusal_of(woken(client, {"status": "completed", "output": "seven"}))

    assert error.status == 400
    assert error.data["issues"][0]["path"] == ["options", "output"]
    view = await client.getTaskExecution({"taskId": "approval", "executionId": execution_id})
    assert view["status"] == "running"


@pytest.mark.parametrize("options", [UNDEFINED, None, [], {}, {"status": "cancelled"}])
async def test_malformed_wakeup_is_refused_with_issues(options: object, client: ORPCClient) -> None:
    await client.enqueueTask({"taskId": "approval", "input": "order 1"})

    error = await refusal_of(woken(client, options))

    assert (error.status, error.message) == (400, "Input validation failed")
    assert error.data["issues"][0]["path"][0] == "options"


async def test_taken_sleeping_id_is_a_bad_request(client: ORPCClient) -> None:
    await client.enqueueTask({"taskId": "approval", "input": "order 1"})

    error = await refusal_of(client.enqueueTask({"taskId": "approval", "input": "order 1"}))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message == "Sleeping task unique id is taken [sleepingTaskUniqueId=order 1]"
