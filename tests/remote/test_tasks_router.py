from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution import (
    DurableExecutor,
    InMemoryStorage,
    InvalidOptionError,
    StorageUnavailableError,
    Tasks,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution.orpc import UNDEFINED, BigInt, JsMap, JsSet, ORPCClient, ORPCError, Url
from durable_execution.server import CallContext, Next, RPCHandler, create_tasks_router, rpc
from tests.remote.lab import Lab, client_of
from tests.remote.refusals import refusal_of
from tests.vectors.notation import same

DATE = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)
EMAIL = {"to": "ada", "send_at": DATE, "tags": JsSet(["a"])}


async def finished(client: ORPCClient, key: str, execution_id: str) -> dict[str, Any]:
    while True:
        view = await client.getTaskExecution({"taskId": key, "executionId": execution_id})
        if "finishedAt" in view:
            return view
        await asyncio.sleep(0.005)  # the router offers nothing to wait for


async def test_enqueued_task_runs_and_shows_its_output(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "sendEmail", "input": EMAIL})

    view = await finished(client, "sendEmail", execution_id)

    assert view["executionId"] == execution_id
    assert view["status"] == "completed"
    assert view["output"] == {"message_id": "to ada", "at": DATE, "sizes": {"a": 1}}
    assert view["input"] == EMAIL


async def test_view_shows_the_tasks_own_id_and_not_the_key(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "mail", "input": EMAIL})

    view = await finished(client, "mail", execution_id)

    assert view["taskId"] == "send_email_v2"


async def test_own_id_of_a_task_is_no_key(client: ORPCClient) -> None:
    error = await refusal_of(client.enqueueTask({"taskId": "send_email_v2", "input": EMAIL}))

    assert (error.code, error.message) == ("NOT_FOUND", "Task send_email_v2 not found")


async def test_two_keys_of_one_task_show_the_same_executions(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "mail", "input": EMAIL})

    view = await finished(client, "sendEmail", execution_id)

    assert view["executionId"] == execution_id


RICH = [
    BigInt(5),
    BigInt(12345678901234567890),
    DATE,
    JsSet([1, "1", JsSet([BigInt(2)])]),
    JsMap([("k", DATE), (1, JsMap([("u", UNDEFINED)]))]),
    [UNDEFINED, None, 1.5, float("nan")],
    Url("https://a.example/b"),
    None,
    0,
    "",
]


@pytest.mark.parametrize("value", RICH, ids=repr)
async def test_rich_values_pass_through_input_and_output(value: object, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": value})

    view = await finished(client, "echo", execution_id)

    assert same(view["input"], value)
    assert same(view["output"], value)


async def test_missing_input_is_undefined_for_the_task(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "describe"})

    view = await finished(client, "describe", execution_id)

    assert view["output"] == "UNDEFINED"
    assert "input" not in view


async def test_undefined_inside_an_input_arrives_as_it_was_sent(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "describe", "input": [UNDEFINED, 1]})

    assert (await finished(client, "describe", execution_id))["output"] == "[UNDEFINED, 1]"


@pytest.mark.parametrize(
    ("procedure", "rest"),
    [
        ("enqueueTask", {"input": 1}),
        ("getTaskExecution", {"executionId": "te_1"}),
        (
            "wakeupSleepingTaskExecution",
            {"sleepingTaskUniqueId": "u", "options": {"status": "completed"}},
        ),
    ],
)
@pytest.mark.parametrize("key", ["nobody", "", "__class__"])
async def test_unknown_task_is_not_found(
    procedure: str, rest: dict[str, Any], key: str, client: ORPCClient
) -> None:
    error = await refusal_of(client[procedure]({"taskId": key, **rest}))

    assert (error.code, error.status, error.message) == ("NOT_FOUND", 404, f"Task {key} not found")


async def test_unknown_execution_is_not_found(client: ORPCClient) -> None:
    call = client.getTaskExecution({"taskId": "echo", "executionId": "te_nobody"})

    error = await refusal_of(call)

    assert (error.code, error.status) == ("NOT_FOUND", 404)
    assert error.message == "Task execution not found [executionId=te_nobody]"


async def test_execution_of_another_task_is_not_found(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 1})

    error = await refusal_of(
        client.getTaskExecution({"taskId": "broken", "executionId": execution_id})
    )

    assert error.code == "NOT_FOUND"


@pytest.mark.parametrize("procedure", ["enqueueTask", "getTaskExecution"])
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (UNDEFINED, []),
        (None, []),
        ([], []),
        ({"taskId": 7, "executionId": "te_1"}, ["taskId"]),
        ({"taskId": "e" * 256, "executionId": "te_1"}, ["taskId"]),
        ({"taskId": "\ud800", "executionId": "te_1"}, ["taskId"]),
    ],
    ids=["undefined", "null", "array", "number", "long", "surrogate"],
)
async def test_malformed_call_is_refused_with_issues(
    procedure: str, value: object, path: list[str], client: ORPCClient
) -> None:
    error = await refusal_of(client[procedure](value))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message == "Input validation failed"
    [issue] = error.data["issues"]
    assert issue["path"] == path


