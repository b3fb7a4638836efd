"""The seam between a link and the network: one request in, one response out, bodies streaming."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from durable_execution.orpc._protocol import Request, Response


@runtime_checkable
class Sender(Protocol):
    """Carries requests to a server.

    A sender keeps no policy: the link decides how long a call may take (it cancels `send`) and how
    large its answer may be. Redirects are not followed and cookies are not kept (WIRE.md 6.3).
    """

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """One exchange over HTTP or in its likeness.

        A request whose body is a stream is sent as it is made; the sender closes that stream,
        whatever happens. The response may be returned as soon as its headers are here, with a
        stream as its body, and must be when `is_streamed(headers)`; any other body may as well
        be returned complete. Header names are in lower case, bodies are decompressed.

        Cancelling `send`, or closing a body before its end, gives up the connection, so that the
        server notices. A stream of the response raises the same errors as `send`.

        Raises:
            RPCConnectionError: No connection, or it broke before the response was complete.
            RPCResponseError: The answer is not HTTP, or its complete body larger than
                `max_response_size` bytes; reading stops there. Streams are not measured here.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open. Closing twice is allowed; sending afterwards raises RuntimeError."""
        ...


@runtime_checkable
class BlockingSender(Protocol):
    """Carries requests to a server in the thread that calls; any number of threads call at once.

    What is told of `Sender` holds here too. A process that was forked may use what its parent has
    used, and must leave the parent's connections alone.
    """

    def send(self, request: Request, *, max_response_size: int, timeout: float | None) -> Response:
        """One exchange. The body of the request is complete, never a stream.

        A response that is to be read in pieces has a `ByteStream` as its body, whose methods
        block instead of waiting; closing that, from whichever thread, gives up the connection.

        Args:
            request: What is sent.
            max_response_size: Bytes of a complete body.
            timeout: Seconds in all; None for no limit.

        Raises:
            TimeoutError: There was no complete answer in time, or no headers of a stream. The
                connection was given up.
            RPCConnectionError, RPCResponseError: See `Sender.send`.
        """
        ...

    def close(self) -> None:
        """Close what is open, and end what is under way. Closing twice is allowed."""
        ...


def too_large(max_response_size: int) -> str:
    """The words every sender uses for a response over the limit."""
    return (
        f"Response body is larger than {max_response_size} bytes; "
        "raise max_response_size if this size is meant"
    )
