"""A sender that puts calls of the same moment into one request (WIRE.md 8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, get_args
from urllib.parse import quote_plus

from durable_execution.orpc._client.codec import MAX_URL_LENGTH
from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.sender import Sender
from durable_execution.orpc._protocol import (
    BatchForm,
    BatchFormError,
    BatchMode,
    BatchRequest,
    BodyTooLargeError,
    FrameDecoder,
    FrameError,
    LengthDecoder,
    Request,
    Response,
    close_body,
    read_body,
    split_array,
)

# What an answer has around its body.
_MARGIN: Final = 64 * 1024

# They describe the body of a call, which is JSON or nothing.
_OF_THE_BODY: Final = frozenset({"content-type", "content-length"})

# Whoever stands before the server did not let the batch in: this is the answer to each call.
_REFUSED: Final = frozenset({401, 403, 429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How calls are put together; the server needs its `BatchHandlerPlugin`.

    Calls of one turn of the event loop go out as one request, such as those of one
    `asyncio.gather`. GET calls go apart from the others; a call alone, with files, or whose input
    is an event stream, goes as it always does. A call that answers with files or an event stream
    fails inside a batch.

    Attributes:
        mode: "streaming" answers each call when it is done, "buffered" all of them at the end.
        max_size: Calls in one request; what is more goes in several.

    Raises:
        ValueError: One of them is unusable.
    """

    mode: BatchMode = "streaming"
    max_size: int = 10

    def __post_init__(self) -> None:
        if self.mode not in get_args(BatchMode):
            raise ValueError(f"mode: expected streaming or buffered, got {self.mode!r}")
        if type(self.max_size) is not int or self.max_size < 1:
            raise ValueError(f"max_size: expected a positive int, got {self.max_size!r}")


@dataclass(frozen=True, slots=True)
class _Call:
    request: Request
    max_response_size: int
    answer: asyncio.Future[Response]


