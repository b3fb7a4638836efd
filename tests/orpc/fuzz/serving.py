"""Damaged requests against the handler, through ASGI: what must never happen, whatever is sent."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from durable_execution._codec import EncodeError, TypedJson
from durable_execution.orpc import (
    BatchHandlerPlugin,
    CallContext,
    CompressionPlugin,
    CORSPlugin,
    DefinedError,
    EventStream,
    EventStreamOptions,
    File,
    ORPCError,
    Return,
    RPCHandler,
    SimpleCsrfProtectionPlugin,
    rpc,
)
from tests.orpc.fuzz.mutations import (
    Pairs,
    damaged,
    damaged_headers,
    damaged_json,
    damaged_text,
    pieces_of,
)
from tests.vectors.notation import load_vectors

HANG: Final = 20.0
"""Seconds, for work of microseconds: even a busy machine is not that slow."""

_METHODS: Final = ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "SEARCH", "post"]
_TARGETS: Final = [
    "/rpc/echo",
    "/rpc/planet/find",
    "/rpc/events/count",
    "/rpc/events/total",
    "/rpc/files/upload",
    "/rpc/files/download",
    "/rpc/errors/defined",
    "/rpc/echo?data=%7B%22json%22%3A1%7D",
    "/rpc/__batch__",
    "/rpc/echo/__batch__?batch=%5B%5D",
    "/rpc",
    "/",
]


@dataclass(frozen=True)
class Damaged:
    """One request as an ASGI server would hand it on."""

    app: str
    method: str
    target: str
    headers: Pairs
    pieces: list[bytes]
    hangs_up: bool


@dataclass
class Planet:
    id: int
    name: str = "Earth"


class Limit(DefinedError[Planet], code="TOO_MANY_REQUESTS"):
    pass


async def _echo(ctx: CallContext, value: Any) -> Any:
    try:
        for dialect in ("v1", "v2"):
            TypedJson(dialect=dialect).dumps_with_files(value)  # type: ignore[arg-type]
    except EncodeError:
        # What JavaScript could not have made, such as a key "__proto__", is no answer either.
        return None
    return [value, dict(ctx.headers).get("x-client"), ctx.last_event_id]


async def _find(ctx: CallContext, value: Planet) -> Planet:
    return value


async def _count(ctx: CallContext, value: Planet | None) -> AsyncIterator[int | Return[Any]]:
    for number in range(min(value.id, 3) if value else 3):
        yield number
    yield Return({"total": 3})


async def _total(ctx: CallContext, value: EventStream[Any]) -> int:
    return sum([1 async for _ in value])


async def _drain(ctx: CallContext, value: Any) -> Any:
    if isinstance(value, AsyncIterable):
        return sum([1 async for _ in value])
    return 0


async def _upload(ctx: CallContext, value: Any) -> Any:
    files = value.values() if isinstance(value, dict) else [value]
    return [(file.name, len(await file.read())) for file in files if isinstance(file, File)]


async def _download(ctx: CallContext) -> Any:
    return [File(b"hello", 'naïve "quote".txt', "text/plain")]


async def _defined(ctx: CallContext) -> None:
    raise Limit(Planet(1))


async def _refuse(ctx: CallContext) -> None:
    raise ORPCError("NOT_FOUND", data={"at": "here"})


ROUTER: Final = {
    "echo": rpc.handler(_echo),
    "headers": rpc.handler(_echo),
    "ping": rpc.route(method="GET").handler(_download),
    "planet": {
        "find": rpc.route(method="GET").handler(_find),
        "list": rpc.route(method="GET").handler(_refuse),
    },
    "events": {
        "count": rpc.handler(_count),
        "total": rpc.handler(_total),
        "drain": rpc.handler(_drain),
    },
    "files": {
        "upload": rpc.handler(_upload),
        "download": rpc.handler(_download),
        "nested": rpc.handler(_upload),
    },
    "errors": {"defined": rpc.errors(Limit).handler(_defined), "notFound": rpc.handler(_refuse)},
}

_EVENTS: Final = EventStreamOptions(keep_alive=5)
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "v1": {},
    "v2": {"dialect": "v2"},
    "small": {"max_body_size": 200, "strict_get": False},
    "plugins": {"plugins": [CORSPlugin(), CompressionPlugin(min_size=1)]},
    "batch": {"plugins": [BatchHandlerPlugin(max_size=4)]},
    "batch v2": {"plugins": [BatchHandlerPlugin()], "dialect": "v2"},
    "csrf": {"plugins": [SimpleCsrfProtectionPlugin()], "context": lambda request: {"q": request}},
}


@cache
def apps() -> dict[str, RPCHandler]:
    return {
        name: RPCHandler(ROUTER, prefix="/rpc", events=_EVENTS, **options)
        for name, options in OPTIONS.items()
    }


@cache
def corpus() -> list[tuple[str, str, Pairs, bytes]]:
    """Every request that was recorded or crafted, in both versions."""
    names = ("crafted_requests", "exchanges", "exchanges_v2_beta", "cross_v2_beta_client_v1_server")
    vectors = [vector for name in names for vector in load_vectors(f"{name}.json")]
    texts = [vector["wire_text"] for vector in load_vectors("decode.json")]
    found = [
        (
            request["method"],
            request["target"],
            tuple((str(name).lower(), str(value)) for name, value in request["headers"]),
            str(request["body"].get("text", "")).encode("utf-8", "replace"),
        )
        for vector in vectors
        for request in (exchange["request"] for exchange in vector["http"])
    ]
    json_type = (("content-type", "application/json"),)
    stream_type = (("content-type", "text/event-stream"),)
    frames = [vector["text"] for vector in load_vectors("sse_messages.json") if "text" in vector]
    found += [("POST", "/rpc/echo", json_type, text.encode("utf-8", "replace")) for text in texts]
    found += [("POST", "/rpc/events/total", stream_type, text.encode()) for text in frames]
    found += [("POST", "/rpc/events/drain", stream_type, text.encode()) for text in frames]
    return [each for each in found if len(each[3]) < 20_000]


def batched(dice: random.Random) -> tuple[str, str, Pairs, bytes]:
    """Several recorded requests as one; their bodies damaged, too."""
    items: list[dict[str, Any]] = []
    is_first = dice.random() < 0.6
    for number in range(dice.choice((0, 1, 2, 2, 3, 5))):
        method, target, headers, body = dice.choice(corpus())
        given = {"url": f"http://h{target}", "headers": dict(headers)}
        try:
            tree = json.loads(damaged_json(dice, body) if dice.random() < 0.3 else body)
        except ValueError:
            tree = {}
        call = {**given, "method": method, "body": tree}
        framed = {"id": str(number), "kind": "request", "json": {**call, "url": target}}
        items.append(call if is_first else framed)
    header = "x-orpc-batch" if is_first else "orpc-batch"
    mode = dice.choice(("streaming", "buffered"))
    headers = (("content-type", "application/json"), (header, mode))
    return "POST", "/rpc/echo/__batch__", headers, json.dumps(items).encode()


def damaged_request(dice: random.Random) -> Damaged:
    """A recorded request with a few things wrong, sometimes none."""
    is_batch = dice.random() < 0.15
    method, target, headers, body = batched(dice) if is_batch else dice.choice(corpus())
    if not is_batch and not target.startswith(tuple(_TARGETS[:5])) and dice.random() < 0.7:
        # Many of the recorded ones led to procedures that failed, or to none.
        target = dice.choice(_TARGETS)
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
        match dice.randrange(10):
            case 0:
                method = dice.choice(_METHODS)
            case 1:
                target = dice.choice(_TARGETS)
            case 2:
                changed = damaged_text(dice, target, _TARGETS)
                target = "/" + "".join(c for c in changed if "!" <= c <= "~").lstrip("/")
            case 3 | 4:
                headers = damaged_headers(dice, headers)
            case 5 | 6 | 7:
                body = damaged_json(dice, body)
            case _:
                body = damaged(dice, body, [dice.choice(corpus())[3] for _ in range(2)])
    # A web server checks the announced length: what arrives has it, or is refused before.
    headers = tuple(pair for pair in headers if pair[0] != "content-length")
    if dice.random() < 0.5:
        headers = (*headers, ("content-length", str(len(body))))
    return Damaged(
        dice.choice(("batch", "batch v2")) if is_batch else dice.choice(list(OPTIONS)),
        method,
        target,
        headers,
        pieces_of(dice, body),
        hangs_up=dice.random() < 0.05,
    )


class Complaints(logging.Handler):
    """Collects what is logged: for these procedures there is nothing to log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


