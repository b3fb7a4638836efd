from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from durable_execution import DurableExecutionNotFoundError
from durable_execution._engine.outside import Turn
from durable_execution.client import (
    AttemptOverError,
    DurableExecutionError,
    InvalidInputError,
    InvalidOptionError,
    InvalidTokenError,
    SyncCallbackClient,
    create_callback_client,
)
from durable_execution.orpc import (
    AsgiSender,
    ORPCError,
    Request,
    RPCConnectionError,
    RPCLink,
    SyncLink,
    create_orpc_client,
    rpc,
)
from durable_execution.server import RPCHandler, create_tasks_router
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.remote.callbacks.lab import App, Lab, started
from tests.remote.lab import client_of


async def test_the_tasks_router_has_the_procedures_where_there_is_a_callback_task() -> None:
    async with started() as lab:
        plain = lab.executor.sleeping_task("plain")
        router = create_tasks_router(rpc, lab.executor, {"render": lab.task, "plain": plain})
        callbacks = create_callback_client(client_of(RPCHandler(router, prefix="/rpc")))
        handle = await lab.enqueue()
        await callbacks.complete((await lab.app.request()).token, 1)

        assert await handle.result() == 1
        without = create_tasks_router(rpc, lab.executor, {"plain": plain})
        assert not {"completeTask", "failTask", "heartbeatTask"} & without.keys()


async def test_any_http_client_can_call_back() -> None:
    async with started() as lab:
        app = RPCHandler(create_tasks_router(rpc, lab.executor, {"t": lab.task}), prefix="/rpc")
        handle = await lab.enqueue()
        body = json.dumps({"json": {"token": (await lab.app.request()).token, "output": [1]}})
        headers = (("content-type", "application/json"),)
        post = Request("POST", "/rpc/completeTask", headers=headers, body=body.encode())
        answer = await AsgiSender(app).send(post, max_response_size=10_000)

        said = json.loads(answer.body)  # type: ignore[arg-type]
        assert said == {"json": {"executionId": handle.execution_id, "status": "completed"}}
        assert await handle.result() == [1]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("completeTask", {}),
        ("completeTask", {"token": 5}),
        ("completeTask", {"token": "x" * 4097}),
        ("failTask", {"token": "x"}),
        ("failTask", {"token": "x", "error": ""}),
        ("failTask", {"token": "x", "error": {}}),
        ("failTask", {"token": "x", "error": "no", "isRetryable": "yes"}),
        ("heartbeatTask", {"token": "x", "progress": []}),
        ("heartbeatTask", 7),
    ],
)
async def test_a_malformed_call_is_refused_and_names_the_field(name: str, call: Any) -> None:
    async with started() as lab:
        with pytest.raises(ORPCError, match="Input validation failed") as refusal:
            await lab.client[name](call)
    assert refusal.value.status == 400
    assert refusal.value.data["issues"]


async def test_an_execution_that_is_deleted_is_not_found() -> None:
    async with started() as lab:
        handle = await lab.enqueue()
        token = (await lab.app.request()).token
        await handle.cancel()
        await asyncio.sleep(0.01)  # deleted is what finished before this instant
        assert await lab.executor.delete_finished_task_executions(older_than=0) == 1
        with pytest.raises(DurableExecutionNotFoundError, match=handle.execution_id):
            await lab.callbacks.complete(token, 1)


async def test_an_output_without_a_form_on_the_wire_is_not_sent() -> None:
    callbacks = create_callback_client(client_of(RPCHandler({}, prefix="/rpc")))
    with pytest.raises(InvalidInputError, match="Invalid output"):
        await callbacks.complete("token", object())


@pytest.mark.parametrize("answer", [b'{"json":7}', b'{"json":{"status":"odd"}}', b"{}"])
async def test_an_unreadable_answer_may_be_asked_for_again(answer: bytes) -> None:
    link = RPCLink("http://lab/rpc", sender=FakeSender(json_response(answer)))
    callbacks = create_callback_client(create_orpc_client(link))
    for call in (callbacks.complete("t"), callbacks.fail("t", "no"), callbacks.heartbeat("t")):
        with pytest.raises(DurableExecutionError, match="cannot be read") as failure:
            await call
        assert failure.value.is_retryable


async def test_a_server_that_cannot_be_reached_may_be_called_again() -> None:
    sender = FakeSender(RPCConnectionError("Cannot connect", was_sent=False))
    callbacks = create_callback_client(create_orpc_client(RPCLink("http://lab/rpc", sender=sender)))
    with pytest.raises(DurableExecutionError, match="Cannot connect") as failure:
        await callbacks.complete("t")
    assert failure.value.is_retryable


async def test_attempts_of_other_tasks_are_nobodys_to_answer_for() -> None:
    async with started() as lab:
        sleeper = lab.executor.sleeping_task("sleeper")
        handle = await lab.executor.enqueue_task(sleeper, "bell")
        with pytest.raises(InvalidInputError, match="not a callback task"):
            await lab.executor.complete_attempt(sleeper, Turn(handle.execution_id, 0), 1)


def test_only_a_client_can_be_called_back_with() -> None:
    with pytest.raises(InvalidOptionError, match="must come from create_orpc_client"):
        create_callback_client("http://executor/rpc")  # type: ignore[call-overload]


class OtherLoop:
    """A sender whose application lives on another event loop, as a server does."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: Any) -> None:
        self._loop = loop
        self._sender = AsgiSender(app)

    async def send(self, request: Any, *, max_response_size: int) -> Any:
        sending = self._sender.send(request, max_response_size=max_response_size)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, self._loop))

    async def aclose(self) -> None:
        return


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_code_without_an_event_loop_calls_back_too(loop: asyncio.AbstractEventLoop) -> None:
    def there(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    async def begun() -> Lab:
        lab = Lab(App())
        await lab.executor.start()
        return lab

    lab = there(begun())
    router = create_tasks_router(rpc, lab.executor, {"render": lab.task})
    sender = OtherLoop(loop, RPCHandler(router, prefix="/rpc"))
    try:
        with SyncLink(RPCLink("http://lab/rpc", sender=sender)) as link:
            callbacks = create_callback_client(create_orpc_client(link))
            assert isinstance(callbacks, SyncCallbackClient)
            done, failed = there(lab.enqueue("done")), there(lab.enqueue("failed"))
            there(lab.app.request(1))
            tokens = {each.input: each.token for each in lab.app.asked}
            assert isinstance(callbacks.heartbeat(tokens["done"], 0.5), datetime)
            assert callbacks.complete(tokens["done"], 1) == "completed"
            assert callbacks.fail(tokens["failed"], "no") == "failed"
            with pytest.raises(AttemptOverError):
                callbacks.heartbeat(tokens["done"])
            with pytest.raises(InvalidTokenError):
                callbacks.complete("forged")
            assert there(done.result()) == 1
            assert there(failed.get_execution()).status == "failed"
    finally:
        there(lab.executor.shutdown())
