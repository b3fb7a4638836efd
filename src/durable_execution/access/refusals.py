"""What somebody is told who is not let in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from durable_execution.access.bounds import Bounds
from durable_execution.access.holdings import ExceededError
from durable_execution.orpc import ORPCError, Request, new_error_id

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_REALM: Final = 'realm="durable-execution"'

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to somebody whose request goes no further."""

    error: ORPCError
    headers: Headers = ()


@runtime_checkable
class Refusing(Protocol):
    """An ASGI application that has words of its own for who is not let in, as `RPCHandler` has."""

    async def refuse(
        self, scope: Any, receive: Any, send: Any, error: ORPCError, headers: Headers = ()
    ) -> None:
        """Answer with the error, without reading the request, and with these headers besides."""
        ...


def unauthorized(request: Request, challenge: str) -> Refusal:
    """Refuse somebody who is not known, and say what would be known."""
    asked = f"{challenge} {_REALM}"
    if request.header("authorization") is None:
        error = ORPCError("UNAUTHORIZED", "Authentication is required")
        return Refusal(error, (("www-authenticate", asked),))
    error = ORPCError("UNAUTHORIZED", "The credentials are not valid")
    return Refusal(error, (("www-authenticate", f'{asked}, error="invalid_token"'),))


def out_of_reach() -> Refusal:
    """Refuse a caller whose access is limited to tasks and procedures, where there are none."""
    return Refusal(ORPCError("FORBIDDEN", "This caller may only call procedures"))


def too_much(exceeded: ExceededError, bounds: Bounds) -> Refusal:
    """Refuse what is beyond a bound."""
    headers = (("retry-after", str(bounds.retry_after)),)
    if exceeded.is_of_client:
        return Refusal(ORPCError("TOO_MANY_REQUESTS", _BUSY_CLIENT), headers)
    return Refusal(ORPCError("SERVICE_UNAVAILABLE", _BUSY), headers)


def too_slow(bounds: Bounds) -> Refusal:
    """Refuse to go on with a call that took too long."""
    error = ORPCError("SERVICE_UNAVAILABLE", f"No answer within {bounds.answer_seconds:g} seconds")
    return Refusal(error, (("retry-after", str(bounds.retry_after)),))


def masked() -> Refusal:
    """Answer for an application that failed: with nothing but an id."""
    error_id = new_error_id()
    return Refusal(ORPCError("INTERNAL_SERVER_ERROR", "Internal server error", error_id=error_id))


async def answer(
    refusal: Refusal, door: object, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer in the words of a door, or as problem details (RFC 9457) where it has none."""
    if isinstance(door, Refusing):
        await door.refuse(scope, receive, send, refusal.error, refusal.headers)
        return
    error = refusal.error
    problem = {"title": error.message, "status": error.status, "code": error.code}
    body = json.dumps(problem).encode()
    headers: Headers = (
        ("content-type", "application/problem+json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *refusal.headers,
    )
    if error.error_id is not None:
        headers = (*headers, ("x-error-id", error.error_id))
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


_BUSY_CLIENT: Final = "This client has too much under way"
_BUSY: Final = "The server has too much under way"
