"""The trace of a caller through a tasks router, an execution, and the app that it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, InMemoryStorage, TaskContext
from durable_execution._observing import (
    CallServed,
    Fact,
    continuing,
    current_baggage,
)
from durable_execution.orpc import AsgiSender, ORPCClient, RPCLink, create_orpc_client
from durable_execution.server import (
    CallContext,
    RPCHandler,
    convert_procedure_client_to_task,
    create_operators_router,
    create_tasks_router,
    observe_calls,
    rpc,
)

SENT = f"00-{7:032x}-{9:016x}-01"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"


HEADERS = ("traceparent", "tracestate", "baggage")


@rpc.handler
async def charge(ctx: CallContext, amount: int) -> list[str | None]:
    return [ctx.headers.get(name) for name in HEADERS]


@asynccontextmanager
async def client_of(options: ExecutorOptions) -> AsyncIterator[tuple[ORPCClient, DurableExecutor]]:
    app = RPCLink("http://app.test", sender=AsgiSender(RPCHandler({"charge": charge})))
    async with DurableExecutor(InMemoryStorage(), options) as executor, app:

        @executor.task(id="trace")
        async def trace(ctx: TaskContext, input: object) -> list[str | None]:
            return [ctx.traceparent, ctx.tracestate, current_baggage.get()]

        remote = convert_procedure_client_to_task(
            executor, {"id": "charge"}, create_orpc_client(app).charge
        )
        router = create_tasks_router(rpc, executor, {"trace": trace, "charge": remote})
        operators = create_operators_router(rpc, executor, {"trace": trace, "charge": remote})
        sender = AsgiSender(RPCHandler({**router, **operators}))
        async with RPCLink("http://server.test", sender=sender) as link:
            yield create_orpc_client(link), executor


async def output_of(client: ORPCClient, task: str, execution_id: str) -> object:
    ended = await client.waitTaskExecution({"taskId": task, "executionId": execution_id})
    assert isinstance(ended, dict)
    return ended["output"]


@pytest.mark.parametrize("options", [ExecutorOptions(), ExecutorOptions(observers=[print])])
async def test_trace_of_a_caller_is_carried_to_the_app_that_its_task_calls(
    options: ExecutorOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client_of(options) as (client, _):
        with continuing({"traceparent": SENT, "tracestate": STATE, "baggage": "user=7"}):
            local = await client.enqueueTask({"taskId": "trace", "input": 1})
            remote = await client.enqueueTask({"taskId": "charge", "input": 1})
            (many,) = await client.enqueueTasks({"tasks": [{"taskId": "trace", "input": 1}]})
        untraced = await client.enqueueTask({"taskId": "charge", "input": 1})
        assert await output_of(client, "trace", local) == [SENT, STATE, None]
        assert await output_of(client, "trace", many) == [SENT, STATE, None]
        assert await output_of(client, "charge", remote) == [SENT, STATE, None]
        assert await output_of(client, "charge", untraced) == [None, None, None]


async def test_baggage_of_a_caller_is_carried_from_call_to_call() -> None:
    app = RPCLink("http://app.test", sender=AsgiSender(RPCHandler({"charge": charge})))

    @rpc.use(observe_calls()).handler
    async def through(ctx: CallContext, amount: int) -> object:
        return await create_orpc_client(app).charge(amount)

    sender = AsgiSender(RPCHandler({"through": through}))
    async with app, RPCLink("http://server.test", sender=sender) as link:
        with continuing({"traceparent": SENT, "tracestate": STATE, "baggage": "user=7"}):
            assert await create_orpc_client(link).through(1) == [SENT, STATE, "user=7"]
        with continuing({"baggage": "user=8"}):
            assert await create_orpc_client(link).through(1) == [None, None, "user=8"]
        assert await create_orpc_client(link).through(1) == [None, None, None]


async def test_calls_of_the_routers_are_told_to_the_observers_of_their_executor() -> None:
    facts: list[Fact] = []
    async with client_of(ExecutorOptions(observers=[facts.append])) as (client, _):
        execution_id = await client.enqueueTask({"taskId": "trace", "input": 1})
        await output_of(client, "trace", execution_id)
        await client.getExecutorStats()
    served = [fact.procedure for fact in facts if isinstance(fact, CallServed)]
    assert served == ["enqueueTask", "waitTaskExecution", "getExecutorStats"]
