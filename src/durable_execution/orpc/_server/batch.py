"""Several calls in one request, answered by one response (WIRE.md 8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from durable_execution.orpc._protocol import (
    BATCH_FORMS,
    BatchAnswer,
    BatchForm,
    BatchFormError,
    BatchRequest,
    BodyTooLargeError,
    EncodedEvents,
    EventStreamOptions,
    Headers,
    Request,
    Response,
    Return,
    close_body,
    data_parameter,
    read_body,
    with_length,
)
from durable_execution.orpc._server.events import EVENT_STREAM
from durable_execution.orpc._server.mounting import path_inside
from durable_execution.orpc._server.plugin import HandlerPlugin, NextRequest

MAX_SIZE: Final = 10

_JSON: Final[Headers] = (("content-type", "application/json"),)
_BYTES: Final[Headers] = (
    ("standard-server", "octet-stream"),
    ("content-type", "application/octet-stream"),
)
_MALFORMED: Final = Response(
    400,
    _JSON,
    b'"Invalid batch request, this could be caused by a malformed request body '
    b'or a missing header"',
)
_TOO_LARGE: Final = Response(413, _JSON, b'"Batch request size exceeds the maximum allowed size"')
_UNMATCHED: Final = Response(404, (), b'"No procedure matched"')
_UNSUPPORTED: Final = Response(
    500,
    (),
    b'"Batch responses do not support file/blob, or event-iterator. '
    b'Please call this procedure separately outside of the batch request."',
)

# They describe the request around a call, and say nothing of the call itself.
_OF_THE_BATCH: Final = frozenset(
    {"content-length", "content-type", "content-disposition", "transfer-encoding"}
) | {form.header for form in BATCH_FORMS.values()}


class BatchHandlerPlugin(HandlerPlugin):
    """Answers batches: what `BatchLinkPlugin` of TypeScript and `RPCLink(batch=...)` send.

    The calls of a batch run at the same time. Where the caller asks for it, their answers are sent
    one by one as they are made. A procedure that gives a file or an event stream is answered 500
    there, and has to be called on its own. When the caller leaves, all of them are cancelled.

    Args:
        max_size: Calls in one batch; a longer one is answered 413.
        max_body_size: Bytes of the whole batch.

    Raises:
        ValueError: One of them is not positive.
    """

    def __init__(self, *, max_size: int = MAX_SIZE, max_body_size: int = 8 * 1024 * 1024) -> None:
        for name, bound in (("max_size", max_size), ("max_body_size", max_body_size)):
            if type(bound) is not int or bound < 1:
                raise ValueError(f"{name}: expected a positive int, got {bound!r}")
        self._max_size = max_size
        self._max_body_size = max_body_size

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        """See `HandlerPlugin.around`."""
        form = _form_of(request)
        if form is None:
            return await next(request)
        try:
            items = form.read_requests(await self._payload(form, request))
            calls = [_call(item, form, request) for item in items]
        except BodyTooLargeError:
            return _TOO_LARGE
        except BatchFormError:
            return _MALFORMED
        if not calls:  # the reference never answers this
            return _MALFORMED
        if len(calls) > self._max_size:
            return _TOO_LARGE
        answers = _Answers(
            [_answering(form, item, call, next) for item, call in zip(items, calls, strict=True)]
        )
        if request.header(form.header) == "buffered":
            return Response(207, _JSON, await answers.all())
        if form.is_url_absolute:
            return Response(207, EVENT_STREAM, answers.as_events())
        return Response(207, _BYTES, answers.as_messages())

    async def _payload(self, form: BatchForm, request: Request) -> bytes:
        if request.method == "GET":
            return data_parameter(request.query, form.parameter.encode())
        return await read_body(request.body, limit=self._max_body_size)


class _Answers:
    """The answers of a batch in the order in which they are made."""

    def __init__(self, calls: Sequence[Callable[[], Awaitable[bytes]]]) -> None:
        self._calls = calls
        self._left = len(calls)
        self._made: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._running: list[asyncio.Task[None]] | None = None

    async def receive(self) -> object:
        """See `EventSource.receive`."""
        if not self._left:
            return Return(None)
        if self._running is None:
            self._running = [asyncio.create_task(self._run(call)) for call in self._calls]
        answer = await self._made.get()
        self._left -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """See `EventSource.aclose`."""
        for task in self._running or ():
            task.cancel()
        await asyncio.gather(*(self._running or ()), return_exceptions=True)

    async def all(self) -> bytes:
        """A JSON array of all of them."""
        try:
            made = [item async for item in self._each()]
        finally:
            await self.aclose()
        return b"[" + b",".join(made) + b"]"

    def as_events(self) -> EncodedEvents:
        """One event for each, and no event at the end."""
        return EncodedEvents(
            self, dumps=_as_written, error_of=str, options=EventStreamOptions(), end=None
        )

    def as_messages(self) -> _Messages:
        """One message with its length for each."""
        return _Messages(self)

    async def _each(self) -> AsyncIterator[bytes]:
        while isinstance(item := await self.receive(), bytes):
            yield item

    async def _run(self, call: Callable[[], Awaitable[bytes]]) -> None:
        try:
            self._made.put_nowait(await call())
        except Exception as error:  # a bug: whoever waits for this answer has to hear of it
            self._made.put_nowait(error)


class _Messages:
    """The body of a streamed answer of version 2."""

    def __init__(self, answers: _Answers) -> None:
        self._answers = answers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        item = await self._answers.receive()
        if not isinstance(item, bytes):
            raise StopAsyncIteration
        return with_length(item)

    async def aclose(self) -> None:
        await self._answers.aclose()


def _form_of(request: Request) -> BatchForm | None:
    return next(
        (form for form in BATCH_FORMS.values() if request.header(form.header) is not None), None
    )


def _call(item: BatchRequest, form: BatchForm, batch: Request) -> Request:
    """The request of one call, as if it had come alone.

    Raises:
        BatchFormError: Its URL is none, or leads out of the place the handler is mounted at.
    """
    try:
        url = urlsplit(item.url)
    except ValueError as error:
        raise BatchFormError(str(error)) from error
    if form.is_url_absolute and not (url.scheme and url.netloc):
        raise BatchFormError("the url of a call is not absolute")
    root: str = batch.transport.get("root_path", "")
    path = path_inside(url.path.encode("utf-8", "surrogatepass"), "", root)
    own = tuple(
        (name.lower(), value if isinstance(value, str) else ", ".join(value))
        for name, value in item.headers.items()
    )
    replaced = {name for name, _ in own} | _OF_THE_BATCH
    around = tuple(pair for pair in batch.headers if pair[0] not in replaced)
    described = _JSON if item.body and "content-type" not in dict(own) else ()
    return Request(
        method=item.method or batch.method,
        path=path or "/",
        query=url.query,
        headers=around + own + described,
        body=item.body,
        transport=batch.transport,
        outer=batch,
    )


def _answering(
    form: BatchForm, item: BatchRequest, call: Request, next: NextRequest
) -> Callable[[], Awaitable[bytes]]:
    async def answer() -> bytes:
        response = await next(call) or _UNMATCHED
        if not isinstance(response.body, bytes) or not _is_json(response):
            await close_body(response.body)
            response = _UNSUPPORTED
        headers = tuple(pair for pair in response.headers if pair[0] not in _OF_THE_BATCH)
        return form.write_answer(
            BatchAnswer(item.key, Response(response.status, headers, response.body))
        )

    return answer


def _is_json(response: Response) -> bool:
    content_type = response.header("content-type")
    return content_type is None or content_type.startswith("application/json")


def _as_written(item: object) -> bytes:
    return item if isinstance(item, bytes) else b""