async def check_request(request: Damaged, complaints: Complaints) -> int:
    """Send it, and check what must hold for any request; gives the status, 0 for none.

    Raises:
        AssertionError: It does not hold.
    """
    complaints.records.clear()
    left, sent = list(request.pieces), []

    async def receive() -> dict[str, Any]:
        if left:
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}
        if not request.hangs_up:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = request.target.partition("?")
    scope = {
        "type": "http",
        "method": request.method,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(n.encode(), v.encode("latin-1", "replace")) for n, v in request.headers],
    }
    others = asyncio.all_tasks()
    async with asyncio.timeout(HANG):
        await apps()[request.app](scope, receive, send)
    assert asyncio.all_tasks() == others, "a task was left behind"
    assert complaints.records == [], complaints.records
    if not sent:
        assert request.hangs_up, "no answer"
        return 0
    return check_answer(request, sent)


def check_answer(request: Damaged, sent: list[Any]) -> int:
    start, *bodies = sent
    status: int = start["status"]
    assert start["type"] == "http.response.start"
    assert all(message["type"] == "http.response.body" for message in bodies)
    assert 200 <= status < 500, f"status {status}"
    headers = dict(start["headers"])
    for name, value in start["headers"]:
        assert not set(name + value) & set(b"\r\n\0"), f"header {name}: {value}"
    if not (bodies and not bodies[-1].get("more_body", False)):
        assert request.hangs_up, "the answer has no end"
        return status
    body = b"".join(message.get("body", b"") for message in bodies)
    if request.method != "HEAD" and b"content-length" in headers:
        assert int(headers[b"content-length"]) == len(body)
    if status >= 400 and headers.get(b"content-type") == b"application/json":
        encoding = headers.get(b"content-encoding")
        if request.method != "HEAD" and encoding is None:
            assert json.loads(body) is not None
    return status
