"""The servers of workload 5, each in a process of its own: `python -m bench.rpc_server echo URL`.

Prints the port when it listens, then serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import httptools
import uvicorn
import uvloop

from bench.rpc_wire import FIXED_ANSWER
from durable_execution import DurableExecutor, TaskContext, tune_garbage_collector
from durable_execution.orpc import RPCHandler, rpc
from durable_execution.server import create_executor_app, create_tasks_router
from durable_execution.storage import open_storage


async def bare_echo(scope: Any, receive: Any, send: Any) -> None:
    """The least that an ASGI application can do with a body: what every handler pays."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b"".join(chunks)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@rpc.handler
async def echo(_: object, input: object) -> object:
    return input


def executor_app(url: str) -> Any:
    """An executor server as the documentation shows it."""
    executor = DurableExecutor(open_storage(url))

    @executor.task(id="addOne")
    async def add_one(ctx: TaskContext, number: int) -> int:
        return number + 1

    router = create_tasks_router(rpc, executor, {"addOne": add_one})
    return create_executor_app(executor, {"/rpc": RPCHandler(router)})


APPS: dict[str, Callable[[str], Any]] = {
    "echo": lambda _: bare_echo,
    "rpc": lambda _: RPCHandler({"echo": echo}, prefix="/rpc"),
    "executor": executor_app,
}


class FixedAnswer(asyncio.Protocol):
    """A server that costs nothing: the same answer to whatever is asked, for measuring clients."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(FIXED_ANSWER)


async def serve_fixed() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(FixedAnswer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


async def serve_app(name: str, url: str) -> None:
    config = uvicorn.Config(
        APPS[name](url),
        port=0,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    tune_garbage_collector()  # as `durable-execution serve` does, for the floor as well
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    subject, url = sys.argv[1:]
    main = serve_fixed() if subject == "fixed" else serve_app(subject, url)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
