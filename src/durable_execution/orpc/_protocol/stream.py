"""Bodies that arrive in pieces: what they are, how they are read whole, who closes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class ByteStream(Protocol):
    """A body that arrives in pieces, read once; every async generator of bytes is one.

    Whoever is handed a stream closes it, read to its end or not, even when it was never begun:
    what lies behind it (a connection, a generator with a `finally`) is held until then. Closing
    twice is allowed. An async generator that was never begun has nothing to clean up; what has
    something to clean up from the first moment is a class of its own.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces in order, cut anywhere; none is empty by necessity."""
        ...

    async def aclose(self) -> None:
        """Give up what is left of it."""
        ...


Body: TypeAlias = bytes | ByteStream
"""A body: complete, or a stream."""


class BodyTooLargeError(Exception):
    """A body has more bytes than are accepted; each side has its own words for that."""


async def read_body(body: Body, *, limit: int) -> bytes:
    """The whole body, never holding more of it than the limit and one piece; closes a stream.

    Raises:
        BodyTooLargeError: It is larger than `limit` bytes; reading stopped there.
        Exception: What the stream raises.
    """
    if isinstance(body, bytes):
        if len(body) > limit:
            raise BodyTooLargeError
        return body
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in body:
            size += len(piece)
            if size > limit:
                raise BodyTooLargeError
            pieces.append(piece)
    finally:
        await body.aclose()
    return b"".join(pieces)


async def close_body(body: Body) -> None:
    """Close a stream; complete bytes need nothing."""
    if not isinstance(body, bytes):
        await body.aclose()
