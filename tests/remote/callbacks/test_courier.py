"""The courier over real sockets: what arrives, and what becomes of every way in which it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from durable_execution import DurableExecutionError
from durable_execution._core.handover import Accepted, Answered, Handover
from durable_execution.client import verify_callback
from durable_execution.remote.callbacks.courier import MAX_ANSWER_SIZE, CallbackCourier
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from tests.remote.callbacks.lab import SECRET

HANDOVER = Handover(
    task_id="render", execution_id="te_1", attempt=0, fence=1, input=b'{"json":1}', expires_at=7
)
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Conversation) -> AsyncIterator[int]:
    async def talk_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk_and_close, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def courier(port: int, request_timeout: float = 5, path: str = "/take/?a=1") -> CallbackCourier:
    return CallbackCourier(
        f"http://127.0.0.1:{port}{path}",
        CallbackSecrets(SECRET),
        headers={"authorization": "Bearer x"},
        request_timeout=request_timeout,
        sender=None,
    )


def saying(head: str, body: bytes = b"") -> Conversation:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        text = f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(text.encode() + body)

    return talk


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
    return line, headers, await reader.readexactly(int(headers["content-length"]))


async def test_a_request_is_one_signed_post_to_exactly_that_address() -> None:
    got: list[tuple[str, dict[str, str], bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with serving(talk) as port:
        assert await courier(port).hand_over(HANDOVER) == Accepted()
    ((line, headers, body),) = got
    assert line == "POST /take/?a=1 HTTP/1.1"
    assert verify_callback(headers, body, SECRET).input == 1
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer x"
    assert headers["idempotency-key"] == headers["x-durable-execution-id"] == "te_1"
    assert headers["webhook-id"] == "te_1.1"


async def test_an_address_without_a_path_is_its_root() -> None:
    lines: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await read_request(reader))[0])
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with serving(talk) as port:
        await courier(port, path="").hand_over(HANDOVER)
    assert lines == ["POST / HTTP/1.1"]


async def test_an_answer_with_an_output_is_read() -> None:
    async with serving(saying("200 OK", b'{"json":["1"],"meta":[[0,0]]}')) as port:
        assert await courier(port).hand_over(HANDOVER) == Answered([1])


async def test_a_connection_that_breaks_after_the_request_may_have_been_heard() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with serving(hang_up) as port:
        assert await courier(port).hand_over(HANDOVER) == Accepted()


async def test_an_answer_that_does_not_come_in_time_may_be_on_its_way() -> None:
    is_over = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_over.wait()

    async with serving(keep_silent) as port:
        assert await courier(port, request_timeout=0.1).hand_over(HANDOVER) == Accepted()
        is_over.set()


async def test_an_app_that_is_not_there_has_not_heard_and_is_tried_again() -> None:
    async with serving(saying("202 Accepted")) as port:
        pass
    with pytest.raises(DurableExecutionError, match="Cannot connect") as refusal:
        await courier(port).hand_over(HANDOVER)
    assert refusal.value.is_retryable


async def test_what_is_no_http_is_tried_again() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async with serving(babble) as port:
        with pytest.raises(DurableExecutionError) as refusal:
            await courier(port).hand_over(HANDOVER)
    assert refusal.value.is_retryable


@pytest.mark.parametrize(
    ("head", "is_retryable"),
    [
        ("400 Bad Request", False),
        ("401 Unauthorized", False),
        ("408 Request Timeout", True),
        ("429 Too Many Requests", True),
        ("500 Internal Server Error", True),
        ("501 Not Implemented", False),
        ("502 Bad Gateway", True),
        ("504 Gateway Timeout", True),
        ("204 No Content", False),
        ("301 Moved Permanently\r\nlocation: http://127.0.0.1:1/", False),
    ],
)
async def test_refusals_are_retried_where_another_attempt_may_help(
    head: str, is_retryable: bool
) -> None:
    async with serving(saying(head)) as port:
        with pytest.raises(DurableExecutionError) as refusal:
            await courier(port).hand_over(HANDOVER)
    assert refusal.value.is_retryable == is_retryable


async def test_the_words_of_an_error_object_are_kept() -> None:
    body = b'{"json":{"defined":false,"code":"NO_FILM","status":400,"message":"no such film"}}'
    async with serving(saying("400 Bad Request\r\ncontent-type: application/json", body)) as port:
        with pytest.raises(DurableExecutionError, match="no such film"):
            await courier(port).hand_over(HANDOVER)


async def test_an_endless_answer_is_cut_off() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        piece = b"x" * 1024 * 1024
        try:
            for _ in range(10 * MAX_ANSWER_SIZE // len(piece)):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            return
        pytest.fail("it was read to its end")

    async with serving(flood) as port:
        with pytest.raises(DurableExecutionError, match="larger than 10485760 bytes"):
            await courier(port).hand_over(HANDOVER)


async def test_a_stream_is_no_output() -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n")
        await writer.drain()
        await reader.read()

    async with serving(stream) as port:
        with pytest.raises(DurableExecutionError, match="without an output"):
            await courier(port).hand_over(HANDOVER)
