"""Handles for code without an event loop: the executor runs in a thread of its own here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from durable_execution import (
    CompletedTaskExecution,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    InvalidInputError,
    InvalidOptionError,
    declare_task,
)
from durable_execution.client import (
    SyncLink,
    SyncORPCClient,
    SyncTaskClientHandle,
    SyncTaskClientHandles,
    create_orpc_client,
    create_task_client_handles,
)
from durable_execution.orpc import RPCConnectionError, RPCLink, rpc
from durable_execution.server import RPCHandler, create_executor_app, create_tasks_router
from tests.orpc._client.fake_sender import FakeSender
from tests.remote.lab import Email, Lab, Sent
from tests.served import served

DATE = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)
EMAIL = Email("ada", DATE, {"b", "a"})
SENT = Sent("to ada", DATE, {"a": 1, "b": 1})


class OtherLoop:
    """A sender whose application lives on another event loop, as a server does."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: RPCHandler) -> None:
        from durable_execution.orpc import AsgiSender

        self._loop = loop
        self._sender = AsgiSender(app)

    async def send(self, request, *, max_response_size):  # type: ignore[no-untyped-def]
        sending = self._sender.send(request, max_response_size=max_response_size)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, self._loop))

    async def aclose(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[Lab, SyncORPCClient]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def started() -> Lab:
        lab = Lab()
        await lab.executor.start()
        return lab

    async def stopped(lab: Lab) -> None:
        lab.gate.set()
        await lab.executor.shutdown()

    lab = asyncio.run_coroutine_threadsafe(started(), loop).result(10)
    app = RPCHandler(create_tasks_router(rpc, lab.executor, lab.tasks), prefix="/rpc")
    try:
        with SyncLink(RPCLink("http://lab/rpc", sender=OtherLoop(loop, app))) as link:
            yield lab, create_orpc_client(link)
    finally:
        asyncio.run_coroutine_threadsafe(stopped(lab), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def lab(server: tuple[Lab, SyncORPCClient]) -> Lab:
    return server[0]


@pytest.fixture
def handles(server: tuple[Lab, SyncORPCClient]) -> SyncTaskClientHandles:
    lab, client = server
    return create_task_client_handles(client, lab.tasks)


def test_typed_input_and_output_come_back(lab: Lab, handles: SyncTaskClientHandles) -> None:
    execution_id = handles[lab.send_email].enqueue(EMAIL)

    execution = handles[lab.send_email].wait_and_get_finished_execution(execution_id)

    assert isinstance(execution, CompletedTaskExecution)
    assert (execution.input, execution.output) == (EMAIL, SENT)
    assert handles.sendEmail.get_execution(execution_id) == execution
    assert handles["mail"].result(execution_id) == SENT


def test_execution_still_running_is_waited_for_no_longer_than_asked(
    lab: Lab, handles: SyncTaskClientHandles
) -> None:
    execution_id = handles.held.enqueue(sleep_before_run=0)
    with pytest.raises(TimeoutError):
        handles.held.result(execution_id, timeout=0.05)


def test_sleeping_execution_is_woken_up(lab: Lab, handles: SyncTaskClientHandles) -> None:
    handles[lab.approval].enqueue("order 1")
    assert handles[lab.approval].wakeup("order 1", output=7).status == "completed"


def test_many_are_enqueued_waited_for_cancelled_and_listed(
    lab: Lab, handles: SyncTaskClientHandles
) -> None:
    ids = handles.echo.enqueue_many(n for n in range(3))
    assert [handles.echo.wait(each).output for each in ids] == [0, 1, 2]

    held = handles.held.enqueue(key="once")
    assert handles.held.enqueue(key="once") == held
    assert handles.held.wait(held, timeout=0.05).status in {"ready", "running"}
    assert handles.held.cancel(held).status == "cancelled"
    assert [each.execution_id for each in handles.held.list(statuses=["cancelled"]).executions] == [
        held
    ]
    assert {each.execution_id for each in handles.echo.list().executions} == set(ids)


def test_changes_are_read_in_a_plain_loop_from_a_real_server() -> None:
    lab = Lab()
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    with (
        served(create_executor_app(lab.executor, {"/rpc": RPCHandler(router)})) as origin,
        SyncLink(RPCLink(f"{origin}/rpc")) as link,
    ):
        handles = create_task_client_handles(create_orpc_client(link), lab.tasks)
        execution_id = handles.stepping.enqueue(0)

        with handles.stepping.watch(execution_id) as changes:
            statuses = [each.execution.status for each in changes if each.type == "status"]

        assert statuses[-1] == "completed"
        assert changes.return_value.output == "done"
        with handles.stepping.watch(execution_id, after=changes.last_event_id) as rest:
            assert list(rest) == []


def test_errors_are_those_of_the_asynchronous_handles(handles: SyncTaskClientHandles) -> None:
    with pytest.raises(InvalidInputError, match="Invalid input of task"):
        handles.sendEmail.enqueue({"to": 1})
    with pytest.raises(DurableExecutionNotFoundError):
        handles.sendEmail.get_execution("te_none")
    with pytest.raises(DurableExecutionError, match="nothing there"):
        handles.broken.result(handles.broken.enqueue())


def test_server_out_of_reach_is_a_retryable_error() -> None:
    failure = RPCConnectionError("The connection broke", was_sent=True)
    with SyncLink(RPCLink("http://lab/rpc", sender=FakeSender(failure))) as link:
        task = declare_task("echo", input=int, output=int)
        handles = create_task_client_handles(create_orpc_client(link), {"echo": task})
        with pytest.raises(DurableExecutionError) as caught:
            handles[task].enqueue(1)
    assert caught.value.is_retryable


def test_handles_are_found_and_named_as_the_asynchronous_ones() -> None:
    task = declare_task("echo", input=int, output=int)
    client = create_orpc_client(SyncLink(RPCLink("http://lab/rpc")))
    handles = create_task_client_handles(client.tasks, {"first": task, "second": task})

    assert isinstance(handles[task], SyncTaskClientHandle)
    assert handles[task].task_key == "first"
    assert list(handles) == dir(handles) == ["first", "second"]
    assert repr(handles) == "SyncTaskClientHandles(first, second)"
    assert repr(handles.second) == "SyncTaskClientHandle('second')"
    with pytest.raises(KeyError, match="no task 'third'"):
        _ = handles["third"]
    with pytest.raises(AttributeError, match="no task 'third'"):
        _ = handles.third
    with pytest.raises(InvalidOptionError, match="client must come from create_orpc_client"):
        create_task_client_handles(SyncLink(RPCLink("http://lab/rpc")), {})  # type: ignore[call-overload]


@pytest.mark.parametrize("is_older", [False, True])
def test_handles_wait_in_the_thread_that_calls(is_older: bool) -> None:
    lab = Lab()
    router = create_tasks_router(rpc, lab.executor, lab.tasks)
    if is_older:  # which has to be asked again and again
        router = {name: each for name, each in router.items() if name != "waitTaskExecution"}
    with (
        served(create_executor_app(lab.executor, {"/rpc": RPCHandler(router)})) as origin,
        SyncLink(RPCLink(f"{origin}/rpc")) as link,
    ):
        handles = create_task_client_handles(create_orpc_client(link), lab.tasks)
        [first, second] = handles.echo.enqueue_many([1, 2])
        assert (handles.echo.result(first), handles.echo.wait(second).output) == (1, 2)

        held = handles.held.enqueue(key="once")
        assert handles.held.wait(held, timeout=0.05).status in {"ready", "running"}
        with pytest.raises(TimeoutError):
            handles.held.result(held, timeout=0.05)
        assert handles.held.get_execution(held).status in {"ready", "running"}
        assert handles.held.cancel(held).status == "cancelled"
        assert not any(each.name.startswith("<SyncLink") for each in threading.enumerate())
