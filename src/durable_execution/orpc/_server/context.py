"""What a handler and its middlewares know of a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from durable_execution.orpc._protocol import Headers
from durable_execution.orpc._server.declared import ErrorConstructors
from durable_execution.orpc._server.response_headers import ResponseHeaders


class RequestHeaders(Mapping[str, str]):
    """Headers of the request by name in any case; repeated ones joined, as Node.js does."""

    __slots__ = ("_headers", "_joined")

    def __init__(self, headers: Headers = ()) -> None:
        self._headers = headers
        self._joined: dict[str, str] | None = None

    @property
    def _values(self) -> dict[str, str]:
        """Made when it is first asked for: most procedures look at no header."""
        if self._joined is None:
            values: dict[str, str] = {}
            for name, value in self._headers:
                key = name.lower()
                joint = "; " if key == "cookie" else ", "
                values[key] = f"{values[key]}{joint}{value}" if key in values else value
            self._joined = values
        return self._joined

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Values carry credentials, and a repr ends up in logs.
        return f"RequestHeaders({', '.join(self._values)})"


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
