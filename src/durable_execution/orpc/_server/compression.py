"""Smaller answers for those who can unpack them (WIRE.md 9)."""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import Final

from durable_execution.orpc._protocol import Request, Response
from durable_execution.orpc._server.plugin import HandlerPlugin, NextRequest
from durable_execution.orpc._server.response_headers import with_vary

# The window bits of zlib choose the format: 31 is gzip, 15 is what HTTP calls deflate.
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}

# Packing this much takes about a millisecond; more of it would hold up the event loop.
_MOST_ON_THE_LOOP: Final = 64 * 1024

_REFUSED: Final = re.compile(r";\s*q=0(\.0*)?\s*$")


class CompressionPlugin(HandlerPlugin):
    """Packs answers by gzip or deflate, as the caller's `accept-encoding` allows.

    Event streams and files are sent as they are. Leave it out where a proxy packs already, and
    where an answer holds a secret beside text of an attacker's choice: its size would tell.

    Args:
        min_size: Bytes; smaller answers are not worth it.
        level: 1 (fast) to 9 (small).

    Raises:
        ValueError: The level is out of range.
    """

    def __init__(self, *, min_size: int = 1024, level: int = 6) -> None:
        if not 1 <= level <= 9:
            raise ValueError(f"level: expected 1 to 9, got {level}")
        self._min_size = min_size
        self._level = level

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        """See `HandlerPlugin.around`."""
        response = await next(request)
        if response is None:
            return None
        body = response.body
        if not isinstance(body, bytes) or len(body) < max(self._min_size, 1):
            return response
        if response.header("content-encoding") is not None:
            return response
        headers = with_vary(response.headers, "Accept-Encoding")
        encoding = _accepted(request.header("accept-encoding") or "")
        if encoding is None:
            return response.replace(headers=headers)
        if len(body) <= _MOST_ON_THE_LOOP:
            packed = self._pack(body, encoding)
        else:
            packed = await asyncio.to_thread(self._pack, body, encoding)
        return Response(response.status, (*headers, ("content-encoding", encoding)), packed)

    def _pack(self, body: bytes, encoding: str) -> bytes:
        packer = zlib.compressobj(self._level, zlib.DEFLATED, _WINDOW_BITS[encoding])
        return packer.compress(body) + packer.flush()


def _accepted(accept_encoding: str) -> str | None:
    """The best of ours that the caller accepts; which of those it likes more is not looked at."""
    accepted = {
        item.partition(";")[0].strip().lower()
        for item in accept_encoding.split(",")
        if not _REFUSED.search(item)
    }
    return next((encoding for encoding in _WINDOW_BITS if encoding in accepted), None)
