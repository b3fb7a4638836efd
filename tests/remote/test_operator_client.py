"""What operators do with a client, also when connections break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutionNotFoundError,
    ExecutionStats,
    InvalidOptionError,
)
from durable_execution.client import (
    OperatorClient,
    RPCLink,
    SyncLink,
    create_operator_client,
    create_orpc_client,
    create_task_client_handles,
)
from durable_execution.orpc import ORPCError, rpc
from durable_execution.remote.operated import TaskExecutionTree
from durable_execution.server import RPCHandler, create_executor_app, create_operators_router
from tests.remote.lab import Lab, client_of
from tests.remote.test_operating import app_of, ended
from tests.remote.wires import Proxy, listening
from tests.served import served


@pytest.fixture
def operator(lab: Lab) -> OperatorClient:
    return create_operator_client(client_of(app_of(lab)))


@pytest.fixture
async def proxy(lab: Lab) -> AsyncIterator[Proxy]:
    async with listening(app_of(lab)) as port:
        proxy = Proxy(port)
        async with proxy.run():
            yield proxy


@pytest.fixture
async def through_proxy(proxy: Proxy) -> AsyncIterator[OperatorClient]:
    async with RPCLink(f"http://127.0.0.1:{proxy.port}/rpc") as link:
        yield create_operator_client(create_orpc_client(link))


async def test_what_failed_is_retried(lab: Lab, operator: OperatorClient) -> None:
    execution_id = await ended(lab, "orphanage", None)
    retried = await operator.retry(execution_id, task="orphanage")
    assert (retried.execution_id, retried.status) == (execution_id, "waiting_for_finalize")
    assert (retried.task_id, retried.children_count, retried.finished_at) == ("orphanage", 1, None)


async def test_retry_whose_answer_is_lost_is_done_once(
    lab: Lab, proxy: Proxy, through_proxy: OperatorClient
) -> None:
    handle = await lab.executor.enqueue_task(lab.held)
    await handle.cancel()
    proxy.answers_to_cut = 2

    retried = await through_proxy.retry(handle.execution_id)

    assert proxy.answers_to_cut == 0
    assert retried.status in ("ready", "running")
    lab.gate.set()
    assert await handle.result(timeout=30) == "let go"


async def test_deletion_whose_answer_is_lost_goes_on(
    lab: Lab, proxy: Proxy, through_proxy: OperatorClient
) -> None:
    for n in range(3):
        await ended(lab, "echo", n)
    deleted = 0
    while lab.rows:  # what finished in this millisecond did not finish before it
        proxy.answers_to_cut = 1
        deleted += await through_proxy.prune(older_than=0)
    assert deleted < 3  # what a lost answer told of is not counted
    assert await through_proxy.prune(older_than=0) == 0


async def test_more_than_one_call_deletes_up_to_its_limit(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    async def prune(ctx: object, input: Any) -> object:
        calls.append(input)
        return {"deleted": min(input["limit"], 7_000), "isDone": False}

    client = client_of(RPCHandler({"pruneTaskExecutions": rpc.handler(prune)}, prefix="/rpc"))
    operator = create_operator_client(client)
    assert await operator.prune(older_than=60, limit=12_000) == 12_000
    assert [each["limit"] for each in calls] == [10_000, 5_000]
    # So that what finishes meanwhile is left.
    assert 60_000 <= calls[0]["olderThanMs"] <= calls[1]["olderThanMs"]


async def test_tree_is_read_as_it_hangs_together(lab: Lab, operator: OperatorClient) -> None:
    execution_id = await ended(lab, "orphanage", None)
    tree = await operator.get_tree(execution_id)
    assert (tree.execution.status, tree.left_out, tree.crash_count) == ("finalize_failed", 0, 0)
    child, finalize = tree.children
    assert (child.execution.task_id, child.input, child.output) == ("echo", 1, 1)
    error = finalize.execution.error
    assert error is not None
    assert "raise LookupError" in str(error.traceback)
    alone = await operator.get_tree(execution_id, limit=0)
    assert (alone.children, alone.left_out) == ((), 2)


async def test_tree_tells_of_attempts_before_the_last(lab: Lab, operator: OperatorClient) -> None:
    execution_id = await ended(lab, "broken", None)
    await operator.retry(execution_id)
    handle = await lab.executor.get_task_execution_handle(lab.tasks["broken"], execution_id)
    await handle.wait_and_get_finished_execution(timeout=30)
    tree = await operator.get_tree(execution_id)
    (first,) = tree.past_attempts
    assert (tree.past_attempts_count, first.outcome, first.attempt) == (1, "failed", 0)
    assert first.error is not None
    assert first.error.message == "LookupError: nothing there"


async def test_deep_tree_is_read_in_order() -> None:
    def entry(number: int, parent: int | None) -> dict[str, object]:
        above = {"taskId": "t", "executionId": f"te_{parent}", "isFinalizeOfParent": False}
        above |= {"indexInParentChildren": 0, "isOnlyChildOfParent": False}
        instants = dict.fromkeys(("createdAt", "updatedAt", "startAt"), "2024-01-01T00:00:00Z")
        facts = {"taskId": "t", "executionId": f"te_{number}", "status": "ready", **instants}
        counts = {"retryAttempts": 0, "childrenCount": 0, "activeChildrenCount": 0}
        return {**facts, **counts, **({} if parent is None else {"parent": above})}

    parents = [None, 0, 0, 1, 1, 2, 3]
    answer = {"executions": [entry(number, parent) for number, parent in enumerate(parents)]}
    strange = {"getTaskExecutionTree": rpc.handler(lambda: answer)}
    operator = create_operator_client(client_of(RPCHandler(strange, prefix="/rpc")))

    def shape(tree: TaskExecutionTree) -> Any:
        return tree.execution.execution_id, [shape(child) for child in tree.children]

    assert shape(await operator.get_tree("te_0")) == (
        "te_0",
        [
            ("te_1", [("te_3", [("te_6", [])]), ("te_4", [])]),
            ("te_2", [("te_5", [])]),
        ],
    )
    answer["executions"].append(entry(7, 70))
    with pytest.raises(DurableExecutionError, match="each behind its parent"):
        await operator.get_tree("te_0")


async def test_numbers_are_those_of_the_executor(lab: Lab, operator: OperatorClient) -> None:
    await ended(lab, "broken", None)
    told = await operator.get_stats(lately=60)
    own = await lab.executor.get_stats(lately=60)
    assert isinstance(told, ExecutionStats)
    assert (told.tasks, told.enqueued, told.finished) == (own.tasks, 1, 1)
    assert told.tasks["broken"].failed == {"failed": 1}
    assert told.executors[0].task_ids == own.executors[0].task_ids


async def test_handle_retries_with_its_types(lab: Lab) -> None:
    handles = create_task_client_handles(client_of(app_of(lab)), lab.tasks)
    execution_id = await ended(lab, "orphanage", None)
    retried = await handles.orphanage.retry(execution_id)
    assert retried.status == "waiting_for_finalize"
    assert [each.task_id for each in retried.children] == ["echo"]
    with pytest.raises(DurableExecutionNotFoundError):
        await handles.echo.retry(execution_id)


async def test_refusals_are_told(lab: Lab, operator: OperatorClient) -> None:
    root_id = await ended(lab, "orphanage", None)
    child = (await operator.get_tree(root_id)).children[0].execution
    with pytest.raises(DurableExecutionError, match="retry the root") as caught:
        await operator.retry(child.execution_id)
    assert not caught.value.is_retryable
    for call in (operator.retry("te_nobody"), operator.get_tree(root_id, task="echo")):
        with pytest.raises(DurableExecutionNotFoundError):
            await call
    with pytest.raises(InvalidOptionError, match="limit"):
        await operator.get_tree(root_id, limit=5_001)
    with pytest.raises(InvalidOptionError, match="lately"):
        await operator.get_stats(lately=0)
    with pytest.raises(InvalidOptionError, match="older_than"):
        await operator.prune(older_than=-1)
    with pytest.raises(InvalidOptionError, match="client must come from"):
        create_operator_client("http://x")  # type: ignore[call-overload]


async def test_server_without_operators_is_told_at_once(lab: Lab) -> None:
    operator = create_operator_client(lab.client())
    handles = create_task_client_handles(lab.client(), lab.tasks)
    for call in (
        operator.retry("te_1"),
        operator.get_tree("te_1"),
        operator.get_stats(),
        operator.prune(older_than=0),
        handles.echo.retry("te_1"),
    ):
        with pytest.raises(DurableExecutionError, match="no such procedure") as caught:
            await call
        assert not caught.value.is_retryable


@pytest.mark.parametrize(
    "answer",
    [None, 7, {}, {"executions": []}, {"executions": [7]}, {"deleted": "all"}, {"tasks": {}}],
    ids=repr,
)
async def test_answer_of_another_protocol_is_a_retryable_internal_error(answer: object) -> None:
    names = (
        "retryTaskExecution",
        "getTaskExecutionTree",
        "getExecutorStats",
        "pruneTaskExecutions",
    )
    strange = {name: rpc.handler(lambda: answer) for name in names}
    operator = create_operator_client(client_of(RPCHandler(strange, prefix="/rpc")))
    for call in (
        operator.retry("te_1"),
        operator.get_tree("te_1"),
        operator.get_stats(),
        operator.prune(older_than=0),
    ):
        with pytest.raises(DurableExecutionError, match="answer cannot be read") as caught:
            await call
        assert (caught.value.is_retryable, caught.value.is_internal) == (True, True)


async def test_server_that_is_away_is_asked_again() -> None:
    answers = iter([503, 502, None])

    async def prune(ctx: object, input: object) -> object:
        status = next(answers)
        if status is not None:
            raise ORPCError("AWAY", "not now", status=status)
        return {"deleted": 2, "isDone": True}

    client = client_of(RPCHandler({"pruneTaskExecutions": rpc.handler(prune)}, prefix="/rpc"))
    assert await create_operator_client(client).prune(older_than=0) == 2


def test_without_an_event_loop() -> None:
    lab = Lab()
    router = create_operators_router(rpc, lab.executor, lab.tasks)
    app = create_executor_app(lab.executor, {"/rpc": RPCHandler(router)})
    with served(app) as url, SyncLink(RPCLink(f"{url}/rpc")) as link:
        operator = create_operator_client(create_orpc_client(link))
        assert operator.get_stats(lately=60).enqueued == 0
        assert operator.prune(older_than=3600) == 0
        for call in (operator.retry, operator.get_tree):
            with pytest.raises(DurableExecutionNotFoundError):
                call("te_nobody")
