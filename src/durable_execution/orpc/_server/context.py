"""What a handler and its middlewares know of a call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from durable_execution.orpc._server.declared import ErrorConstructors
from durable_execution.orpc._server.headers import RequestHeaders
from durable_execution.orpc._server.response_headers import ResponseHeaders

_NO_CONTEXT: Final[Mapping[str, Any]] = MappingProxyType({})


class CallContext(msgspec.Struct, frozen=True, kw_only=True):
    """One call as its procedure sees it.

    Attributes:
        path: Names from the root of the router to the procedure.
        context: What the application and the middlewares so far put there.
        headers: Headers of the request, all of them; empty in a direct `call`.
        response_headers: Headers to send with the answer, whatever it is.
        errors: Constructors of the errors the procedure declares.
        last_event_id: Where a caller wants to resume an event stream.
    """

    path: tuple[str, ...] = ()
    context: Mapping[str, Any] = _NO_CONTEXT
    headers: Mapping[str, str] = msgspec.field(default_factory=RequestHeaders)
    response_headers: ResponseHeaders = msgspec.field(default_factory=ResponseHeaders)
    errors: ErrorConstructors = msgspec.field(default_factory=lambda: ErrorConstructors({}))
    last_event_id: str | None = None

    def adding(self, context: Mapping[str, Any] | None) -> CallContext:
        """The same call with more context; a name given again replaces the earlier value."""
        return self.replace(context={**self.context, **context}) if context else self

    def replace(self, **changes: Any) -> Self:
        """The same call with other attributes."""
        return msgspec.structs.replace(self, **changes)
