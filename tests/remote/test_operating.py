"""The procedures for operators: what they do, for whom, and how much of it at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from durable_execution.access import FULL_ACCESS, Access, BearerToken, BearerTokens, Guard
from durable_execution.orpc import AsgiSender, ORPCClient, RPCLink, create_orpc_client
from durable_execution.remote.procedures import operating
from durable_execution.server import (
    RPCHandler,
    create_operators_router,
    create_tasks_router,
    rpc,
)
from durable_execution.testing.records import RecordBuilder
from tests.remote.lab import Lab, client_of
from tests.remote.refusals import paths_of, refusal_of

OPERATIONS: dict[str, dict[str, Any]] = {
    "retryTaskExecution": {"taskId": "echo", "executionId": "te_1"},
    "getTaskExecutionTree": {"taskId": "echo", "executionId": "te_1"},
    "getExecutorStats": {},
    "pruneTaskExecutions": {"olderThanMs": 0},
}
TOKEN = "a-token-for-one-caller"


def app_of(lab: Lab) -> RPCHandler:
    tasks = create_tasks_router(rpc, lab.executor, lab.tasks)
    operators = create_operators_router(rpc, lab.executor, lab.tasks)
    return RPCHandler({**tasks, **operators}, prefix="/rpc")


@pytest.fixture
def operator(lab: Lab) -> ORPCClient:
    return client_of(app_of(lab))


def client_with(lab: Lab, access: Access) -> ORPCClient:
    auth = BearerTokens({"one": BearerToken(TOKEN, access=access)})
    sender = AsgiSender(Guard(app_of(lab), auth=auth))
    headers = {"authorization": f"Bearer {TOKEN}"}
    return create_orpc_client(RPCLink("http://lab/rpc", sender=sender, headers=headers))


async def ended(lab: Lab, key: str, input: object) -> str:
    """Run a task to its end; return the execution's id."""
    handle = await lab.executor.enqueue_task(lab.tasks[key], input)
    await handle.wait_and_get_finished_execution(timeout=30)
    return handle.execution_id


def names_of(tree: Any) -> list[tuple[str, str]]:
    return [(each["taskId"], each["status"]) for each in tree["executions"]]


def test_no_router_has_them_unasked(lab: Lab) -> None:
    assert not OPERATIONS.keys() & create_tasks_router(rpc, lab.executor, lab.tasks).keys()
    assert OPERATIONS.keys() == create_operators_router(rpc, lab.executor, lab.tasks).keys()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "access",
    [
        Access(tasks="echo", procedures="*"),
        Access(tasks={"echo", "*Email"}, procedures={"*TaskExecution*", "get*"}),
        Access(tasks="*", procedures={"enqueueTask", "*Executions", "retry*", "get*"}),
        Access(tasks=(), procedures=(), metrics=True),
    ],
    ids=["tasks", "described", "all tasks", "metrics"],
)
async def test_who_may_use_tasks_is_no_operator(lab: Lab, name: str, access: Access) -> None:
    error = await refusal_of(client_with(lab, access)[name](OPERATIONS[name]))
    assert (error.code, error.status) == ("FORBIDDEN", 403)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_is_allowed_by_its_name(lab: Lab, name: str) -> None:
    client = client_with(lab, Access(tasks="*", procedures=OPERATIONS.keys() - {name}))
    assert (await refusal_of(client[name](OPERATIONS[name]))).code == "FORBIDDEN"
    execution_id = await ended(lab, "echo", 1)
    for access in (FULL_ACCESS, Access(tasks="*", procedures={name})):
        await client_with(lab, access)[name]({**OPERATIONS[name], "executionId": execution_id})


@pytest.mark.parametrize("name", ["getExecutorStats", "pruneTaskExecutions"])
async def test_what_concerns_all_work_needs_all_tasks(lab: Lab, name: str) -> None:
    await ended(lab, "echo", 1)
    client = client_with(lab, Access(tasks=lab.tasks.keys(), procedures={name}))
    error = await refusal_of(client[name](OPERATIONS[name]))
    assert (error.code, error.message) == ("FORBIDDEN", "This caller may not use all tasks")
    assert lab.rows == 1


