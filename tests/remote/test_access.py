"""Callers held to their tasks and procedures, whichever way they come in."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from durable_execution import (
    DurableExecutor,
    InMemoryStorage,
    StorageError,
    StorageUnavailableError,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution.access import FULL_ACCESS, Access, BearerToken, BearerTokens, Caller, Guard
from durable_execution.orpc import (
    AsgiSender,
    BatchHandlerPlugin,
    CallContext,
    Next,
    ORPCClient,
    ORPCError,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)
from durable_execution.server import create_tasks_router
from tests.orpc._server.driver import ask
from tests.remote.lab import Lab, client_of

CALLS: dict[str, Callable[[str], dict[str, Any]]] = {
    "enqueueTask": lambda key: {"taskId": key, "input": 1},
    "enqueueTasks": lambda key: {
        "tasks": [{"taskId": "echo", "input": 1}, {"taskId": key, "input": 1}]
    },
    "getTaskExecution": lambda key: {"taskId": key, "executionId": "te_1"},
    "waitTaskExecution": lambda key: {"taskId": key, "executionId": "te_1"},
    "watchTaskExecution": lambda key: {"taskId": key, "executionId": "te_1"},
    "cancelTaskExecution": lambda key: {"taskId": key, "executionId": "te_1"},
    "listTaskExecutions": lambda key: {"taskIds": ["echo", key]},
    "wakeupSleepingTaskExecution": lambda key: {
        "taskId": key,
        "sleepingTaskUniqueId": "u",
        "options": {"status": "completed", "output": 1},
    },
}
TOKEN = "a-token-for-one-caller"
AUTHORIZED = (("content-type", "application/json"), ("authorization", f"Bearer {TOKEN}"))


def guarded(lab: Lab, access: Access) -> Guard:
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    app = RPCHandler(router, prefix="/rpc", plugins=[BatchHandlerPlugin()])
    return Guard(app, auth=BearerTokens({"one": BearerToken(TOKEN, access=access)}))


def client_with(lab: Lab, access: Access) -> ORPCClient:
    sender = AsgiSender(guarded(lab, access))
    headers = {"authorization": f"Bearer {TOKEN}"}
    return create_orpc_client(RPCLink("http://lab/rpc", sender=sender, headers=headers))


async def code_of(call: Awaitable[Any]) -> str:
    with pytest.raises(ORPCError) as raised:
        await call
    return raised.value.code


def test_every_procedure_of_the_router_is_tried_here(lab: Lab) -> None:
    assert CALLS.keys() == dict(create_tasks_router(rpc, lab.executor, lab.tasks)).keys()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("key", ["broken", "mail", "there-is-none"])
async def test_no_procedure_reaches_a_task_out_of_reach(lab: Lab, name: str, key: str) -> None:
    client = client_with(lab, Access(tasks={"echo", "sendEmail"}, procedures="*"))

    with pytest.raises(ORPCError) as raised:
        await client[name](CALLS[name](key))

    assert (raised.value.code, raised.value.status) == ("FORBIDDEN", 403)
    assert raised.value.message == f"This caller may not use task {key}"
    assert lab.rows == 0


@pytest.mark.parametrize("name", CALLS)
async def test_no_procedure_out_of_reach_is_called(lab: Lab, name: str) -> None:
    others = CALLS.keys() - {name}
    client = client_with(lab, Access(tasks="*", procedures=others))

    assert await code_of(client[name](CALLS[name]("echo"))) == "FORBIDDEN"
    assert lab.rows == 0


async def test_caller_within_its_access_is_served(lab: Lab) -> None:
    access = Access(tasks="echo", procedures={"enqueueTask", "waitTaskExecution"})
    client = client_with(lab, access)
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 7})
    found = await client.waitTaskExecution({"taskId": "echo", "executionId": execution_id})
    assert found["output"] == 7


async def test_execution_of_another_task_is_not_found_under_ones_own(lab: Lab) -> None:
    full = client_with(lab, FULL_ACCESS)
    execution_id = await full.enqueueTask({"taskId": "describe", "input": "private"})
    limited = client_with(lab, Access(tasks="echo", procedures="*"))
    for name in ("getTaskExecution", "waitTaskExecution", "cancelTaskExecution"):
        call = limited[name]({"taskId": "echo", "executionId": execution_id})
        assert await code_of(call) == "NOT_FOUND", name


async def test_list_shows_what_is_within_reach_and_under_names_within_reach(lab: Lab) -> None:
    full = client_with(lab, FULL_ACCESS)
    for key in ("echo", "describe", "mail"):
        given = {"to": "ada", "send_at": "2024-01-01T00:00:00Z"} if key == "mail" else 1
        await full.enqueueTask({"taskId": key, "input": given})

    async def listed(tasks: Any) -> list[str]:
        client = client_with(lab, Access(tasks=tasks, procedures="*"))
        return sorted(
            each["taskId"] for each in (await client.listTaskExecutions({}))["executions"]
        )

    assert await listed("*") == ["describe", "echo", "sendEmail"]
    assert await listed({"echo", "mail"}) == ["echo", "mail"]
    assert await listed(()) == []


async def test_call_inside_a_batch_is_held_to_the_same_access(lab: Lab) -> None:
    app = guarded(lab, Access(tasks="echo", procedures="enqueueTask"))
    calls = [
        ("enqueueTask", {"taskId": "echo", "input": 1}),
        ("enqueueTask", {"taskId": "describe", "input": 1}),
        ("getTaskExecution", {"taskId": "echo", "executionId": "te_1"}),
    ]
    body = json.dumps([{"url": f"http://lab/rpc/{n}", "body": {"json": v}} for n, v in calls])
    headers = (*AUTHORIZED, ("x-orpc-batch", "buffered"))

    answer = await ask(app, "/rpc/__batch__", body, headers=headers)

    assert {item["index"]: item["status"] for item in answer.json()} == {0: 200, 1: 403, 2: 403}
    assert lab.rows == 1


async def test_caller_that_a_middleware_of_the_router_knows_is_held_to_its_access(lab: Lab) -> None:
    async def known(ctx: CallContext, input: object, next: Next) -> object:
        access = Access(tasks="echo", procedures="enqueueTask")
        return await next(context={"caller": Caller(name="one", access=access)})

    router = create_tasks_router(rpc.use(known), lab.executor, lab.tasks)
    client = client_of(RPCHandler(router, prefix="/rpc"))
    assert await code_of(client.enqueueTask({"taskId": "describe", "input": 1})) == "FORBIDDEN"
    look = client.getTaskExecution({"taskId": "echo", "executionId": "te_1"})
    assert await code_of(look) == "FORBIDDEN"
    assert await client.enqueueTask({"taskId": "echo", "input": 1})


@pytest.mark.parametrize(
    ("failure", "status"),
    [(StorageUnavailableError("10.0.0.7 refused"), 503), (StorageError("no table x"), 500)],
    ids=["unavailable", "broken"],
)
async def test_failure_of_the_storage_is_known_by_an_id_of_the_log_alone(
    failure: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(InMemoryStorage):
        async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
            raise failure

    executor = DurableExecutor(Broken())
    task = executor.sleeping_task("nap")
    app = RPCHandler(create_tasks_router(rpc, executor, {"nap": task}))
    async with executor:
        with caplog.at_level(logging.WARNING):
            call = json.dumps({"json": {"taskId": "nap", "executionId": "te_1"}})
            answer = await ask(app, "/getTaskExecution", call)

    (record,) = (record for record in caplog.records if "error_id" in vars(record))
    assert answer.status == status
    assert answer.headers["x-error-id"] == vars(record)["error_id"]
    assert str(failure) not in answer.body.decode()
    assert str(failure) in caplog.text + str(vars(record))


async def test_failed_execution_shows_the_message_of_its_exception_and_no_traceback(
    lab: Lab,
) -> None:
    client = client_with(lab, FULL_ACCESS)
    execution_id = await client.enqueueTask({"taskId": "broken", "input": None})
    found = await client.waitTaskExecution({"taskId": "broken", "executionId": execution_id})
    assert found["status"] == "failed"
    assert found["error"]["message"] == "LookupError: nothing there"
    assert "Traceback" not in str(found)
    assert __file__ not in str(found)
