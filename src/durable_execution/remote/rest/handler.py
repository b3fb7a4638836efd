"""`RESTHandler`: the tasks router as a plain ASGI application that speaks HTTP and JSON.

Each request becomes a call of the router, made through an `RPCHandler` in the same process: so all
that stands before a procedure (middlewares, scopes, bounds, the masking of failures) stands here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

from durable_execution._codec import (
    EncodeError,
    JsonSyntaxError,
    Limits,
    TypedJson,
    loads,
    plain_json,
    read_plain_json,
)
from durable_execution.orpc import ORPCError, Router, RPCHandler
from durable_execution.orpc._server import ContextSource
from durable_execution.remote.rest.operations import IDEMPOTENCY_KEY, Asked, Operation, find_place
from durable_execution.remote.rest.problems import PROBLEM_JSON, Headers, Problem, body_issue
from durable_execution.remote.rest.refusals import own_path, problem_of_answer

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

DEFAULT_MAX_BODY_SIZE: Final = 8 * 1024 * 1024

# What tells of a body that is another one for the router, and what means something to oRPC alone.
_OWN_HEADERS: Final = frozenset(
    {
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"content-disposition",
        b"last-event-id",
        b"x-orpc-batch",
        b"standard-server",
    }
)
_SAFE: Final = "!$&'()*+,;=:@-._~"


class CallerGoneError(ConnectionError):
    """The caller closed the connection before its request was complete."""


class RESTHandler:
    """An ASGI application that answers for tasks over plain HTTP, alone or mounted.

        create_executor_app(executor, {"/rpc": RPCHandler(tasks_router),
                                       "/api": RESTHandler(tasks_router)})

    What it serves is told by `durable-execution codegen openapi`. Failures are problem details
    (`application/problem+json`).

    Args:
        tasks_router: As made by `create_tasks_router`; its middlewares guard this door, too.
        context: First context of every call, as that of an `RPCHandler`.
        max_body_size: Bytes; a longer body is answered 413.

    Attributes:
        checks_access: Whether calls are checked one by one, as a `Gate` in their scope asks for.

    Raises:
        TypeError: `tasks_router` holds something that is neither a procedure nor a router.
        ValueError: `max_body_size` is not positive.
    """

    checks_access: Final = True

    def __init__(
        self,
        tasks_router: Router,
        *,
        context: ContextSource = None,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
    ) -> None:
        if max_body_size < 1:
            raise ValueError(f"max_body_size: expected at least 1 byte, got {max_body_size}")
        self._max_body_size = max_body_size
        # Encoded for the router it may be longer: a large integer is a text with a tag there.
        inner_size = 4 * max_body_size + 4096
        self._limits = Limits(max_bytes=max_body_size)
        self._codec = TypedJson(limits=Limits(max_bytes=inner_size))
        self._router = RPCHandler(tasks_router, context=context, max_body_size=inner_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of the ASGI server."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        except Problem as problem:
            await _send_problem(problem, scope, send)
        except CallerGoneError:
            return

    async def refuse(
        self, scope: Scope, receive: Receive, send: Send, error: ORPCError, headers: Headers = ()
    ) -> None:
        """Answer somebody who is not let in, without reading the request."""
        if error.error_id is not None:
            headers = (*headers, ("x-error-id", error.error_id))
        problem = Problem(error.status, error.code, error.message, headers=headers)
        await _send_problem(problem, scope, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = find_place(_segments(scope))
        operation = place.operation(scope["method"])
        body: object = None
        if operation.reads_body:
            body = await self._body(scope, receive)
        query = scope.get("query_string", b"").decode("latin-1")
        call = operation.call(Asked(place.names, query, body, _key(scope)))
        try:
            payload = self._codec.dumps(call.input)
        except EncodeError as error:
            where = own_path(call.procedure, error.path)
            raise Problem.misfit(body_issue(where, error.problem)) from error
        answer = await self._called(call.procedure, payload, scope, receive)
        if answer is None:
            return  # nobody is there any more
        if answer.status != 200:
            raise problem_of_answer(call.procedure, answer)
        await _send_value(operation, answer.body, scope, send)

    async def _body(self, scope: Scope, receive: Receive) -> object:
        """Read the body: JSON, of a bounded size.

        Raises:
            Problem: 400, 413 or 415.
            CallerGoneError: The caller left before the end of it.
        """
        kind = (_header(scope, "content-type") or "").partition(";")[0].strip().lower()
        # Without a type, a page of another site could send it from somebody's browser unasked.
        if kind != "application/json" and not kind.endswith("+json"):
            raise Problem.of("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json")
        if _header(scope, "content-encoding") not in (None, "identity"):
            raise Problem.of("UNSUPPORTED_MEDIA_TYPE", "The body must not be compressed")
        text = await _whole(receive, self._max_body_size)
        try:
            return read_plain_json(text, self._limits)
        except JsonSyntaxError as error:
            raise Problem.misfit(body_issue((), str(error))) from error

    async def _called(
        self, procedure: str, payload: bytes, scope: Scope, receive: Receive
    ) -> Answer | None:
        """Call a procedure; None if the caller left meanwhile."""
        path = f"/{procedure}"
        headers = [(name, value) for name, value in scope["headers"] if name not in _OWN_HEADERS]
        inner = {
            **scope,
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [*headers, (b"content-type", b"application/json")],
        }
        bodies = [payload]

        async def receive_payload() -> Message:
            if bodies:
                return {"type": "http.request", "body": bodies.pop(), "more_body": False}
            while (message := await receive())["type"] != "http.disconnect":
                pass  # what is left of a body that no operation reads
            return message

        answer = Answer()
        await self._router(inner, receive_payload, answer.send)
        return answer if answer.status else None


class Answer:
    """What the router answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.body = b""

    async def send(self, message: Message) -> None:
        """Take a message of the router in the place of a server."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            )
        else:
            self.body += message.get("body", b"")


async def _whole(receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGoneError
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise Problem.of("PAYLOAD_TOO_LARGE", f"The body must not exceed {limit} bytes")
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _send_value(operation: Operation, envelope: bytes, scope: Scope, send: Send) -> None:
    """Send what a procedure returned."""
    if operation.creates is None:
        await _send(200, plain_json(envelope), (), scope, send)
        return
    made = loads(envelope)
    headers: Headers = ()
    if isinstance(made, str):
        headers = (("location", f"{_encoded_path(scope).rstrip('/')}/{quote(made, safe=_SAFE)}"),)
    body = b'{"%s":%s}' % (operation.creates.encode(), plain_json(envelope))
    await _send(201, body, headers, scope, send)


async def _send_problem(problem: Problem, scope: Scope, send: Send) -> None:
    await _send(
        problem.status, problem.body(), problem.headers, scope, send, content_type=PROBLEM_JSON
    )


async def _send(
    status: int,
    body: bytes,
    headers: Headers,
    scope: Scope,
    send: Send,
    *,
    content_type: str = "application/json",
) -> None:
    own = (
        ("content-type", content_type),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    )
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in (*own, *headers)
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _segments(scope: Scope) -> list[str]:
    """The decoded parts of the path below the mount. A slash inside a name does not part it."""
    path = _encoded_path(scope)
    root = quote(scope.get("root_path", ""), safe=f"/{_SAFE}").removesuffix("/")
    inside = path.removeprefix(root) if path.startswith(f"{root}/") else path
    return [unquote(part, errors="replace") for part in inside.removeprefix("/").split("/")]


def _encoded_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return quote(scope["path"], safe=f"/{_SAFE}")
    return raw.partition(b"?")[0].decode("latin-1")


def _key(scope: Scope) -> str | None:
    """The idempotency key, which its standard quotes and most who send one do not."""
    key = _header(scope, IDEMPOTENCY_KEY)
    is_quoted = key is not None and len(key) > 1 and key[0] == key[-1] == '"'
    return key[1:-1] if key is not None and is_quoted else key


def _header(scope: Scope, name: str) -> str | None:
    wanted = name.encode()
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]
    return ", ".join(found) if found else None
