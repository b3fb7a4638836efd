from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from durable_execution.orpc._protocol import BodyTooLargeError, ByteStream, close_body, read_body
from tests.orpc.pieces import Pieces


async def generated() -> AsyncGenerator[bytes, None]:
    yield b"a"
    yield b"b"


async def test_complete_body_is_itself() -> None:
    assert await read_body(b"abc", limit=3) == b"abc"
    await close_body(b"abc")


async def test_stream_is_put_together_and_closed() -> None:
    pieces = Pieces([b"a", b"", b"bc"])
    assert await read_body(pieces, limit=3) == b"abc"
    assert pieces.times_closed == 1


async def test_async_generator_is_a_stream() -> None:
    assert isinstance(generated(), ByteStream)
    assert await read_body(generated(), limit=2) == b"ab"
    await close_body(generated())


async def test_complete_body_over_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLargeError):
        await read_body(b"abc", limit=2)


async def test_stream_is_read_no_further_than_the_limit_and_closed() -> None:
    pieces = Pieces([b"ab", b"cd", b"ef"])
    with pytest.raises(BodyTooLargeError):
        await read_body(pieces, limit=3)
    assert (pieces.left, pieces.times_closed) == (1, 1)


async def test_stream_that_fails_is_closed() -> None:
    pieces = Pieces([b"a"], LookupError("inside"))
    with pytest.raises(LookupError):
        await read_body(pieces, limit=3)
    assert pieces.times_closed == 1
