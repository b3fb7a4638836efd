"""`RPCHandler`: procedures as a plain ASGI application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from durable_execution._codec import Dialect, Limits, Rule, TypedJson
from durable_execution.orpc._protocol import (
    BATCH_FORMS,
    BodyKind,
    BodyTooLargeError,
    EventStreamOptions,
    FileLimits,
    Headers,
    ORPCError,
    Request,
    Response,
)
from durable_execution.orpc._server.exchange import (
    Caller,
    CallerGoneError,
    Receive,
    Scope,
    Send,
    Soon,
)
from durable_execution.orpc._server.handler import (
    DEFAULT_MAX_BODY_SIZE,
    ContextSource,
    ProcedureHandler,
)
from durable_execution.orpc._server.headers import RequestHeaders, ScopeHeaders
from durable_execution.orpc._server.incoming import Incoming
from durable_execution.orpc._server.lazy import Lazy
from durable_execution.orpc._server.mounting import path_inside
from durable_execution.orpc._server.plugin import HandlerPlugin
from durable_execution.orpc._server.procedure import Procedure
from durable_execution.orpc._server.router import Router
from durable_execution.orpc._server.routes import Match

# No body is this many digits long, and int() need not read them.
_LONGEST_LENGTH: Final = 18

# With a content-type: without one the JavaScript client would parse the text as JSON (WIRE.md 5.5).
_NOT_FOUND: Final = Response(404, (("content-type", "text/plain"),), b"Not found")


_BATCH_HEADERS: Final = frozenset(form.header for form in BATCH_FORMS.values())


class RPCHandler:
    """An ASGI application that answers oRPC calls, alone or mounted in a larger one.

        app.mount("/rpc", RPCHandler(router))              # Starlette, FastAPI
        app = RPCHandler(router, prefix="/rpc")            # alone: uvicorn module:app

    Args:
        router: Nested mapping of procedures and `lazy` parts, or a single one of them.
        prefix: Path before every procedure, besides the path this application is mounted at.
        context: First context of every call: a mapping, or a function of the `Request` giving
            one, sync or async; it may raise `ORPCError`. A sync one runs on the event loop.
        max_body_size: Bytes; a longer JSON body is answered 413, a longer event ends a stream.
        files: Bounds for the files of a request, which are measured apart from its JSON.
        limits: Bounds of the codec, in both directions; by default an answer may be larger than
            a request.
        events: How event streams are sent.
        strict_get: Answer 405 to GET calls of procedures not declared with `.route(method="GET")`.
            Version 2 has no such rule: there, what browsers send on their own is answered 403.
        rules: Custom type tags, the same as on the client.
        plugins: What stands around all requests, the first one outermost.
        dialect: "v2" for clients of the beta of version 2 (WIRE.md 11.3). To serve both, mount
            two handlers of the same router.

    A path no procedure answers gives 404 as text. When the caller goes away, an async handler is
    cancelled, and so is whatever is still making the body of its answer.

    Attributes:
        checks_access: Whether calls are checked one by one, as a `Gate` in their scope asks for.

    Raises:
        TypeError: The router holds something that is neither a procedure nor a router.
        ValueError: The prefix is not a path, or `max_body_size` is not positive.
    """

    checks_access: Final = True

    def __init__(
        self,
        router: Router | Procedure | Lazy,
        *,
        prefix: str = "",
        context: ContextSource = None,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        files: FileLimits | None = None,
        limits: Limits | None = None,
        events: EventStreamOptions = EventStreamOptions(),  # noqa: B008 - immutable
        strict_get: bool = True,
        rules: Iterable[Rule] = (),
        plugins: Iterable[HandlerPlugin] = (),
        dialect: Dialect = "v1",
    ) -> None:
        if max_body_size < 1:
            raise ValueError(f"max_body_size: expected at least 1 byte, got {max_body_size}")
        # The bounds hold for answers too, so a small body limit must not shrink them.
        bounds = limits or Limits(max_bytes=max(max_body_size, Limits().max_bytes))
        codec = TypedJson(rules=tuple(rules), limits=bounds, dialect=dialect)
        self._handler = ProcedureHandler(
            router,
            codec=codec,
            prefix=prefix,
            context=context,
            max_body_size=max_body_size,
            events=events,
            files=files,
            strict_get=strict_get,
            plugins=plugins,
        )
        self._max_body_size = max_body_size
        self._soon = Soon()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of the ASGI server."""
        if scope["type"] != "http":
            await _answer_other(scope, receive, send)
            return
        path = path_inside(scope.get("raw_path"), scope["path"], scope.get("root_path", ""))
        match = None
        if path is not None:
            match = self._handler.known(path) or await self._handler.find(path)
        caller = Caller(receive, send, self._soon)
        if path is None or (match is None and not self._handler.sees(path)):
            await caller.answer(_NOT_FOUND, scope["method"])
            return
        headers = ScopeHeaders(scope["headers"])
        incoming = Incoming(scope["method"], path, headers, scope)
        try:
            if match is None:
                incoming.body = caller.body()  # read by the plugin that answers, if any does
            elif incoming.method != "GET":
                if self._is_read_whole(incoming):
                    incoming.body = await caller.whole(self._max_body_size)
                elif incoming.body_kind(self._handler.version) in self._handler.version.streamed:
                    incoming.body = caller.body()  # read by the procedure
        except CallerGoneError:
            return
        except BodyTooLargeError:
            refusal = ORPCError("PAYLOAD_TOO_LARGE")
            response = await self._handler.serve_refusal(incoming.request, refusal)
            await caller.answer(response, incoming.method)
            return
        await caller.while_waiting(self._respond(incoming, match, caller), incoming.task)

    async def refuse(
        self, scope: Scope, receive: Receive, send: Send, error: ORPCError, headers: Headers = ()
    ) -> None:
        """Answer a request that is not let in, in the words of callers and without reading it.

        For a middleware that stands before this application. Plugins see the head of the request:
        those for CORS answer preflights, and name the origin to whoever is refused.
        """
        path = path_inside(scope.get("raw_path"), scope["path"], scope.get("root_path", ""))
        # What is not read is no batch either: the answer is one, to all of it.
        pairs = ScopeHeaders(scope["headers"]).pairs
        head = tuple(pair for pair in pairs if pair[0] not in _BATCH_HEADERS)
        query = scope.get("query_string", b"").decode("latin-1")
        request = Request(scope["method"], path or "/", query, head, transport=scope)
        response = await self._handler.serve_refusal(request, error, headers)
        await Caller(receive, send, self._soon).answer(response, scope["method"])

    async def _respond(self, incoming: Incoming, match: Match | None, caller: Caller) -> None:
        if match is not None and not self._handler.sees_requests:
            response: Response | None = await self._handler.answer(match, incoming)
        else:
            response = await self._handler.serve(incoming.request, match)
        await caller.answer(response or _NOT_FOUND, incoming.method)

    def _is_read_whole(self, incoming: Incoming) -> bool:
        """Whether the body is JSON, and read before anything else.

        Raises:
            BodyTooLargeError: The announced length is too much; nothing is read.
        """
        if incoming.body_kind(self._handler.version) is not BodyKind.JSON:
            return False
        if _announced_size(incoming.headers) > self._max_body_size:
            raise BodyTooLargeError
        return True


def _announced_size(headers: RequestHeaders) -> float:
    """What content-length says; 0 when it says nothing, infinity when no body is that long."""
    if headers.found is not None:
        announced = headers.found.get(b"content-length", b"")
    else:
        announced = (headers.first("content-length") or "").encode("latin-1", "replace")
    if not announced.isdigit():  # of bytes only those that are ASCII
        return 0
    return int(announced) if len(announced) <= _LONGEST_LENGTH else float("inf")


async def _answer_other(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "lifespan":
            await _answer_lifespan(receive, send)
        case "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        case other:
            raise ValueError(f"scope type {other!r} is not served here; expected 'http'")


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