@pytest.mark.parametrize(
    "value",
    [{"input": 1}, {"taskId": "echo", "executionId": None}, {"taskId": "echo"}],
)
async def test_missing_field_is_named(value: dict[str, Any], client: ORPCClient) -> None:
    error = await refusal_of(client.getTaskExecution(value))

    [issue] = error.data["issues"]
    missing = "taskId" if "taskId" not in value else "executionId"
    assert missing in issue["message"] or issue["path"] == [missing]


async def test_invalid_task_input_names_the_field_and_leaves_no_row(
    lab: Lab, client: ORPCClient
) -> None:
    call = client.enqueueTask({"taskId": "sendEmail", "input": {**EMAIL, "to": 7}})

    error = await refusal_of(call)

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message == ("Invalid input of task send_email_v2: input.to: expected str, got int")
    assert error.data == {"issues": [{"message": "expected str, got int", "path": ["input", "to"]}]}
    assert lab.rows == 0


async def test_options_take_the_place_of_the_tasks_own(client: ORPCClient) -> None:
    options = {
        "timeoutMs": 1500,
        "sleepMsBeforeRun": 0.25,
        "retryOptions": {
            "maxAttempts": 2,
            "baseDelayMs": 10,
            "delayMultiplier": 1.5,
            "maxDelayMs": 20,
        },
    }
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 1, "options": options})

    view = await finished(client, "echo", execution_id)

    assert view["timeoutMs"] == 1500
    assert view["sleepMsBeforeRun"] == 1  # rounded up
    assert view["retryOptions"] == options["retryOptions"]


@pytest.mark.parametrize("options", [None, {}, {"retryOptions": None, "timeoutMs": None}])
async def test_null_options_leave_the_tasks_own(options: object, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 1, "options": options})

    view = await finished(client, "echo", execution_id)

    assert view["timeoutMs"] == 300_000
    assert view["retryOptions"] == {"maxAttempts": 0, "baseDelayMs": 0, "delayMultiplier": 1}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"timeoutMs": 0}, "options.timeoutMs must be"),
        ({"timeoutMs": 10**15}, "options.timeoutMs must be"),
        ({"sleepMsBeforeRun": -1}, "options.sleepMsBeforeRun must be"),
        ({"retryOptions": {"maxAttempts": -1}}, "options.retryOptions.maxAttempts must be"),
        ({"retryOptions": {"maxAttempts": 1001}}, "options.retryOptions.maxAttempts must be"),
        (
            {"retryOptions": {"maxAttempts": 1, "baseDelayMs": 3_600_001}},
            "options.retryOptions.baseDelayMs must be",
        ),
        (
            {"retryOptions": {"maxAttempts": 1, "delayMultiplier": 0.05}},
            "options.retryOptions.delayMultiplier must be",
        ),
        (
            {"retryOptions": {"maxAttempts": 1, "maxDelayMs": 86_400_001}},
            "options.retryOptions.maxDelayMs must be",
        ),
        (
            {"retryOptions": {"maxAttempts": 1, "baseDelayMs": 20, "maxDelayMs": 10}},
            "options.retryOptions.maxDelayMs must not be below baseDelayMs",
        ),
    ],
)
async def test_option_out_of_bounds_is_named_as_on_the_wire(
    options: dict[str, Any], named: str, lab: Lab, client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTask({"taskId": "echo", "input": 1, "options": options}))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message.startswith(named)
    assert lab.rows == 0


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"timeoutMs": 1.5}, ["options", "timeoutMs"]),
        ({"timeoutMs": "1"}, ["options", "timeoutMs"]),
        ({"timeoutMs": float("nan")}, ["options", "timeoutMs"]),
        ({"sleepMsBeforeRun": "soon"}, ["options", "sleepMsBeforeRun"]),
        ({"retryOptions": {}}, ["options", "retryOptions"]),
        ({"retryOptions": {"maxAttempts": True}}, ["options", "retryOptions", "maxAttempts"]),
        (7, ["options"]),
    ],
)
async def test_option_of_the_wrong_type_is_an_issue(
    options: object, path: list[str], client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTask({"taskId": "echo", "input": 1, "options": options}))

    [issue] = error.data["issues"]
    assert (error.status, issue["path"]) == (400, path)


async def test_nan_is_no_sleep(client: ORPCClient) -> None:
    options = {"sleepMsBeforeRun": float("nan")}

    error = await refusal_of(client.enqueueTask({"taskId": "echo", "input": 1, "options": options}))

    assert (error.status, "options.sleepMsBeforeRun" in error.message) == (400, True)