@pytest.mark.parametrize("name", ["retryTaskExecution", "getTaskExecutionTree"])
async def test_executions_out_of_reach_are_not_there(lab: Lab, name: str) -> None:
    execution_id = await ended(lab, "broken", None)
    client = client_with(lab, Access(tasks="echo", procedures={name}))
    for call in ({}, {"taskId": "echo"}):
        error = await refusal_of(client[name]({**call, "executionId": execution_id}))
        assert (error.code, error.message) == (
            "NOT_FOUND",
            f"Task execution not found [executionId={execution_id}]",
        )
    named = client[name]({"taskId": "broken", "executionId": execution_id})
    assert (await refusal_of(named)).code == "FORBIDDEN"
    within = client_with(lab, Access(tasks="broken", procedures={name}))
    for call in ({}, {"taskId": "broken"}):
        assert await within[name]({**call, "executionId": execution_id})


async def test_what_failed_runs_again_under_its_id(lab: Lab, operator: ORPCClient) -> None:
    execution_id = await ended(lab, "orphanage", None)
    call = {"taskId": "orphanage", "executionId": execution_id}
    retried = await operator.retryTaskExecution(call)
    assert (retried["executionId"], retried["status"]) == (execution_id, "waiting_for_finalize")
    handle = await lab.executor.get_task_execution_handle(lab.tasks["orphanage"], execution_id)
    assert (await handle.wait_and_get_finished_execution(timeout=30)).status == "finalize_failed"


async def test_a_retry_may_be_sent_twice(lab: Lab, operator: ORPCClient) -> None:
    handle = await lab.executor.enqueue_task(lab.tasks["held"])
    await handle.cancel()
    call = {"executionId": handle.execution_id}
    first = await operator.retryTaskExecution(call)
    second = await operator.retryTaskExecution(call)
    assert {first["status"], second["status"]} <= {"ready", "running"}
    lab.gate.set()
    assert await handle.result(timeout=30) == "let go"
    assert (await operator.retryTaskExecution(call))["status"] == "completed"


async def test_a_child_is_not_retried(lab: Lab, operator: ORPCClient) -> None:
    root_id = await ended(lab, "orphanage", None)
    tree = await operator.getTaskExecutionTree({"executionId": root_id})
    child_id = tree["executions"][1]["executionId"]
    error = await refusal_of(operator.retryTaskExecution({"executionId": child_id}))
    assert error.code == "BAD_REQUEST"
    assert f"retry the root of its tree, {root_id}" in error.message


async def test_a_tree_is_told_whole(lab: Lab, operator: ORPCClient) -> None:
    root_id = await ended(lab, "orphanage", None)
    tree = await operator.getTaskExecutionTree({"taskId": "orphanage", "executionId": root_id})
    assert names_of(tree) == [
        ("orphanage", "finalize_failed"),
        ("echo", "completed"),
        ("orphanage_finalize", "failed"),
    ]
    root, child, finalize = tree["executions"]
    assert (child["input"], child["output"]) == (1, 1)
    assert child["parent"]["executionId"] == root["executionId"] == root_id
    assert isinstance(child["finishedAt"], datetime)
    assert "raise LookupError" in finalize["error"]["traceback"]
    assert not {"children", "finalize", "leftOut", "payloadsLeftOut"} & root.keys()


async def test_limits_leave_out_and_say_so(lab: Lab, operator: ORPCClient) -> None:
    root_id = await ended(lab, "family", 5)
    call = {"executionId": root_id}
    alone = await operator.getTaskExecutionTree({**call, "limit": 0})
    assert [each["leftOut"] for each in alone["executions"]] == [6]
    some = await operator.getTaskExecutionTree({**call, "limit": 2})
    assert [each["input"] for each in some["executions"]] == [5, 0, 1]
    assert some["executions"][0]["leftOut"] == 4
    whole = await operator.getTaskExecutionTree(call)
    assert len(whole["executions"]) == 7


async def test_large_payloads_are_left_out_and_say_so(
    lab: Lab, operator: ORPCClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "MAX_TREE_BYTES", 200)
    root_id = await ended(lab, "family", 40)
    tree = await operator.getTaskExecutionTree({"executionId": root_id})
    root, *below = tree["executions"]
    assert (root["input"], root["output"]) == (40, 40)
    with_payloads = [each for each in below if "payloadsLeftOut" not in each]
    without = [each for each in below if "payloadsLeftOut" in each]
    assert with_payloads == below[: len(with_payloads)]
    assert with_payloads
    assert {"input", "output"} & {name for each in without for name in each} == set()
    asked = await operator.getTaskExecutionTree({"executionId": without[0]["executionId"]})
    assert "input" in asked["executions"][0]


