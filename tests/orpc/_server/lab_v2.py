"""The routers that version 2, and pairs of both versions, were recorded from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from durable_execution.orpc import (
    BigInt,
    CallContext,
    Dialect,
    Event,
    File,
    ORPCError,
    Procedure,
    Return,
    Router,
    rpc,
)
from tests.orpc._server.lab import Recorder, lab_router

# As zod says it.
_TOO_SMALL = {
    "origin": "string",
    "code": "too_small",
    "minimum": 3,
    "inclusive": True,
    "path": ["name"],
    "message": "Too small: expected string to have >=3 characters",
}


def lab_router_of(recorder: Recorder, dialect: Dialect) -> Router:
    """The router of the server of this dialect; what it has besides `lab_router` differs a bit."""
    own = OWN_OF_V2 if dialect == "v2" else OWN_OF_V1
    return merged(lab_router(recorder), rpc.use(recorder).router(own))


def merged(base: Router, more: Router) -> Router:
    both: dict[str, Any] = dict(base)
    for name, item in more.items():
        old = both.get(name)
        is_nested = isinstance(item, Mapping) and isinstance(old, Mapping)
        both[name] = merged(old, item) if is_nested else item  # type: ignore[arg-type]
    return both


async def _create(ctx: CallContext, value: dict[str, Any]) -> Any:
    if len(value["name"]) < 3:
        raise ORPCError("BAD_REQUEST", "Input validation failed", data={"issues": [_TOO_SMALL]})
    return {"id": 2, **value}


def _nested(ctx: CallContext) -> Any:
    return {"at": datetime(1970, 1, 1, tzinfo=UTC), "list": [File(b"A", "a.csv", "text/csv")]}


async def _with_ids(ctx: CallContext) -> AsyncIterator[Any]:
    value = {"n": 1, "lastEventId": ctx.last_event_id}
    yield Event(value, id="1", retry=1, comments=("c",))


async def _resumed_at_the_end(ctx: CallContext) -> AsyncIterator[Any]:
    yield Return({"done": True}, id="end")


def _raise(error: Exception) -> Procedure:
    async def handler(ctx: CallContext) -> None:
        raise error

    return rpc.handler(handler)


OWN_OF_V1: Router = {
    "planet": {"create": rpc.handler(_create)},
    "events": {"withIds": rpc.handler(_resumed_at_the_end)},
    "errors": {
        "teapot": _raise(
            ORPCError(
                "TEAPOT",
                "short and stout",
                status=418,
                data={"kind": "oolong", "strength": BigInt(7)},
            )
        ),
        "tooMany": _raise(
            ORPCError(
                "TOO_MANY_REQUESTS",
                data={
                    "retryAfterMs": 1500,
                    "resetAt": datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC),
                },
            )
        ),
    },
}

OWN_OF_V2: Router = {
    "planet": {"create": rpc.handler(_create)},
    "files": {"nested": rpc.handler(_nested)},
    "events": {"withIds": rpc.handler(_with_ids)},
    "errors": {
        "teapot": _raise(ORPCError("TEAPOT", "short and stout", data={"kind": "oolong"})),
    },
}
