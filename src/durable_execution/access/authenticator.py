"""What finds out who calls: the seam for tokens, sessions and single sign-on."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from durable_execution.access.caller import Caller
from durable_execution.orpc import Request


@runtime_checkable
class Authenticator(Protocol):
    """Anything with this method can be the `auth=` of a server.

    An attribute `challenge` may say what the header `www-authenticate` of a 401 begins with; it is
    `Bearer` unless told.
    """

    async def authenticate(self, request: Request) -> Caller | None:
        """Find out who sent a request, of which the head is here and no body.

        It runs before anything else looks at the request, on the event loop, and within
        `Bounds.answer_timeout`. `request.header("authorization")` is what most look at;
        `request.transport` is the ASGI scope.

        Returns:
            None for everybody who is not to be let in: they are answered 401, whatever is wrong.

        Raises:
            ORPCError: Becomes the answer, such as SERVICE_UNAVAILABLE where keys cannot be had.
                Any other exception is logged and masked, and nobody is let in.
        """
        ...
