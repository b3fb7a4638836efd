"""The same calls with no event loop: from any thread, after a fork, in the middle of anything."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from durable_execution.orpc import (
    UNDEFINED,
    AsgiSender,
    CallContext,
    Contract,
    Declared,
    File,
    Mode,
    OctetStream,
    ORPCError,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    RPCTimeoutError,
    Sync,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
    rpc,
)
from durable_execution.orpc._client.portal import in_caller
from tests.orpc._client.fake_sender import FakeSender, json_response

URL = "http://test/rpc"


@dataclass
class Planet:
    id: int
    name: str


class Planets(Contract[Mode]):
    find: Declared[Planet, Planet]


class App(Contract[Mode]):
    planets: Planets[Mode]
    echo: Declared[object, object]


@rpc.handler
async def echo(ctx: CallContext, input: object) -> object:
    return input


@rpc.handler
async def find(ctx: CallContext, input: Planet) -> Planet:
    if input.id == 0:
        raise ORPCError("NOT_FOUND", "No such planet")
    return input


@rpc.handler
async def token(ctx: CallContext) -> str | None:
    return ctx.headers.get("authorization")


HANDLER = RPCHandler(
    {"echo": echo, "planets": {"find": find}, "token": token},
    prefix="/rpc",
)


def link_to(app: Any = HANDLER, **options: Any) -> SyncLink:
    return SyncLink(RPCLink(URL, sender=AsgiSender(app), **options))


@pytest.fixture
def client() -> Iterator[SyncORPCClient]:
    with link_to() as link:
        yield create_orpc_client(link)


def loop_threads() -> int:
    return sum(thread.name.startswith("<SyncLink") for thread in threading.enumerate())


def test_call_returns_its_typed_output(client: SyncORPCClient) -> None:
    assert client.echo({"a": [1, None]}) == {"a": [1, None]}
    assert client.echo() is UNDEFINED
    assert client.planets.find(Planet(1, "Earth"), output=Planet) == Planet(1, "Earth")
    assert client["planets"]["find"]({"id": 2, "name": "Mars"}) == {"id": 2, "name": "Mars"}


def test_error_of_the_procedure_is_raised_where_it_was_called(client: SyncORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        client.planets.find({"id": 0, "name": ""})
    assert (caught.value.code, caught.value.message) == ("NOT_FOUND", "No such planet")


def test_link_is_called_without_a_client() -> None:
    with link_to() as link:
        assert link.call(["echo"], 1) == 1


def test_path_leads_below_the_root() -> None:
    with link_to() as link:
        planets = create_orpc_client(link, ["planets"])
        assert planets.find(Planet(1, "Earth"), output=Planet).name == "Earth"


def test_many_threads_share_one_link_and_one_thread(client: SyncORPCClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(client.echo, range(200))) == list(range(200))
        assert loop_threads() == 1


def test_header_function_runs_in_the_thread_that_calls() -> None:
    local = threading.local()
    local.token = "of this thread"
    with link_to(headers=lambda: {"authorization": local.token}) as link:
        assert create_orpc_client(link).token() == "of this thread"


def test_header_function_may_call_over_the_same_link() -> None:
    tokens: list[str] = []

    def headers() -> dict[str, str]:
        if not tokens:
            tokens.append("pending")
            tokens[:] = [str(client.echo("fresh"))]
        return {"authorization": tokens[0]}

    with link_to(headers=headers) as link:
        client = create_orpc_client(link)
        assert client.token() == "fresh"


def test_header_function_that_blocks_does_not_keep_other_threads_waiting() -> None:
    is_asked, may_go_on = threading.Event(), threading.Event()

    def headers() -> dict[str, str]:
        if threading.current_thread() is not threading.main_thread():
            is_asked.set()
            assert may_go_on.wait(10)
        return {}

    with link_to(headers=headers) as link, ThreadPoolExecutor(1) as threads:
        client = create_orpc_client(link)
        blocked = threads.submit(client.echo, "blocked")
        assert is_asked.wait(10)
        assert client.echo("free") == "free"
        may_go_on.set()
        assert blocked.result(10) == "blocked"


@pytest.mark.parametrize("raised", [ValueError("no token"), StopIteration("no token")])
def test_error_of_the_header_function_reaches_the_caller(raised: Exception) -> None:
    def headers() -> dict[str, str]:
        raise raised

    with link_to(headers=headers) as link, pytest.raises((ValueError, RuntimeError)) as caught:
        create_orpc_client(link).echo(1)
    assert raised in (caught.value, caught.value.__cause__)


def test_async_header_function_and_renewal_work_as_well() -> None:
    tokens = ["old"]

    async def headers() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"authorization": tokens[-1]}

    async def answer(request: Any) -> Any:
        fresh = request.header("authorization") == "new"
        return json_response(b'{"json":1}' if fresh else b"{}", 200 if fresh else 401)

    link = RPCLink(
        URL,
        headers=headers,
        sender=FakeSender(answer),
        on_unauthorized=lambda: tokens.append("new"),
    )
    with SyncLink(link) as sync_link:
        assert create_orpc_client(sync_link).x() == 1


def test_context_of_the_caller_reaches_the_call() -> None:
    user: ContextVar[str] = ContextVar("user")

    async def headers() -> dict[str, str]:
        return {"authorization": user.get()}

    with link_to(headers=headers) as link:
        user.set("ada")
        assert create_orpc_client(link).token() == "ada"


async def test_function_without_a_waiting_caller_runs_where_it_is() -> None:
    assert await in_caller(threading.get_ident) == threading.get_ident()


def test_call_beyond_its_timeout_is_given_up() -> None:
    async def never(request: Any) -> Any:
        await asyncio.Event().wait()

    with (
        SyncLink(RPCLink(URL, sender=FakeSender(never))) as link,
        pytest.raises(RPCTimeoutError),
    ):
        create_orpc_client(link).x(timeout=0.01)


def hanging() -> tuple[SyncLink, threading.Event, threading.Event]:
    has_begun, was_cancelled = threading.Event(), threading.Event()

    async def hang(request: Any) -> Any:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()

    return SyncLink(RPCLink(URL, sender=FakeSender(hang))), has_begun, was_cancelled


def test_closing_ends_calls_under_way() -> None:
    link, has_begun, was_cancelled = hanging()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(create_orpc_client(link).x)
        assert has_begun.wait(10)
        link.close()
        with pytest.raises(RuntimeError, match="was closed while a call was under way"):
            call.result(10)
    assert was_cancelled.is_set()


def test_interrupt_of_the_waiting_cancels_the_call() -> None:
    interrupted = threading.Event()

    async def headers() -> dict[str, str]:
        try:
            return await in_caller(interrupt)
        except asyncio.CancelledError:
            interrupted.set()
            raise

    def interrupt() -> dict[str, str]:
        raise KeyboardInterrupt

    with link_to(headers=headers) as link:
        with pytest.raises(KeyboardInterrupt):
            create_orpc_client(link).echo(1)
        assert interrupted.wait(10)


def test_closed_link_refuses_calls_and_has_no_thread() -> None:
    sender = FakeSender(json_response(b"{}"))
    with SyncLink(RPCLink(URL, sender=sender)) as link:
        create_orpc_client(link).x()
    assert (sender.times_closed, loop_threads()) == (1, 0)
    link.close()
    with pytest.raises(RuntimeError, match="is closed"):
        create_orpc_client(link).x()


def test_link_never_called_begins_no_thread() -> None:
    with link_to():
        assert loop_threads() == 0


def test_link_that_is_forgotten_ends_its_thread() -> None:
    link = link_to()
    create_orpc_client(link).echo(1)
    (thread,) = [each for each in threading.enumerate() if each.name.startswith("<SyncLink")]
    forgotten = weakref.ref(link)
    del link
    gc.collect()
    assert forgotten() is None
    thread.join(10)
    assert not thread.is_alive()


def test_call_from_inside_the_link_is_refused_instead_of_hanging() -> None:
    async def call_again(request: Any) -> Any:
        create_orpc_client(link).x()

    with (
        SyncLink(RPCLink(URL, sender=FakeSender(call_again))) as link,
        pytest.raises(RuntimeError, match="would wait for itself"),
    ):
        create_orpc_client(link).x()


def test_connection_error_tells_where() -> None:
    failure = RPCConnectionError("The connection broke", was_sent=True)
    with (
        SyncLink(RPCLink(URL, sender=FakeSender(failure))) as link,
        pytest.raises(RPCConnectionError) as caught,
    ):
        create_orpc_client(link).planets.find()
    assert caught.value.__notes__ == ["while calling planets/find at http://test/rpc"]


@pytest.mark.parametrize("use", [iter, lambda client: 1 in client])
def test_client_is_no_collection(client: SyncORPCClient, use: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        use(client)


def test_client_behaves_as_a_name(client: SyncORPCClient) -> None:
    assert copy.copy(client) is client
    assert copy.deepcopy(client) is client
    assert repr(client.planets.find) == "<SyncORPCClient planets/find>"
    with pytest.raises(AttributeError, match="has no attribute '_x'"):
        _ = client._x
    assert client["_x"] is not None
    assert repr(link_to()) == "<SyncLink <RPCLink http://test/rpc>>"


def test_link_is_not_pickled_and_takes_no_url() -> None:
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(link_to())
    with pytest.raises(TypeError, match=r"expected one such as RPCLink\(url\)"):
        SyncLink(URL)  # type: ignore[arg-type]  # the point of the test


def test_contract_types_a_client_that_blocks() -> None:
    with link_to() as link:
        app = create_orpc_client(link, contract=App[Sync])
        assert isinstance(app, App)
        assert app.planets.find(Planet(1, "Earth")) == Planet(1, "Earth")
        assert app.echo([1]) == [1]
        assert repr(app.echo).startswith("<SyncProcedureCall ")


FORKING = """
import os, sys, threading
from durable_execution.orpc import RPCLink, SyncLink, create_orpc_client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"json":%d}' % self.client_address[1]
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
link = SyncLink(RPCLink(f"http://127.0.0.1:{server.server_port}"))
client = create_orpc_client(link)
ours = client.x()
read, write = os.pipe()
child = os.fork()
if child == 0:
    theirs = {client.x(), client.x()}
    link.close()
    os.write(write, b" ".join(b"%d" % port for port in theirs))
    os._exit(0)
