"""What the type checkers must say of callback tasks. Checked, never run; see api.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_type

from durable_execution import DurableExecutor, Status, Task, declare_task
from durable_execution.client import (
    CallbackClient,
    CallbackRequest,
    ORPCClient,
    SyncCallbackClient,
    SyncORPCClient,
    create_callback_client,
    verify_callback,
)
from durable_execution.server import create_callback_task


@dataclass
class Film:
    title: str


URL = "https://app.example/take"
SECRET = "whsec_"
RENDER = declare_task("render", input=Film, output=int)


async def server(executor: DurableExecutor) -> None:
    typed = create_callback_task(
        executor, {"id": "a"}, URL, secret=SECRET, lease=5, input=Film, output=int
    )
    assert_type(typed, Task[Film, int])
    assert_type(await (await executor.enqueue_task(typed, Film("x"))).result(), int)
    assert_type(create_callback_task(executor, {"id": "b"}, URL, secret=[SECRET]), Task[Any, Any])
    create_callback_task(executor, {"id": "c"}, URL)  # type: ignore[call-overload]  # pyright: ignore
    create_callback_task(executor, {"id": "d"}, URL, secret=5)  # type: ignore[call-overload]  # pyright: ignore


async def app(headers: dict[str, str], body: bytes, client: ORPCClient) -> None:
    assert_type(verify_callback(headers, body, SECRET), CallbackRequest[Any])
    request = verify_callback(headers, body, SECRET, task=RENDER)
    assert_type(request, CallbackRequest[Film])
    assert_type(request.input.title, str)
    assert_type(request.expires_at, datetime)
    callbacks = create_callback_client(client)
    assert_type(callbacks, CallbackClient)
    assert_type(await callbacks.complete(request.token, 5), Status)
    assert_type(await callbacks.fail(request.token, "no", is_retryable=True), Status)
    assert_type(await callbacks.heartbeat(request.token, 0.5, "half"), datetime)
    verify_callback(headers, "text", SECRET)  # type: ignore[call-overload]  # pyright: ignore


def blocking(client: SyncORPCClient, token: str) -> None:
    callbacks = create_callback_client(client)
    assert_type(callbacks, SyncCallbackClient)
    assert_type(callbacks.complete(token), Status)
    assert_type(callbacks.fail(token, ValueError()), Status)
    assert_type(callbacks.heartbeat(token), datetime)
