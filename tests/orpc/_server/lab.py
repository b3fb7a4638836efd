"""The router the golden data was recorded from, written with this package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from durable_execution.orpc import (
    UNDEFINED,
    BigInt,
    CallContext,
    File,
    OctetStream,
    ORPCError,
    Return,
    Router,
    rpc,
)


class Limit(TypedDict):
    retryAfterMs: int


_limited = rpc.errors({"LIMIT": {"status": 429, "message": "Slow down", "data": Limit}})
_earth = {
    "id": 1,
    "name": "Earth",
    "seenAt": datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC),
}


class Recorder:
    """Remembers what reached a handler."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[str, ...], Any]] = []

    async def __call__(self, ctx: CallContext, value: Any, proceed: Any) -> Any:
        self.calls.append((ctx.path, value))
        # The files of a call are closed when it ends, and are to be looked at afterwards.
        for item in value.values() if isinstance(value, dict) else [value]:
            if isinstance(item, File):
                item.keep()
        return await proceed()


def lab_router(recorder: Recorder) -> Router:
    readable = rpc.route(method="GET")
    return rpc.use(recorder).router(
        {
            "ping": rpc.handler(lambda ctx: "pong"),
            "nothing": rpc.handler(lambda ctx: UNDEFINED),
            "echo": rpc.handler(lambda ctx, value: value),
            "headers": rpc.handler(_headers),
            "odd name/é": rpc.handler(lambda ctx: "odd"),
            "planet": {
                "find": readable.handler(lambda ctx, value: {"id": value["id"], "name": "Earth"}),
                "list": readable.handler(lambda ctx: [_earth]),
                "create": rpc.handler(lambda ctx, value: {"id": 2, **value}),
            },
            "events": {
                "count": rpc.handler(_count),
                "noReturn": rpc.handler(_no_return),
                "fails": rpc.handler(_fails),
                "crashes": rpc.handler(_crashes),
                "multiline": rpc.handler(_multiline),
                "slow": rpc.handler(_slow),
            },
            "files": {
                "upload": rpc.handler(_upload),
                "download": rpc.handler(_download),
                "nested": rpc.handler(_nested),
                "raw": rpc.handler(lambda ctx: OctetStream([b"raw ", b"bytes"])),
            },
            "errors": {
                "notFound": rpc.handler(_raise(ORPCError("NOT_FOUND", "Planet 42 not found"))),
                "notFoundDefaultMessage": rpc.handler(_raise(ORPCError("NOT_FOUND"))),
                "unauthorized": rpc.handler(_raise(ORPCError("UNAUTHORIZED"))),
                "unavailable": rpc.handler(_raise(ORPCError("SERVICE_UNAVAILABLE", "try later"))),
                "boom": rpc.handler(_raise(ValueError("secret"))),
                "throwsString": rpc.handler(_raise(Exception("secret"))),
                "customNoStatus": rpc.handler(_raise(ORPCError("MY_CODE"))),
                "emptyMessage": rpc.handler(_raise(ORPCError("MY_CODE", "", status=409))),
                "defined": _limited.handler(_defined),
                "definedByMatch": _limited.handler(_raise_limit({"retryAfterMs": 9})),
                "definedBadData": _limited.handler(_raise_limit({"retryAfterMs": "soon"})),
                "badOutput": rpc.output(str).handler(lambda ctx: 42),
            },
        }
    )


async def _count(ctx: CallContext, value: Any) -> AsyncIterator[Any]:
    start = datetime.fromtimestamp(1_700_000_000, UTC)
    to = value["to"] if value else 3
    for i in range(to):
        yield {"i": i, "at": start + timedelta(milliseconds=i)}
    yield Return({"total": to})


async def _no_return() -> AsyncIterator[Any]:
    yield "a"
    yield UNDEFINED
    yield BigInt(3)


async def _fails() -> AsyncIterator[Any]:
    yield {"ok": 1}
    raise ORPCError("CONFLICT", "lost the race", data={"attempt": 2})


async def _crashes() -> AsyncIterator[Any]:
    yield {"ok": 1}
    raise ValueError("secret")


async def _multiline() -> AsyncIterator[str]:
    yield "line1\nline2\r\nline3"


async def _slow() -> AsyncIterator[int]:
    yield 1
    # Two and a half keep-alive intervals of the replay, so that there are two comments.
    await asyncio.sleep(0.25)
    yield 2


async def _upload(ctx: CallContext, value: Any) -> Any:
    file: File = value if isinstance(value, File) else value["file"]
    text = (await file.read()).decode()
    facts = {"name": file.name, "type": file.content_type, "size": file.size, "text": text}
    return facts if isinstance(value, File) else facts | value | {"file": UNDEFINED}


def _download(ctx: CallContext) -> File:
    return File("hello wörld\n".encode(), 'naïve "quote".txt', "text/plain")


def _nested(ctx: CallContext) -> Any:
    files = [File(b"A", "a.csv", "text/csv"), File(b"B", content_type="application/x-b")]
    return {"at": datetime(1970, 1, 1, tzinfo=UTC), "list": files}


async def _defined(ctx: CallContext) -> None:
    raise ctx.errors.LIMIT(data={"retryAfterMs": 250})


def _headers(ctx: CallContext) -> str:
    ctx.response_headers.add("set-cookie", "a=1")
    ctx.response_headers.add("set-cookie", "b=2")
    ctx.response_headers["x-served-by"] = ctx.headers["x-client"]
    return ctx.headers["x-client"]


def _raise_limit(data: object) -> Any:
    return _raise(ORPCError("LIMIT", status=429, data=data))


def _raise(error: Exception) -> Any:
    async def handler() -> None:
        raise error

    return handler