os.close(write)
_, status = os.waitpid(child, 0)
theirs = os.read(read, 100).split()
assert status == 0, status
assert len(theirs) == 1, theirs  # one connection, kept
assert int(theirs[0]) != ours, "the child used a connection of its parent"
assert client.x() == ours, "the child closed the connection of its parent"
link.close()
print("survived")
"""


def test_link_that_was_used_before_a_fork_works_in_both_processes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("survived\n", "")


def test_files_and_streams_of_bytes_need_no_event_loop(tmp_path: Path) -> None:
    router = {
        "echo": rpc.handler(lambda ctx, value: value),
        "bytes": rpc.handler(lambda ctx: OctetStream([b"ab", b"cd"])),
    }
    app = RPCHandler(router, dialect="v2")
    with SyncLink(RPCLink("http://app", sender=AsgiSender(app), dialect="v2")) as link:
        client: Any = create_orpc_client(link)
        with client.echo({"file": File(b"x" * 2_000_000, "a.bin")})["file"] as file:
            file.write_to(tmp_path / "a.bin")
        assert (tmp_path / "a.bin").stat().st_size == 2_000_000
        with client.bytes() as pieces:
            assert next(pieces) == b"ab"
            assert pieces.read() == b"cd"
            assert list(pieces) == []
        with client.bytes() as pieces:
            assert list(pieces) == [b"ab", b"cd"]
