"""The seam between a link and the network: one request in, one response out."""

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

        Header names of the response are in lower case, the body is complete and decompressed.
        Cancelling gives up the connection, so that the server notices.

        Raises:
            RPCConnectionError: No connection, or it broke before the response was complete.
            RPCResponseError: The answer is not HTTP, or larger than `max_response_size` bytes;
                reading stops there.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open. Closing twice is allowed; sending afterwards raises RuntimeError."""
        ...


def too_large(max_response_size: int) -> str:
    """The words every sender uses for a response over the limit."""
    return (
        f"Response body is larger than {max_response_size} bytes; "
        "raise max_response_size if this size is meant"
    )
