"""Request in, response out: matcher, codec and call, with no HTTP library (WIRE.md 5, 6)."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from durable_execution._codec import TypedJson
from durable_execution.orpc._protocol import (
    ByteStream,
    EventStreamOptions,
    File,
    FileLimits,
    Headers,
    ORPCError,
    Request,
    Response,
    check_prefix,
    close_body,
    match_key,
    new_error_id,
    normalised_key,
    strip_prefix,
    version_of,
)
from durable_execution.orpc._server.call import run
from durable_execution.orpc._server.codec import UNREAD, HandlerCodec, release, releasing
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.events import Following
from durable_execution.orpc._server.gate import Gate, gate_in
from durable_execution.orpc._server.incoming import Incoming
from durable_execution.orpc._server.lazy import Lazy
from durable_execution.orpc._server.plugin import HandlerPlugin, Plugins
from durable_execution.orpc._server.procedure import Procedure
from durable_execution.orpc._server.response_headers import ResponseHeaders
from durable_execution.orpc._server.router import Router
from durable_execution.orpc._server.routes import Match, Routes

ContextSource: TypeAlias = (
    Mapping[str, Any] | Callable[[Request], Mapping[str, Any] | Awaitable[Mapping[str, Any]]] | None
)
"""The first context of every call: one for all, or made for each request, sync or async."""

DEFAULT_MAX_BODY_SIZE: Final = 8 * 1024 * 1024

_LAST_EVENT_ID: Final = b"last-event-id"

_MOST_KNOWN: Final = 1024
"""Paths kept; a procedure has several where paths are normalised."""

_logger = logging.getLogger(__name__)


class ProcedureHandler:
    """Answers requests from a router. Whatever is sent, the answer is a response, not a raise."""

    def __init__(
        self,
        router: Router | Procedure | Lazy,
        *,
        codec: TypedJson,
        prefix: str = "",
        context: ContextSource = None,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        files: FileLimits | None = None,
        events: EventStreamOptions = EventStreamOptions(),  # noqa: B008 - immutable
        strict_get: bool = True,
        plugins: Iterable[HandlerPlugin] = (),
    ) -> None:
        self.version = version_of(codec.dialect)
        self._routes = Routes(router)
        self._codec = HandlerCodec(
            codec,
            version=self.version,
            max_body_size=max_body_size,
            files=files or FileLimits(),
            events=events,
        )
        self._prefix = check_prefix(prefix)
        self._context = context
        self._known: dict[str, Match] = {}
        self._strict_get = strict_get and self.version.has_strict_get
        self._plugins = Plugins(plugins, refuse=self._refuse_around)
        self.sees_requests: Final = self._plugins.see_requests
        """Whether a plugin wants to see requests."""

    def known(self, path: str) -> Match | None:
        """The procedure at a path that was looked for before, if it was found."""
        return self._known.get(path)

    async def find(self, path: str) -> Match | None:
        """The procedure at a still percent-encoded path without dot segments."""
        match = await self._found(path)
        # Of a lazy part that cannot be loaded nothing is kept: it may be there the next time.
        if match is not None and match.is_lasting and len(self._known) < _MOST_KNOWN:
            self._known[path] = match
        return match

    async def _found(self, path: str) -> Match | None:
        inside = strip_prefix(path, self._prefix)
        if inside is None:
            return None
        key = match_key(inside)
        found = await self._routes.find(key)
        if found is None and self.version.normalises_paths and "%" in key:
            return await self._routes.find(normalised_key(key))
        return found

    def sees(self, path: str) -> bool:
        """Whether a plugin wants to see requests at this path, even if no procedure is there."""
        return self._plugins.see_requests and strip_prefix(path, self._prefix) is not None

    async def serve(self, request: Request, match: Match | None) -> Response | None:
        """What the plugins make of a request, and of the answer of what it matches."""

        async def innermost(inner: Request) -> Response | None:
            if match is not None and inner is request:
                return await self.answer(match, Incoming.of(request))
            return await self.handle(inner)

        return await self._plugins.answer(request, innermost)

    async def serve_refusal(
        self, request: Request, error: ORPCError, headers: Headers = ()
    ) -> Response:
        """What the plugins make of a request that gets no further than its headers.

        They may add to the refusal, and answer a preflight, but not let in what was refused.
        """
        refusal = self.refuse(error)
        refusal = refusal.replace(headers=(*refusal.headers, *headers))
        has_reached = False

        async def innermost(_: Request) -> Response:
            nonlocal has_reached
            has_reached = True
            return refusal

        response = await self._plugins.answer(request, innermost)
        if response is not None and (has_reached or request.method == "OPTIONS"):
            return response
        if response is not None:
            await close_body(response.body)
        return refusal

    async def handle(self, request: Request) -> Response | None:
        """The answer, or None when no procedure matches and the application has to answer."""
        match = await self.find(request.path)
        return None if match is None else await self.answer(match, Incoming.of(request))

    def answer(self, match: Match, incoming: Incoming) -> Coroutine[Any, Any, Response]:
        """Decode, check the method, call, encode.

        Who takes the response closes its body; then the files of the call are closed too.

        Raises:
            asyncio.CancelledError: The call was cancelled from outside.
        """
        if isinstance(incoming.body, bytes):
            return self._outcome(match, incoming)
        return self._outcome_while_read(match, incoming, incoming.body)

    def refuse(self, error: ORPCError) -> Response:
        """The response for a request that never got as far as its procedure."""
        return self._codec.encode_error(error)

    async def _outcome_while_read(
        self, match: Match, incoming: Incoming, body: ByteStream
    ) -> Response:
        """The outcome of a call whose body is read as far as it asks for it."""
        try:
            response = await self._outcome(match, incoming)
        except BaseException:
            await body.aclose()
            raise
        if isinstance(response.body, bytes):
            await body.aclose()
            return response
        # What is still to be answered may be made of what is still to be read.
        return response.replace(body=Following(response.body, body))

    async def _outcome(self, match: Match, incoming: Incoming) -> Response:
        # Written for speed: most calls are short, and then this takes as long as they do.
        task = incoming.task
        cancellations = task.cancelling() if task else 0
        procedure, response_headers = match.procedure, ResponseHeaders()
        files: list[File] = []
        try:
            gate = gate_in(incoming.transport)
            if gate is not None or self.version.refuses:
                self._check_entry(gate, match, incoming)
            value = self._codec.decode_whole(incoming)
            if value is UNREAD:
                value = await self._codec.decode(incoming.request, files)
            if self._plugins.check_calls:
                self._plugins.check(incoming.request, match.path, procedure)
            if self._strict_get and incoming.crossed == "GET" and procedure.method != "GET":
                raise ORPCError("METHOD_NOT_SUPPORTED")
            is_bare = gate is None and self._context is None
            found = incoming.headers.found
            may_resume = found is None or _LAST_EVENT_ID in found
            ctx = CallContext(
                path=match.path,
                context={} if is_bare else await self._first_context(incoming, gate),
                headers=incoming.headers,
                response_headers=response_headers,
                errors=procedure.error_constructors,
                last_event_id=incoming.headers.first("last-event-id") if may_resume else None,
            )
            output = await run(procedure, ctx, value)
            response = self._codec.encode_plain(output)
            if response is None:
                seen = partial(self._seen, match, incoming)
                response = self._codec.encode(output, files, seen)
        except asyncio.CancelledError as error:
            if task is not None and task.cancelling() > cancellations:
                release(files)
                raise
            # Nobody cancelled this call: the handler awaited something that was.
            response = self._encoded(error, match, incoming)
        except Exception as error:
            response = self._encoded(error, match, incoming)
        except BaseException:
            release(files)
            raise
        response = response_headers.added_to(response)
        return releasing(response, files) if files else response

    def _check_entry(self, gate: Gate | None, match: Match, incoming: Incoming) -> None:
        if gate is not None:
            gate.check(match.path)
        request = incoming.request
        refusal = self.version.refusal(request.outer or request)
        if refusal is not None:
            raise refusal

    async def _first_context(self, incoming: Incoming, gate: Gate | None) -> dict[str, Any]:
        """A context of the call's own: what one handler does to it must not reach the next call."""
        made = self._context(incoming.request) if callable(self._context) else self._context
        context = await made if inspect.isawaitable(made) else made
        return {**(context or {}), **({} if gate is None else gate.context)}

    def _encoded(self, error: BaseException, match: Match, incoming: Incoming) -> Response:
        try:
            return self.refuse(self._seen(match, incoming, error))
        except Exception as failure:  # the data of the error cannot be encoded
            return self.refuse(self._seen(match, incoming, failure))

    def _refuse_around(self, error: Exception) -> Response:
        """The response where a plugin failed."""
        if isinstance(error, ORPCError):
            return self.refuse(error)
        masked = self._masked()
        _logger.error(
            "A plugin failed; its caller sees an internal error only",
            exc_info=error,
            extra={"error_id": masked.error_id},
        )
        return self.refuse(masked)

    def _seen(
        self, match: Match, incoming: Incoming, error: BaseException, error_id: str | None = None
    ) -> ORPCError:
        """The error as its caller sees it; what is not an oRPC error is masked, and logged."""
        if isinstance(error, ORPCError):
            if error.code == "INTERNAL_SERVER_ERROR":
                error.error_id = error_id or error.error_id or new_error_id()
                _log(match, incoming, error, error.error_id)
            return error
        masked = self._masked()
        masked.error_id = error_id or masked.error_id
        _log(match, incoming, error, masked.error_id)
        return masked

    def _masked(self) -> ORPCError:
        return ORPCError(
            "INTERNAL_SERVER_ERROR", self.version.masked_message, error_id=new_error_id()
        )


def _log(match: Match, incoming: Incoming, error: BaseException, error_id: str | None) -> None:
    gate = gate_in(incoming.transport)
    _logger.error(
        "A procedure failed; its caller sees an internal error only",
        exc_info=error,
        extra={
            "error_id": error_id,
            "procedure": ".".join(match.path),
            **({} if gate is None else gate.facts),
        },
    )
