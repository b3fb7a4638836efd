from __future__ import annotations

import asyncio
import time

import pytest

from durable_execution import DurableExecutionNotFoundError, RunningTaskExecution
from durable_execution.client import create_task_client_handles
from durable_execution.orpc import ORPCError, RPCHandler, rpc
from durable_execution.remote import long_polling, router_calls
from durable_execution.server import CallContext, Next, create_tasks_router
from tests.remote.lab import Lab, client_of


class Server:
    """The lab's router, which notes what is called and may lack procedures."""

    def __init__(self, lab: Lab) -> None:
        self.calls: list[str] = []
        self.missing: set[str] = set()
        self._router = create_tasks_router(rpc.use(self._note), lab.executor, lab.tasks)
        self.handles = create_task_client_handles(client_of(self), lab.tasks)

    async def _note(self, ctx: CallContext, input: object, proceed: Next) -> object:
        self.calls.append(ctx.path[-1])
        return await proceed()

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        name = scope["path"].rpartition("/")[2]
        if name in self.missing:
            self.calls.append(f"no {name}")
        there = {key: each for key, each in self._router.items() if key not in self.missing}
        await RPCHandler(there, prefix="/rpc")(scope, receive, send)


@pytest.fixture
def server(lab: Lab) -> Server:
    return Server(lab)


async def test_one_call_waits_for_the_finish(lab: Lab, server: Server) -> None:
    execution_id = await server.handles.held.enqueue()
    waiting = asyncio.create_task(server.handles.held.result(execution_id))
    await asyncio.sleep(0.1)  # in which a client that asks would have asked several times
    lab.gate.set()

    assert await waiting == "let go"
    assert server.calls == ["enqueueTask", "waitTaskExecution"]


async def test_waiting_is_taken_up_again_after_each_call(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_polling, "LONGEST_CALL", 0.05)
    monkeypatch.setattr(long_polling, "_SHORTEST_WAIT", 0.01)
    execution_id = await server.handles.held.enqueue()
    waiting = asyncio.create_task(server.handles.held.result(execution_id))
    while server.calls.count("waitTaskExecution") < 3:
        await asyncio.sleep(0.005)  # a client can only be watched
    lab.gate.set()

    assert await waiting == "let go"
    assert set(server.calls) == {"enqueueTask", "waitTaskExecution"}


async def test_server_that_does_not_really_wait_is_not_hurried(lab: Lab) -> None:
    calls = 0
    view = await lab.client().getTaskExecution(
        {"taskId": "held", "executionId": await lab.client().enqueueTask({"taskId": "held"})}
    )

    async def wait(ctx: CallContext) -> object:
        nonlocal calls
        calls += 1
        return view

    app = RPCHandler({"waitTaskExecution": rpc.handler(wait)}, prefix="/rpc")
    handles = create_task_client_handles(client_of(app), lab.tasks)

    with pytest.raises(TimeoutError):
        await handles.held.wait_and_get_finished_execution("te_1", timeout=0.3)

    assert calls < 10


async def test_older_server_is_asked_and_its_lack_is_learnt_once_for_all_handles(
    server: Server,
) -> None:
    server.missing = {"waitTaskExecution"}

    for n in range(3):
        assert await server.handles.echo.result(await server.handles.echo.enqueue(n)) == n
    await server.handles.describe.result(await server.handles.describe.enqueue(7))

    assert server.calls.count("no waitTaskExecution") == 1
    assert "getTaskExecution" in server.calls


async def test_server_that_was_renewed_is_noticed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_calls, "FORGET_AFTER", 0.0)
    server.missing = {"waitTaskExecution"}
    await server.handles.echo.result(await server.handles.echo.enqueue(1))
    server.missing = set()
    server.calls.clear()

    await server.handles.echo.result(await server.handles.echo.enqueue(1))

    assert server.calls == ["enqueueTask", "waitTaskExecution"]


async def test_missing_execution_is_not_taken_for_a_missing_procedure(server: Server) -> None:
    with pytest.raises(DurableExecutionNotFoundError, match="te_nobody"):
        await server.handles.echo.result("te_nobody")
    server.calls.clear()

    await server.handles.echo.result(await server.handles.echo.enqueue(1))

    assert server.calls == ["enqueueTask", "waitTaskExecution"]


async def test_server_that_leaves_sends_its_waiters_on(lab: Lab) -> None:
    refusals = [ORPCError("SERVICE_UNAVAILABLE", "about to shut down")] * 2

    async def leaving(ctx: CallContext, input: object, proceed: Next) -> object:
        if ctx.path[-1] == "waitTaskExecution" and refusals:
            raise refusals.pop()
        return await proceed()

    router = create_tasks_router(rpc.use(leaving), lab.executor, lab.tasks)
    client = client_of(RPCHandler(router, prefix="/rpc"))
    handles = create_task_client_handles(client, lab.tasks)
    execution_id = await handles.echo.enqueue(7)

    assert (await handles.echo.wait(execution_id, timeout=10)).status == "completed"
    assert not refusals
    refusals.append(ORPCError("SERVICE_UNAVAILABLE", "about to shut down"))
    assert await handles.echo.result(execution_id, timeout=10) == 7
    assert not refusals


@pytest.mark.parametrize("missing", [set(), {"waitTaskExecution"}], ids=["newer", "older"])
async def test_wait_shows_the_execution_as_it_is_when_the_time_is_over(
    missing: set[str], lab: Lab, server: Server
) -> None:
    server.missing = missing
    execution_id = await server.handles.held.enqueue()
    while (await server.handles.held.get_execution(execution_id)).status == "ready":
        await asyncio.sleep(0.001)  # a client can only ask
    begun = time.monotonic()

    execution = await server.handles.held.wait(execution_id, timeout=0.1)

    assert isinstance(execution, RunningTaskExecution)
    assert 0.05 < time.monotonic() - begun < 5


@pytest.mark.parametrize("missing", [set(), {"waitTaskExecution"}], ids=["newer", "older"])
@pytest.mark.parametrize("timeout", [5, 60])
async def test_wait_ends_with_the_execution(
    timeout: float, missing: set[str], server: Server
) -> None:
    server.missing = missing
    execution_id = await server.handles.echo.enqueue(7)

    execution = await server.handles.echo.wait(execution_id, timeout=timeout)

    assert (execution.status, execution.output) == ("completed", 7)


async def test_wait_outlives_the_timeout_of_its_link(lab: Lab) -> None:
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    client = client_of(RPCHandler(router, prefix="/rpc"), timeout=0.2)
    handles = create_task_client_handles(client, lab.tasks)
    execution_id = await handles.held.enqueue()
    waiting = asyncio.create_task(handles.held.result(execution_id))
    await asyncio.sleep(0.4)  # longer than the link waits for other calls

    lab.gate.set()

    assert await waiting == "let go"
