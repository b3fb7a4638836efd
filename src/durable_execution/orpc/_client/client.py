"""A client whose attributes are the names of procedures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar, overload

from durable_execution._codec import UNDEFINED, Undefined, ValidationFailed
from durable_execution.orpc._client.codec import Method
from durable_execution.orpc._client.error import RPCResponseError
from durable_execution.orpc._client.events import changing_errors
from durable_execution.orpc._client.headers import HeaderMapping
from durable_execution.orpc._client.procedure_path import path_name
from durable_execution.orpc._client.timeout import Timeout
from durable_execution.orpc._protocol import (
    ByteStream,
    DefinedError,
    EventStream,
    ORPCError,
    ValueSchema,
    narrowed,
    schema_of,
)

T = TypeVar("T")


class Link(Protocol):
    """Carries one call to wherever the procedures live; `RPCLink` is the one over HTTP."""

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
        """The decoded output, or whatever `RPCLink.call` raises."""
        ...


class ORPCClient:
    """A place in the tree of procedures: attributes and items lead deeper, a call calls.

        planet = await client.planets.find({"id": 1})
        planet = await client.planets.find({"id": 1}, output=Planet, errors=[PlanetNotFound])
        answer = await client["odd name"]()

    Names that begin with an underscore need the item form: copying, pickling, notebooks and
    inspection look such attributes up, and must not find a procedure.
    """

    __slots__ = ("_link", "_path")

    _link: Link
    _path: tuple[str, ...]

    def __init__(self, link: Link, path: tuple[str, ...] = ()) -> None:
        self._link = link
        self._path = path

    def __getattr__(self, name: str) -> ORPCClient:
        if name.startswith("_"):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}; "
                f"a procedure of that name is client[{name!r}]"
            )
        return ORPCClient(self._link, (*self._path, name))

    def __getitem__(self, name: str) -> ORPCClient:
        if not isinstance(name, str):
            raise TypeError(f"procedure name: expected str, got {type(name).__name__}")
        return ORPCClient(self._link, (*self._path, name))

    # Without it, `in` and `for` would ask for client[0], client[1] and so on.
    __iter__ = None
    __contains__ = None

    @overload
    async def __call__(
        self,
        input: object = ...,
        *,
        output: type[T],
        errors: Iterable[type[DefinedError[Any]]] = ...,
        headers: HeaderMapping | None = ...,
        timeout: Timeout | Undefined = ...,
        last_event_id: str | None = ...,
        method: Method | None = ...,
    ) -> T: ...

    @overload
    async def __call__(
        self,
        input: object = ...,
        *,
        output: object = ...,
        errors: Iterable[type[DefinedError[Any]]] = ...,
        headers: HeaderMapping | None = ...,
        timeout: Timeout | Undefined = ...,
        last_event_id: str | None = ...,
        method: Method | None = ...,
    ) -> Any: ...

    async def __call__(
        self,
        input: object = UNDEFINED,
        *,
        output: object = Any,
        errors: Iterable[type[DefinedError[Any]]] = (),
        headers: HeaderMapping | None = None,
        timeout: Timeout | Undefined = UNDEFINED,
        last_event_id: str | None = None,
        method: Method | None = None,
    ) -> Any:
        """Call the procedure at this place and return its output.

        Args:
            input: Left out means undefined. An async iterable is sent as an event stream.
            output: The type of the result, any hint the codec knows; `Any` leaves it as decoded.
                That of a stream is `EventStream[Planet]`, or `EventStream[Planet | Return[int]]`.
            errors: Classes that an error of the server is raised as where it is one of them.
            headers: Added to those of the link, and stronger than them.
            timeout: Seconds or a timedelta, None for no limit; left out means the link's.
            last_event_id: Where to resume an event stream.
            method: How this call is sent; left out means as the link says.

        Raises:
            ORPCError: The server says no.
            RPCClientError: There is no answer, or it cannot be read as `output`.
            EncodeError: The input has no wire form.
            TypeError, ValueError: An argument is unusable; nothing was sent.
        """
        schema = _schema(output)
        try:
            value = await self._link.call(
                self._path,
                input,
                headers=headers,
                timeout=timeout,
                last_event_id=last_event_id,
                method=method,
            )
        except ORPCError as error:
            found = narrowed(error, errors)
            if found is error:
                raise
            raise found from None
        try:
            typed = schema.convert(value, root="output")
        except ValidationFailed as error:
            if isinstance(value, ByteStream):
                await value.aclose()  # nobody else knows of it, and it holds a connection
            raise self._misfit(error) from error
        if not isinstance(typed, EventStream):
            return typed

        def change(error: Exception) -> Exception:
            if isinstance(error, ValidationFailed):
                return self._misfit(error)
            return narrowed(error, errors) if isinstance(error, ORPCError) else error

        return changing_errors(typed, change)

    def _misfit(self, error: ValidationFailed) -> RPCResponseError:
        name = path_name(self._path)
        return RPCResponseError(f"{name}: not the output asked for: {error}")

    def __repr__(self) -> str:
        return f"<ORPCClient {path_name(self._path)}>"

    # A client is a name and a link: a copy would share the link anyway.
    def __copy__(self) -> ORPCClient:
        return self

    def __deepcopy__(self, memo: object) -> ORPCClient:
        return self


def _schema(hint: object) -> ValueSchema:
    try:
        return _cached_schema(hint)
    except TypeError:
        # Not hashable, or not supported: then this raises again and says so.
        return schema_of(hint)


@lru_cache(maxsize=512)
def _cached_schema(hint: object) -> ValueSchema:
    return schema_of(hint)
