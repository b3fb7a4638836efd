"""A client that watches, over whatever happens to its connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from durable_execution import (
    CompletedTaskExecution,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    ProgressChange,
    StatusChange,
    declare_task,
)
from durable_execution.client import RPCLink, TaskClientHandles, create_task_client_handles
from durable_execution.orpc import (
    Event,
    ORPCClient,
    ORPCError,
    Return,
    RPCHandler,
    create_orpc_client,
    rpc,
)
from durable_execution.remote import watching
from durable_execution.server import CallContext, create_tasks_router
from tests.remote.lab import Lab, client_of
from tests.remote.wires import Proxy, listening


@pytest.fixture
async def proxy(lab: Lab) -> AsyncIterator[Proxy]:
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    async with listening(RPCHandler(router, prefix="/rpc")) as port:
        proxy = Proxy(port)
        async with proxy.run():
            yield proxy


@pytest.fixture
async def handles(lab: Lab, proxy: Proxy) -> AsyncIterator[TaskClientHandles]:
    async with RPCLink(f"http://127.0.0.1:{proxy.port}/rpc") as link:
        yield create_task_client_handles(create_orpc_client(link), lab.tasks)


async def test_changes_are_typed_and_end_with_the_finished_execution(
    lab: Lab, handles: TaskClientHandles
) -> None:
    execution_id = await handles.stepping.enqueue(2)
    seen = []
    async with handles.stepping.watch(execution_id) as changes:
        async for change in changes:
            seen.append(change)
            if change.type == "progress":
                lab.steps.put_nowait(None)

    progress = [each for each in seen if isinstance(each, ProgressChange)]
    assert [(each.progress.fraction, each.progress.message) for each in progress] == [
        (0.5, "step 1"),
        (1.0, "step 2"),
    ]
    assert len({each.id for each in seen}) == len(seen)
    last = seen[-1]
    assert isinstance(last, StatusChange)
    assert isinstance(last.execution, CompletedTaskExecution)
    assert last.execution.output == "done"
    assert changes.return_value == last.execution


async def test_connection_that_breaks_again_and_again_loses_and_repeats_nothing(
    lab: Lab, proxy: Proxy, handles: TaskClientHandles
) -> None:
    execution_id = await handles.stepping.enqueue(5)
    seen = []
    async with handles.stepping.watch(execution_id) as changes:
        async for change in changes:
            seen.append(change)
            if change.type == "progress":
                proxy.cut()
                lab.steps.put_nowait(None)

    fractions = [each.progress.fraction for each in seen if each.type == "progress"]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1.0
    statuses = [each.execution.status for each in seen if each.type == "status"]
    assert statuses == sorted(set(statuses), key=["ready", "running", "completed"].index)
    assert statuses[-1] == "completed"
    assert proxy.connections > 2


async def test_watching_goes_on_behind_a_change(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles.stepping.enqueue(1)
    async with handles.stepping.watch(execution_id) as changes:
        async for change in changes:
            if change.type == "progress":
                break
    lab.steps.put_nowait(None)

    rest = [each async for each in handles.stepping.watch(execution_id, after=change.id)]
    nothing = handles.stepping.watch(execution_id, after=rest[-1].id)

    assert [each.execution.status for each in rest] == ["completed"]
    assert [each async for each in nothing] == []
    assert nothing.return_value == rest[-1].execution


async def test_what_does_not_exist_is_not_found(handles: TaskClientHandles) -> None:
    with pytest.raises(DurableExecutionNotFoundError):
        await anext(handles.echo.watch("te_nobody"))


async def test_older_server_is_told_of_by_its_lack(lab: Lab) -> None:
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    app = RPCHandler({"enqueueTask": router["enqueueTask"]}, prefix="/rpc")
    handles = create_task_client_handles(client_of(app), lab.tasks)

    with pytest.raises(DurableExecutionError, match="watchTaskExecution: the server has no such"):
        await anext(handles.echo.watch("te_1"))


async def test_waiting_for_a_change_may_be_given_up_and_done_again(
    lab: Lab, handles: TaskClientHandles
) -> None:
    execution_id = await handles.held.enqueue()
    async with handles.held.watch(execution_id) as changes:
        async for change in changes:
            if change.execution.status == "running":
                break
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.05)

        lab.gate.set()

        last = await asyncio.wait_for(anext(changes), 5)
        assert last.execution.status == "completed"


def scripted(*answers: object) -> tuple[ORPCClient, list[str | None]]:
    """A server whose streams are these, one after the other; and what it was asked to resume."""
    asked: list[str | None] = []
    left = list(answers)

    async def watch(ctx: CallContext) -> object:
        asked.append(ctx.last_event_id)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return _events(answer)

    return client_of(RPCHandler({"watchTaskExecution": rpc.handler(watch)}, prefix="/rpc")), asked


async def _events(items: object) -> AsyncIterator[object]:
    assert isinstance(items, list)
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def progressed(change_id: str, fraction: float) -> Event[object]:
    progress = {"fraction": fraction, "updatedAt": "2024-01-01T00:00:00Z"}
    return Event({"type": "progress", "progress": progress}, id=change_id)


AWAY = ORPCError("SERVICE_UNAVAILABLE", "about to shut down")
echo = declare_task("echo")


async def test_server_that_leaves_or_is_away_is_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.001)
    client, asked = scripted(
        [progressed("1", 0.1), AWAY],
        AWAY,
        [progressed("2", 0.2)],  # a proxy gave up: no end
        [Event({"type": "weather"}, id="3")],
        [progressed("4", 0.4), ORPCError("NOT_FOUND", "deleted")],
    )
    handles = create_task_client_handles(client, {"echo": echo})
    changes = handles.echo.watch("te_1", after="0")

    fractions = [(await anext(changes)).progress.fraction for _ in range(3)]
    with pytest.raises(DurableExecutionNotFoundError, match="deleted"):
        await anext(changes)

    assert fractions == [0.1, 0.2, 0.4]
    assert asked == ["0", "1", "1", "2", "3"]


async def test_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(watching, "PATIENCE", 0.05)
    client, _ = scripted(*[AWAY] * 1000)
    handles = create_task_client_handles(client, {"echo": echo})

    with pytest.raises(DurableExecutionError, match="about to shut down") as caught:
        await anext(handles.echo.watch("te_1"))

    assert caught.value.is_retryable


@pytest.mark.parametrize(
    "item",
    [
        {"type": "progress"},
        Event(7, id="1"),
        Event({"type": "progress", "progress": {"fraction": "half"}}, id="1"),
        Event({"type": "status", "execution": {}}, id="1"),
        Return({"status": "paused"}),
    ],
    ids=["no id", "number", "fraction", "execution", "return"],
)
async def test_event_of_another_protocol_is_an_error(item: object) -> None:
    client, _ = scripted([item])
    handles = create_task_client_handles(client, {"echo": echo})

    with pytest.raises(DurableExecutionError, match="answer cannot be read"):
        await anext(handles.echo.watch("te_1"))
