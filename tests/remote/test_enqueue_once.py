"""A client that loses an answer: there is one execution, or the failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution import DurableExecutionError, IdempotencyConflictError
from durable_execution.client import RPCLink, TaskClientHandles, create_task_client_handles
from durable_execution.orpc import (
    ORPCClient,
    ORPCError,
    RPCConnectionError,
    create_orpc_client,
    rpc,
)
from durable_execution.remote.enqueue_once import RETRIES
from durable_execution.server import CallContext, RPCHandler, create_tasks_router
from tests.remote.lab import Lab, client_of
from tests.remote.wires import Answering, Proxy, listening

REFERENCE = ("enqueueTask", "getTaskExecution", "wakeupSleepingTaskExecution")


def app_of(lab: Lab, *names: str) -> RPCHandler:
    """The lab's router, or of it only some procedures, as an older server has."""
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    return RPCHandler({name: router[name] for name in names or router}, prefix="/rpc")


@pytest.fixture
async def proxy(lab: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Proxy]:
    async with listening(app_of(lab, *getattr(request, "param", ()))) as port:
        proxy = Proxy(port)
        async with proxy.run():
            yield proxy


@pytest.fixture
async def handles(lab: Lab, proxy: Proxy) -> AsyncIterator[TaskClientHandles]:
    async with RPCLink(f"http://127.0.0.1:{proxy.port}/rpc") as link:
        yield create_task_client_handles(create_orpc_client(link), lab.tasks)


@pytest.mark.parametrize("cuts", [1, 2])
async def test_answer_that_is_lost_after_the_commit_is_made_up_for(
    cuts: int, lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    proxy.answers_to_cut = cuts

    execution_id = await handles.echo.enqueue(7)

    assert lab.rows == 1
    assert await handles.echo.result(execution_id, timeout=10) == 7


async def test_many_are_enqueued_once_when_their_answer_is_lost(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    proxy.answers_to_cut = 1

    ids = await handles.echo.enqueue_many(range(3))

    assert lab.rows == len(set(ids)) == 3
    assert [await handles.echo.result(each, timeout=10) for each in ids] == [0, 1, 2]


async def test_key_of_the_caller_is_the_one_that_is_sent_again(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    first = await handles.echo.enqueue(7, key="order 1")
    proxy.answers_to_cut = 1

    again = await handles.echo.enqueue(7, key="order 1")

    assert (again, lab.rows) == (first, 1)


async def test_conflict_is_told_even_when_it_was_told_in_vain_before(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    first = await handles.echo.enqueue(7, key="order 1")
    proxy.answers_to_cut = 1

    with pytest.raises(IdempotencyConflictError) as caught:
        await handles.echo.enqueue(8, key="order 1")

    assert caught.value.execution_id == first


@pytest.mark.parametrize("proxy", [REFERENCE], indirect=True)
async def test_older_server_is_not_sent_the_call_again(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    proxy.answers_to_cut = 1

    with pytest.raises(DurableExecutionError) as caught:
        await handles.echo.enqueue(7)

    assert lab.rows == 1
    assert (caught.value.is_retryable, caught.value.is_internal) == (True, True)
    assert isinstance(caught.value.__cause__, RPCConnectionError)


@pytest.mark.parametrize("proxy", [REFERENCE], indirect=True)
async def test_older_server_is_told_of_by_its_lack(handles: TaskClientHandles) -> None:
    with pytest.raises(
        DurableExecutionError, match="enqueueTasks: the server has no such"
    ) as caught:
        await handles.echo.enqueue_many([1])

    assert not caught.value.is_retryable


async def test_server_that_stays_away_is_given_up_with_the_first_failure(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    proxy.answers_to_cut = 100

    with pytest.raises(DurableExecutionError) as caught:
        await handles.echo.enqueue(7)

    assert caught.value.is_retryable
    assert 100 - proxy.answers_to_cut == RETRIES.attempts
    assert lab.rows == 1


@pytest.mark.parametrize("status", [502, 504])
async def test_gateway_that_lost_the_answer_is_asked_again(status: int, lab: Lab) -> None:
    app = Answering(app_of(lab), status, times=2)
    handles = create_task_client_handles(client_of(app), lab.tasks)

    execution_id = await handles.echo.enqueue(7)

    assert (lab.rows, app.times) == (1, 0)
    assert await handles.echo.result(execution_id, timeout=10) == 7


async def test_refusal_is_not_tried_again(lab: Lab) -> None:
    calls: list[str] = []

    async def busy(ctx: CallContext, input: object) -> object:
        calls.append(ctx.path[-1])
        raise ORPCError("SERVICE_UNAVAILABLE")

    app = RPCHandler({name: rpc.handler(busy) for name in (*REFERENCE, "enqueueTasks")})
    handles = create_task_client_handles(client_of(_under_rpc(app)), lab.tasks)

    with pytest.raises(DurableExecutionError):
        await handles.echo.enqueue(7)

    assert calls == ["enqueueTask"]


async def test_refusal_of_the_second_try_does_not_hide_that_the_first_may_have_worked(
    lab: Lab,
) -> None:
    router = dict(create_tasks_router(rpc, lab.executor, lab.tasks))

    async def forbidden(ctx: CallContext, input: object) -> object:
        raise ORPCError("FORBIDDEN")

    router["enqueueTasks"] = rpc.handler(forbidden)
    app = Answering(RPCHandler(router, prefix="/rpc"), 502, times=1)
    handles = create_task_client_handles(client_of(app), lab.tasks)

    with pytest.raises(DurableExecutionError) as caught:
        await handles.echo.enqueue(7)

    assert caught.value.is_retryable
    assert lab.rows == 1


async def test_every_call_has_a_key_of_its_own(lab: Lab, client: ORPCClient) -> None:
    handles = create_task_client_handles(client, lab.tasks)
    await asyncio.gather(*(handles.echo.enqueue(7) for _ in range(3)))
    await handles.echo.enqueue_many([7, 7])

    found = await lab.executor.search_task_executions()

    keys = {each.idempotency_key for each in found.executions}
    assert len(keys) == lab.rows == 5
    assert all(key is not None and key.startswith("call_") for key in keys)


def _under_rpc(app: RPCHandler) -> Any:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/rpc"}, receive, send)

    return mounted
