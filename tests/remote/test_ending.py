from __future__ import annotations

from typing import Any

from durable_execution.orpc import ORPCClient
from tests.remote.lab import Lab
from tests.remote.refusals import refusal_of


async def cancelled(client: ORPCClient, key: str, execution_id: str) -> Any:
    return await client.cancelTaskExecution({"taskId": key, "executionId": execution_id})


async def test_cancelled_execution_is_shown_as_it_has_ended(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})

    view = await cancelled(client, "held", execution_id)

    assert (view["status"], view["executionId"]) == ("cancelled", execution_id)
    assert view["error"]["errorType"] == "cancelled"
    assert view == await client.getTaskExecution({"taskId": "held", "executionId": execution_id})


async def test_finished_execution_stays_as_it_was(lab: Lab, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 7})
    handle = await lab.executor.get_task_execution_handle(lab.tasks["echo"], execution_id)
    await handle.wait_and_get_finished_execution(timeout=30)

    view = await cancelled(client, "echo", execution_id)

    assert (view["status"], view["output"]) == ("completed", 7)


async def test_sleeping_execution_is_cancelled_and_cannot_be_woken(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "approval", "input": "order 1"})
    await cancelled(client, "approval", execution_id)

    view = await client.wakeupSleepingTaskExecution(
        {
            "taskId": "approval",
            "sleepingTaskUniqueId": "order 1",
            "options": {"status": "completed", "output": 7},
        }
    )

    assert view["status"] == "cancelled"


async def test_execution_of_another_task_is_not_cancelled(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})

    error = await refusal_of(cancelled(client, "echo", execution_id))

    assert error.code == "NOT_FOUND"
    view = await client.getTaskExecution({"taskId": "held", "executionId": execution_id})
    assert view["status"] in {"ready", "running"}


async def test_unknown_execution_cannot_be_cancelled(client: ORPCClient) -> None:
    error = await refusal_of(cancelled(client, "echo", "te_nobody"))

    assert (error.code, error.status) == ("NOT_FOUND", 404)
