"""How much of a server one client may hold at once, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

from durable_execution.errors import InvalidOptionError

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is beyond one client's is answered 429, what is beyond the total 503.

    Both with `retry-after`. A client is a caller by its name; where there is no `auth`, an address,
    of IPv6 the network of 64 bits. One web app with one token is one client, however many people
    use it: the defaults are made for that.

    Sizes of single requests are the doors' own to bound: `RPCHandler(max_body_size=, limits=,
    files=)`. A batch counts as one call.

    Attributes:
        calls: Answers under way for one client, long polls included.
        streams: Event streams and other answers sent in pieces, for one client.
        body_bytes: Bytes of requests under way that one client has sent; of each request the
            first 8 MiB count, what is longer is a file that goes to disk.
        total_calls: As `calls`, of all clients.
        total_streams: As `streams`, of all clients.
        total_body_bytes: As `body_bytes`, of all clients.
        answer_timeout: Seconds from the head of a request to the end of its answer, that of a
            stream to its beginning. A call that takes longer is cancelled and answered 503. Longer
            than the longest wait for an execution, which is 60 seconds.
        stream_timeout: Seconds after which a stream is cut off, so that a token that was taken
            away does not go on for ever; clients resume it. None for never.
        retry_after: Whole seconds that `retry-after` tells.

    Raises:
        InvalidOptionError: One of them is not positive.
    """

    calls: int = 1_000
    streams: int = 2_000
    body_bytes: int = 256 * MEBIBYTE
    total_calls: int = 5_000
    total_streams: int = 10_000
    total_body_bytes: int = 1024 * MEBIBYTE
    answer_timeout: float | timedelta = 90
    stream_timeout: float | timedelta | None = 3_600
    retry_after: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value: object = getattr(self, field.name)
            if not field.name.endswith("_timeout"):
                if type(value) is not int or value < 1:
                    raise InvalidOptionError(
                        f"Bounds.{field.name}: expected a positive int, got {value!r}"
                    )
            elif not (value is None and field.name == "stream_timeout"):
                seconds = value.total_seconds() if isinstance(value, timedelta) else value
                if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                    raise InvalidOptionError(
                        f"Bounds.{field.name}: expected seconds, got {value!r}"
                    )
                if not 0 < seconds < float("inf"):
                    raise InvalidOptionError(
                        f"Bounds.{field.name}: expected a positive time, got {value!r}"
                    )

    @property
    def answer_seconds(self) -> float:
        """`answer_timeout` in seconds."""
        return _seconds(self.answer_timeout)

    @property
    def stream_seconds(self) -> float | None:
        """`stream_timeout` in seconds."""
        return None if self.stream_timeout is None else _seconds(self.stream_timeout)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value
