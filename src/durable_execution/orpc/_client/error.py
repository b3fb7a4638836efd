"""What can go wrong on this side of a call.

    RPCClientError            no answer of the server that could be understood
     ├── RPCConnectionError   no connection, or it broke before the answer was complete
     ├── RPCTimeoutError      no complete answer within the timeout
     └── RPCResponseError     an answer arrived, but it cannot be read
          └── RPCErrorEvent   an event stream ended with an error that is no error object

An answer that says "no" is none of these: it is an `ORPCError`. The two trees do not meet, as in
the reference, where local failures have no code and no status (WIRE.md 6.3, 12).
"""

from __future__ import annotations

from typing import Any, Final

NOT_JSON: Final = "Cannot parse response body, please check the response body and content-type."
BAD_ENVELOPE: Final = "Invalid RPC response format."

TOO_MANY_FILES: Final = (
    "The files of the answer are larger or more than accepted; pass "
    "RPCLink(..., files=FileLimits(...)) if this size is meant"
)


class RPCClientError(Exception):
    """A call failed without an answer of the server. `__cause__` is what the lower layer said."""


class RPCConnectionError(RPCClientError, ConnectionError):
    """The server could not be reached, or the connection broke.

    Attributes:
        was_sent: False when the server cannot have seen the call, so that repeating it is safe.
            True when it may have: the procedure may have run, or may still be running.
    """

    was_sent: bool

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent

    def __reduce__(self) -> tuple[object, ...]:
        # OSError rebuilds itself from `args` alone, which would lose the keyword.
        return _connection_error, (str(self), self.was_sent)


class RPCTimeoutError(RPCClientError, TimeoutError):
    """No complete answer arrived in time. The procedure may have run, or may still be running."""


class RPCResponseError(RPCClientError):
    """An answer arrived but cannot be read.

    It is not HTTP, not JSON, a bad envelope, too large, or not what the caller's `output` asks for.
    """


class RPCErrorEvent(RPCResponseError):  # noqa: N818 - the wire calls it so
    """An event stream ended with an error event that holds no error object.

    Attributes:
        data: What it holds instead.
    """

    data: Any  # a decoded value: nobody declares its type

    def __init__(self, data: object) -> None:
        super().__init__("An error event was received")
        self.data = data

    def __reduce__(self) -> tuple[object, ...]:
        return RPCErrorEvent, (self.data,)


def _connection_error(message: str, was_sent: bool) -> RPCConnectionError:  # noqa: FBT001 - pickle passes positions
    return RPCConnectionError(message, was_sent=was_sent)