CALLS = {
    "enqueueTask": {"taskId": "echo", "input": 1},
    "getTaskExecution": {"taskId": "echo", "executionId": "te_1"},
    "wakeupSleepingTaskExecution": {
        "taskId": "approval",
        "sleepingTaskUniqueId": "u",
        "options": {"status": "completed", "output": 1},
    },
    "enqueueTasks": {"tasks": [{"taskId": "echo", "input": 1}]},
    "waitTaskExecution": {"taskId": "echo", "executionId": "te_1"},
    "watchTaskExecution": {"taskId": "echo", "executionId": "te_1"},
    "cancelTaskExecution": {"taskId": "echo", "executionId": "te_1"},
    "listTaskExecutions": {},
}


async def only_ada(ctx: CallContext, input: object, proceed: Next) -> object:
    if ctx.headers.get("authorization") != "Bearer ada":
        raise ORPCError("UNAUTHORIZED", "Send a token")
    return await proceed()


def test_router_has_these_procedures(lab: Lab) -> None:
    assert create_tasks_router(rpc, lab.executor, lab.tasks).keys() == CALLS.keys()


@pytest.mark.parametrize("procedure", CALLS)
async def test_middleware_of_the_builder_guards_every_procedure(procedure: str, lab: Lab) -> None:
    router = create_tasks_router(rpc.use(only_ada), lab.executor, lab.tasks)
    client = client_of(RPCHandler(router, prefix="/rpc"))

    error = await refusal_of(client[procedure](CALLS[procedure]))

    assert (error.code, error.message) == ("UNAUTHORIZED", "Send a token")
    assert lab.rows == 0


async def test_middleware_lets_the_right_caller_pass(lab: Lab) -> None:
    router = create_tasks_router(rpc.use(only_ada), lab.executor, lab.tasks)
    client = client_of(RPCHandler(router, prefix="/rpc"))

    execution_id = await client.enqueueTask(
        CALLS["enqueueTask"], headers={"authorization": "Bearer ada"}
    )

    assert execution_id.startswith("te_")


@pytest.mark.parametrize("procedure", CALLS)
async def test_executor_that_does_not_run_is_unavailable(procedure: str) -> None:
    client = Lab().client()

    error = await refusal_of(client[procedure](CALLS[procedure]))

    assert (error.code, error.status) == ("SERVICE_UNAVAILABLE", 503)
    assert error.message.startswith("Executor is not started")


async def test_storage_that_is_away_is_told_to_the_log_and_not_to_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Away(InMemoryStorage):
        async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
            raise StorageUnavailableError("no route to db.internal")

    executor = DurableExecutor(Away())
    sleeper = executor.sleeping_task("approval")
    async with executor:
        router = create_tasks_router(rpc, executor, {"approval": sleeper})
        client = client_of(RPCHandler(router, prefix="/rpc"))
        call = client.getTaskExecution({"taskId": "approval", "executionId": "te_1"})
        error = await refusal_of(call)

    assert (error.status, error.message) == (503, "The storage is not available at the moment")
    assert "no route to db.internal" in {getattr(each, "error", None) for each in caplog.records}


def test_task_of_another_executor_is_refused_when_the_router_is_made(lab: Lab) -> None:
    stranger = DurableExecutor(InMemoryStorage())

    with pytest.raises(InvalidOptionError, match="'send_email_v2' is not registered"):
        create_tasks_router(rpc, stranger, lab.tasks)


def test_what_is_no_executor_and_no_mapping_is_refused_when_the_router_is_made(lab: Lab) -> None:
    with pytest.raises(InvalidOptionError, match="tasks must be a mapping of keys to tasks, got l"):
        create_tasks_router(rpc, lab.executor, [])  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="executor must be a DurableExecutor, got Builder"):
        create_tasks_router(rpc, rpc, {})  # type: ignore[arg-type]


def test_group_of_tasks_is_a_mapping_for_the_router() -> None:
    group = Tasks()

    @group.task
    def double(ctx: object, input: int) -> int:
        return 2 * input

    executor = DurableExecutor(InMemoryStorage())
    with pytest.raises(InvalidOptionError, match=r"executor\.include"):
        create_tasks_router(rpc, executor, group)
    executor.include(group)
    assert create_tasks_router(rpc, executor, group).keys() == CALLS.keys()


def test_builder_with_an_input_is_refused(lab: Lab) -> None:
    with pytest.raises(TypeError, match="belong to a procedure"):
        create_tasks_router(rpc.input(int), lab.executor, lab.tasks)


async def test_stored_values_that_no_longer_fit_can_still_be_looked_at(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "sendEmail", "input": EMAIL})
    await finished(client, "sendEmail", execution_id)
    await lab.executor.shutdown()

    executor = DurableExecutor(lab.storage)

    @executor.task(id="send_email_v2")
    async def send_email(ctx: object, input: int) -> int:
        return input

    async with executor:
        router = create_tasks_router(rpc, executor, {"sendEmail": send_email})
        later = client_of(RPCHandler(router, prefix="/rpc"))
        view = await later.getTaskExecution({"taskId": "sendEmail", "executionId": execution_id})

    assert view["output"] == {"message_id": "to ada", "at": DATE, "sizes": {"a": 1}}
