"""What a procedure of a contract is on a client: something to call, typed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

from durable_execution._codec import Undefined
from durable_execution.orpc._protocol import EventStream

if TYPE_CHECKING:
    # Checkers know defaults of type variables from there; at run time nobody needs them.
    from typing_extensions import TypeVar
else:
    from typing import TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
InputT_contra = TypeVar("InputT_contra", contravariant=True)
OutputT_co = TypeVar("OutputT_co", covariant=True)

CallHeaders = Mapping[str, str | Sequence[str]]


class Async:
    """Marks clients whose calls are awaited."""


class Sync:
    """Marks clients whose calls block."""


if TYPE_CHECKING:
    Mode = TypeVar("Mode", default=Async)
else:
    Mode = TypeVar("Mode")


class BlockingStream(Protocol[T_co]):
    """An event stream on a sync client: the values as they arrive, and what it returned."""

    @property
    def return_value(self) -> Any:
        """What it returned; `UNDEFINED` before its end and when it returned nothing."""
        ...

    @property
    def last_event_id(self) -> str | None:
        """The id of the latest event that had one: where to resume."""
        ...

    def __iter__(self) -> Iterator[T_co]: ...
    def __next__(self) -> T_co: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """Give up what is left: the other side notices."""
        ...


# A declared `AsyncIterator` arrives as an event stream, which is more than that: it can be closed,
# and knows what it returned. These overloads come first, as such an output fits the others too.


class AsyncCall(Protocol[InputT_contra, OutputT_co]):
    """A procedure of an async client: `planet = await planets.find(FindPlanet(id=1))`."""

    @overload
    def __call__(
        self: AsyncCall[None, AsyncIterator[T]],
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> Coroutine[Any, Any, EventStream[T]]: ...
    @overload
    def __call__(
        self: AsyncCall[InputT_contra, AsyncIterator[T]],
        input: InputT_contra,
        /,
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> Coroutine[Any, Any, EventStream[T]]: ...
    @overload
    def __call__(
        self: AsyncCall[None, OutputT_co],
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> Coroutine[Any, Any, OutputT_co]: ...
    @overload
    def __call__(
        self,
        input: InputT_contra,
        /,
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> Coroutine[Any, Any, OutputT_co]: ...


class SyncCall(Protocol[InputT_contra, OutputT_co]):
    """A procedure of a sync client: `planet = planets.find(FindPlanet(id=1))`."""

    @overload
    def __call__(
        self: SyncCall[None, AsyncIterator[T]],
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> BlockingStream[T]: ...
    @overload
    def __call__(
        self: SyncCall[InputT_contra, AsyncIterator[T]],
        input: InputT_contra,
        /,
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> BlockingStream[T]: ...
    @overload
    def __call__(
        self: SyncCall[None, OutputT_co],
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> OutputT_co: ...
    @overload
    def __call__(
        self,
        input: InputT_contra,
        /,
        *,
        headers: CallHeaders | None = ...,
        timeout: float | timedelta | Undefined | None = ...,
        last_event_id: str | None = ...,
    ) -> OutputT_co: ...