async def test_time_that_is_over_leaves_out_the_rest(
    lab: Lab, operator: ORPCClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    root_id = await ended(lab, "family", 3)
    monkeypatch.setattr(operating, "MAX_TREE_SECONDS", 0.0)
    tree = await operator.getTaskExecutionTree({"executionId": root_id})
    assert [each["leftOut"] for each in tree["executions"]] == [4]
    monkeypatch.setattr(operating, "MAX_PRUNE_SECONDS", 0.0)
    pruned = await operator.pruneTaskExecutions({"olderThanMs": 0})
    assert pruned == {"deleted": 0, "isDone": False}


async def test_in_a_tree_other_tasks_keep_their_secrets(lab: Lab) -> None:
    root_id = await ended(lab, "orphanage", None)
    limited = client_with(lab, Access(tasks="orphanage", procedures={"getTaskExecutionTree"}))
    tree = await limited.getTaskExecutionTree({"executionId": root_id})
    assert names_of(tree)[1:] == [("echo", "completed"), ("orphanage_finalize", "failed")]
    for each in tree["executions"][1:]:
        assert not {"input", "output", "error", "executorId", "tags"} & each.keys()
    assert "error" in tree["executions"][0]


async def test_numbers_are_those_of_the_executor(lab: Lab, operator: ORPCClient) -> None:
    await ended(lab, "broken", None)
    told = await operator.getExecutorStats({"latelyMs": 60_000})
    assert told["tasks"] == {"broken": {"ready": 0, "failed": {"failed": 1}, "isKnown": True}}
    assert isinstance(told["at"], datetime)
    (executor,) = told["executors"]
    assert executor["isAlive"]
    assert "broken" in executor["taskIds"]
    assert (await operator.getExecutorStats())["enqueued"] == 1


async def test_what_finished_long_ago_is_deleted_in_steps(lab: Lab, operator: ORPCClient) -> None:
    for n in range(3):
        await ended(lab, "echo", n)
    prune = operator.pruneTaskExecutions
    assert await prune({"olderThanMs": 3_600_000}) == {"deleted": 0, "isDone": True}
    while lab.rows:  # what finished in this millisecond did not finish before it
        answer = await prune({"olderThanMs": 0, "limit": 2})
        assert answer == {"deleted": answer["deleted"], "isDone": answer["deleted"] < 2}
        assert answer["deleted"] <= 2
    # Whose answer got lost asks again, and does no harm.
    assert await prune({"olderThanMs": 0}) == {"deleted": 0, "isDone": True}


@pytest.mark.parametrize(
    ("name", "call", "path"),
    [
        ("retryTaskExecution", {}, []),
        ("retryTaskExecution", {"executionId": 7}, ["executionId"]),
        ("retryTaskExecution", {"executionId": "x", "taskId": []}, ["taskId"]),
        ("getTaskExecutionTree", {"executionId": "x", "limit": 5001}, ["limit"]),
        ("getTaskExecutionTree", {"executionId": "x", "limit": -1}, ["limit"]),
        ("getExecutorStats", {"latelyMs": 0}, ["latelyMs"]),
        ("getExecutorStats", {"latelyMs": 10**16}, ["latelyMs"]),
        ("pruneTaskExecutions", {}, []),
        ("pruneTaskExecutions", {"olderThanMs": -1}, ["olderThanMs"]),
        ("pruneTaskExecutions", {"olderThanMs": 0, "limit": 10_001}, ["limit"]),
    ],
    ids=str,
)
async def test_malformed_calls_are_refused_with_their_path(
    operator: ORPCClient, name: str, call: dict[str, Any], path: list[object]
) -> None:
    error = await refusal_of(operator[name](call))
    assert (error.code, error.message) == ("BAD_REQUEST", "Input validation failed")
    assert paths_of(error) == [path]


async def test_operators_see_what_nobody_mounts(lab: Lab, operator: ORPCClient) -> None:
    now = await lab.storage.now()
    record = RecordBuilder().root(now, task_id="gone")
    await lab.storage.insert([record])
    call = {"executionId": record.execution_id}
    assert names_of(await operator.getTaskExecutionTree(call)) == [("gone", "ready")]
    everyone = client_with(lab, Access(tasks="*", procedures={"getTaskExecutionTree"}))
    assert names_of(await everyone.getTaskExecutionTree(call)) == [("gone", "ready")]
    limited = client_with(lab, Access(tasks=lab.tasks.keys(), procedures=OPERATIONS.keys()))
    assert (await refusal_of(limited.getTaskExecutionTree(call))).code == "NOT_FOUND"