class BatchSender:
    """Gathers what is sent in one turn of an event loop, and sends it by another sender."""

    def __init__(self, sender: Sender, batching: Batching, form: BatchForm) -> None:
        self._sender = sender
        self._batching = batching
        self._form = form
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `Sender.send`."""
        if not _is_plain(request):
            return await self._sender.send(request, max_response_size=max_response_size)
        loop = asyncio.get_running_loop()
        call = _Call(request, max_response_size, loop.create_future())
        if loop not in self._gathered:
            self._gathered[loop] = []
            loop.call_soon(self._flush, loop)
        self._gathered[loop].append(call)
        return await call.answer

    async def aclose(self) -> None:
        """See `Sender.aclose`."""
        await self._sender.aclose()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        calls = self._gathered.pop(loop)
        for is_get in (False, True):
            group = [call for call in calls if (call.request.method == "GET") is is_get]
            for part in self._parts(group):
                self._begin(part)

    def _parts(self, calls: Sequence[_Call]) -> Iterable[Sequence[_Call]]:
        """The calls in groups that fit into one request each."""
        if not calls:
            return
        fits = len(calls) <= self._batching.max_size and (
            calls[0].request.method != "GET" or len(self._request(calls).url) <= MAX_URL_LENGTH
        )
        if fits or len(calls) == 1:
            yield calls
            return
        middle = len(calls) // 2
        yield from self._parts(calls[:middle])
        yield from self._parts(calls[middle:])

    def _begin(self, calls: Sequence[_Call]) -> None:
        sending = self._alone(calls[0]) if len(calls) == 1 else self._together(calls)
        task = asyncio.get_running_loop().create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

        def given_up(_: asyncio.Future[Response]) -> None:
            if all(call.answer.cancelled() for call in calls):
                task.cancel()

        for call in calls:
            call.answer.add_done_callback(given_up)
        task.add_done_callback(lambda _: [call.answer.cancel() for call in calls])

    async def _alone(self, call: _Call) -> None:
        try:
            response = await self._sender.send(
                call.request, max_response_size=call.max_response_size
            )
        except Exception as error:
            _fail([call], error)
            return
        if call.answer.done():
            await close_body(response.body)
        else:
            call.answer.set_result(response)

    async def _together(self, calls: Sequence[_Call]) -> None:
        by_key = {self._form.key(index): call for index, call in enumerate(calls)}
        try:
            async with aclosing(self._messages(calls)) as messages:
                async for message in messages:
                    answer = self._form.read_answer(message)
                    call = by_key.get(answer.key)
                    if call is not None and not call.answer.done():
                        call.answer.set_result(answer.response)
        except _RefusedError as refusal:
            for call in calls:
                if not call.answer.done():
                    call.answer.set_result(refusal.response)
        except (BatchFormError, FrameError, BodyTooLargeError) as error:
            failure = RPCResponseError(f"Invalid batch response: {str(error) or 'it is too large'}")
            failure.__cause__ = error
            _fail(calls, failure)
        except Exception as error:
            _fail(calls, error)
        else:
            message_ = "The answer to the batch ended before that to this call"
            _fail(calls, RPCConnectionError(message_, was_sent=True))

    async def _messages(self, calls: Sequence[_Call]) -> AsyncGenerator[bytes, None]:
        """The answers as they arrive, still as text."""
        bound = sum(call.max_response_size + _MARGIN for call in calls)
        response = await self._sender.send(self._request(calls), max_response_size=bound)
        try:
            if response.status in _REFUSED:
                body = await read_body(response.body, limit=bound)
                raise _RefusedError(response.replace(body=body))
            if response.status != 207:
                raise BatchFormError(f"status {response.status}; the server needs its batch plugin")
            content_type = response.header("content-type") or ""
            if content_type.startswith("application/json"):
                for item in split_array(await read_body(response.body, limit=bound)):
                    yield item
                return
            decoder = _decoder(content_type, bound)
            pieces = [response.body] if isinstance(response.body, bytes) else response.body
            async for piece in _each(pieces):
                for message in decoder.feed(piece):
                    yield message
        finally:
            await close_body(response.body)

    def _request(self, calls: Sequence[_Call]) -> Request:
        first = calls[0].request
        method = "GET" if first.method == "GET" else "POST"
        common = [pair for pair in first.headers if pair[0] not in _OF_THE_BODY]
        for call in calls[1:]:
            common = [pair for pair in common if pair in call.request.headers]
        items = [self._item(index, call.request, common) for index, call in enumerate(calls)]
        text = self._form.write_requests(items, method=method)
        headers = (*common, (self._form.header, self._batching.mode))
        path = first.path.removesuffix("/") + "/__batch__"
        if method == "GET":
            # What stands before the input belongs to the base URL.
            base = first.query.rpartition("data=")[0]
            query = f"{base}{self._form.parameter}={quote_plus(text, safe='*').replace('~', '%7E')}"
            return Request("GET", path, query, headers, origin=first.origin)
        headers = (*headers, ("content-type", "application/json"))
        return Request("POST", path, first.query, headers, text, origin=first.origin)

    def _item(
        self, index: int, request: Request, common: Sequence[tuple[str, str]]
    ) -> BatchRequest:
        assert isinstance(request.body, bytes)  # noqa: S101 - no other call is gathered
        own = {
            name: value
            for name, value in request.headers
            if (name, value) not in common and name not in _OF_THE_BODY
        }
        url = request.url if self._form.is_url_absolute else request.target
        return BatchRequest(self._form.key(index), request.method, url, own, request.body)


class _RefusedError(Exception):
    """The server did not look at the batch; its answer is that to each call."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class _FramedMessages:
    """The data of the events of a streamed answer of version 1."""

    def __init__(self, max_size: int) -> None:
        self._decoder = FrameDecoder(max_size)

    def feed(self, piece: bytes) -> list[bytes]:
        frames = self._decoder.feed(piece)
        return [frame.data for frame in frames if frame.event == "message" and frame.data]


def _decoder(content_type: str, max_size: int) -> _FramedMessages | LengthDecoder:
    if content_type.startswith("text/event-stream"):
        return _FramedMessages(max_size)
    return LengthDecoder(max_size)


async def _each(pieces: AsyncIterable[bytes] | list[bytes]) -> AsyncIterator[bytes]:
    if isinstance(pieces, list):
        for piece in pieces:
            yield piece
        return
    async for piece in pieces:
        yield piece


def _is_plain(request: Request) -> bool:
    """Whether all of a call can stand in the JSON text of a batch."""
    content_type = request.header("content-type")
    is_json = content_type is None or content_type == "application/json"
    return is_json and isinstance(request.body, bytes)


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(_copy(error))


def _copy(error: Exception) -> Exception:
    """An error for each call: each adds its own note and traceback."""
    if isinstance(error, RPCConnectionError):
        copied: Exception = RPCConnectionError(str(error), was_sent=error.was_sent)
    elif isinstance(error, RPCResponseError):
        copied = RPCResponseError(str(error))
    else:
        return error
    copied.__cause__ = error.__cause__ or error
    return copied
