"""The link over HTTP: a codec, a sender, and the policy of a call around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from types import TracebackType
from typing import Final, NoReturn, Self

from durable_execution._codec import (
    UNDEFINED,
    Dialect,
    Limits,
    Rule,
    TypedJson,
    Undefined,
    checked_dialect,
)
from durable_execution._observing import Observer, Tracer
from durable_execution._waiting import blocking
from durable_execution._waiting import timeout as time_limit
from durable_execution.orpc._client.base_url import base_url
from durable_execution.orpc._client.batch import Batching, BatchSender
from durable_execution.orpc._client.blocking import BlockingCalls
from durable_execution.orpc._client.codec import METHODS, LinkCodec, Method
from durable_execution.orpc._client.error import (
    RPCClientError,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._client.events import changing_errors
from durable_execution.orpc._client.headers import (
    CSRF_HEADER,
    HeaderMapping,
    HeaderSource,
    headers_of,
    wire_headers,
)
from durable_execution.orpc._client.observing import CallObserving
from durable_execution.orpc._client.procedure_path import checked_path, path_name
from durable_execution.orpc._client.repeating import Renewal, Repeating
from durable_execution.orpc._client.retries import Retries
from durable_execution.orpc._client.sender import Sender, too_large
from durable_execution.orpc._client.timeout import Timeout, seconds_of
from durable_execution.orpc._protocol import (
    BATCH_FORMS,
    BodyTooLargeError,
    EventStream,
    FileLimits,
    Request,
    Response,
    is_streamed,
    read_body,
    version_of,
)

MAX_RESPONSE_SIZE: Final = 32 * 1024 * 1024

DEFAULT_RETRIES: Final = Retries()

MethodSource = Method | Callable[[Sequence[str], object], Method]
"""The method of every call, or a function of procedure path and input."""


class RPCLink:
    """Carries calls to an oRPC server over HTTP.

        async with RPCLink("https://example.com/rpc", headers={"authorization": token}) as link:
            client = create_orpc_client(link)
            print(await client.ping())

    One link serves many calls at once, from any number of event loops; it keeps a pool of
    connections for each loop until it is closed.

    Args:
        url: Where the procedures are mounted, absolute. A query is sent with every call.
        headers: Sent with every call; a function is asked before each, inside the timeout.
        method: How calls are sent. A GET whose URL grows too long is sent as POST.
        timeout: Seconds or a timedelta for a whole call, None for no limit. Where the answer is an
            event stream, for its headers.
        idle_timeout: Seconds or a timedelta an event stream may be silent, None for no limit.
            Servers of oRPC send a comment every five seconds, so silence means that the
            connection is dead.
        sender: The transport; left out, aiohttp. The link owns it and closes it.
        max_response_size: Bytes, after decompression.
        files: Bounds for the files of an answer, which are measured apart.
        rules: Extra types for the codec, the same as on the server (WIRE.md 2.4).
        csrf: Send the header that a server with `SimpleCsrfProtectionPlugin` asks for, in its
            default form; another form is a matter of `headers`.
        batch: Puts calls of the same moment into one request; None sends each on its own.
        dialect: "v2" for a server of the beta of version 2 (WIRE.md 11.3).
        retries: When a call is sent again. By default, up to two more times when the server
            cannot have seen it.
        tracer: Makes a span around every call, such as `OpenTelemetryTracer()`. Without one, the
            trace that the code around a call is part of is passed on, too.
        observers: Hear of every call (`CallMade`).
        on_unauthorized: Called, once for each call, when the server answers 401: gets a new
            token, and the call is sent again with what `headers` then gives. Sync or async,
            inside the timeout; calls that fail at the same time each call it.

    Raises:
        TypeError, ValueError: An argument is unusable; the message names it.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: HeaderSource | None = None,
        method: MethodSource = "POST",
        timeout: Timeout = 30.0,
        idle_timeout: Timeout = 300.0,
        sender: Sender | None = None,
        max_response_size: int = MAX_RESPONSE_SIZE,
        files: FileLimits | None = None,
        rules: Sequence[Rule] = (),
        csrf: bool = False,
        batch: Batching | None = None,
        dialect: Dialect = "v1",
        retries: Retries = DEFAULT_RETRIES,
        on_unauthorized: Renewal | None = None,
        tracer: Tracer | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        if type(max_response_size) is not int or max_response_size < 1:
            raise ValueError(
                f"max_response_size: expected a positive int, got {max_response_size!r}"
            )
        if sender is not None and not isinstance(sender, Sender):
            raise TypeError(
                f"sender: expected send and aclose as in AsgiSender(app), got {sender!r}"
            )
        if headers is not None and not callable(headers):
            headers = wire_headers(headers)
        if not isinstance(retries, Retries):
            raise TypeError(f"retries: expected Retries(...), got {retries!r}")
        if on_unauthorized is not None and not callable(on_unauthorized):
            raise TypeError(f"on_unauthorized: expected a function, got {on_unauthorized!r}")
        self._url = url
        self._headers = headers
        self._retries = retries
        self._observing = CallObserving(url.partition("?")[0], tracer, observers)
        self._on_unauthorized = on_unauthorized
        self._csrf = CSRF_HEADER if csrf else {}
        self._method = method if callable(method) else _checked_method(method)
        self._timeout = seconds_of(timeout)
        self._sender = sender
        self._batching: BatchSender | None = None
        self._batch = batch
        self._batch_form = BATCH_FORMS[checked_dialect(dialect)]
        self._max_response_size = max_response_size
        self._is_closed = False
        # Calls of several threads must not open a sender each, of which one would be lost.
        self._opening = Lock()
        # The limits of the codec hold for requests too, which this number does not speak of.
        limits = Limits(max_bytes=max(max_response_size, Limits().max_bytes))
        self._codec = LinkCodec(
            base_url(url),
            TypedJson(rules=rules, limits=limits, dialect=dialect),
            version=version_of(dialect),
            files=files,
            idle_timeout=seconds_of(idle_timeout, "idle_timeout"),
        )

    async def call(
        self,
        path: Sequence[str],
        input: object = UNDEFINED,
        *,
        headers: HeaderMapping | None = None,
        timeout: Timeout | Undefined = UNDEFINED,
        last_event_id: str | None = None,
        method: Method | None = None,
    ) -> object:
        """Call the procedure at `path` and return its decoded output.

        An async iterable as `input` is sent as an event stream while it is made; an answer that is
        one is returned as an `EventStream`, which raises the same errors while it is read.

        A method that is given is stronger than the link's.

        Raises:
            ORPCError: The server says no.
            RPCConnectionError: No connection, or it broke.
            RPCTimeoutError: No complete answer in time.
            RPCResponseError: The answer cannot be read.
            EncodeError: The input has no wire form; nothing was sent.
            TypeError, ValueError: An argument is unusable; nothing was sent.
            RuntimeError: The link is closed.
        """
        seconds = self._timeout if isinstance(timeout, Undefined) else seconds_of(timeout)
        path = checked_path(path)
        extra = wire_headers(headers or {})
        if last_event_id is not None:
            extra |= wire_headers({"last-event-id": last_event_id})

        def noted(error: Exception) -> Exception:
            if isinstance(error, RPCClientError):
                error.add_note(f"while calling {path_name(path)} at {self._origin_and_path}")
            return error

        def exchange(headers: dict[str, str]) -> Awaitable[object]:
            return self._exchange(path, input, headers, seconds, method)

        try:
            output = await self._observing.call(path, extra, exchange)
        except RPCClientError as error:
            noted(error)
            raise
        return changing_errors(output, noted) if isinstance(output, EventStream) else output

    @property
    def takes_any_sender(self) -> bool:
        """Whether nothing was said of how requests get to the server, one for each call."""
        return self._sender is None and self._batch is None

    async def aclose(self) -> None:
        """Close the connections. Closing twice is allowed; calls afterwards are refused."""
        with self._opening:
            self._is_closed = True
        if self._sender is not None:
            await self._sender.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<RPCLink {self._origin_and_path}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("RPCLink cannot be pickled: it holds connections; make one in each process")

    async def _exchange(
        self,
        path: Sequence[str],
        value: object,
        extra: dict[str, str],
        seconds: float | None,
        method: Method | None,
    ) -> object:
        self._check_open()

        async def make() -> Request:
            headers = {**self._csrf, **await headers_of(self._headers), **extra}
            used = self._method_of(path, value) if method is None else _checked_method(method)
            return self._codec.encode(path, value, method=used, headers=headers)

        async def send(request: Request) -> Response:
            response = await self._sent(request)
            return response if is_streamed(response.headers) else await self._completed(response)

        try:
            async with time_limit(seconds) as deadline:
                attempts = Repeating(
                    make,
                    send,
                    retries=self._retries,
                    may_repeat=lambda: self._retries.may_repeat(path, value),
                    renew=self._on_unauthorized,
                    deadline=deadline,
                )
                return await self._codec.decode(await attempts.answer())
        except TimeoutError as error:
            # A timeout of the application's own header function is not ours to rename.
            if not deadline.expired():
                raise
            raise RPCTimeoutError(f"No answer within {seconds:g} seconds") from error

    async def _sent(self, request: Request) -> Response:
        limit = self._max_response_size
        here = blocking()
        if not isinstance(here, BlockingCalls):
            return await self._open_sender().send(request, max_response_size=limit)
        if isinstance(request.body, bytes):
            return here.send(request, max_response_size=limit)
        # Its body may wait for anything while it is made.
        return here.send_elsewhere(request, self._open_sender(), max_response_size=limit)

    async def _completed(self, response: Response) -> Response:
        try:
            body = await read_body(response.body, limit=self._max_response_size)
        except BodyTooLargeError as error:
            raise RPCResponseError(too_large(self._max_response_size)) from error
        return response if body is response.body else response.replace(body=body)

    def _method_of(self, path: Sequence[str], value: object) -> str:
        return (
            _checked_method(self._method(path, value)) if callable(self._method) else self._method
        )

    def _open_sender(self) -> Sender:
        with self._opening:
            self._check_open()
            if self._sender is None:
                # Loaded by the first call: who only defines clients pays nothing for it.
                from durable_execution.orpc._client.aiohttp_sender import AiohttpSender

                self._sender = AiohttpSender()
            if self._batch is None:
                return self._sender
            if self._batching is None:
                self._batching = BatchSender(self._sender, self._batch, self._batch_form)
            return self._batching

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError(f"{self!r} is closed")

    @property
    def _origin_and_path(self) -> str:
        """Without the query, which may hold a secret."""
        return self._url.partition("?")[0]


def _checked_method(method: str) -> str:
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(sorted(METHODS))}, got {method!r}")
    return method
