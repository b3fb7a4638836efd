"""What a procedure of a contract is on a client: something to call, typed."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, overload

from durable_execution._codec import Undefined

if TYPE_CHECKING:
    # Checkers know defaults of type variables from there; at run time nobody needs them.
    from typing_extensions import TypeVar
else:
    from typing import TypeVar

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


class AsyncCall(Protocol[InputT_contra, OutputT_co]):
    """A procedure of an async client: `planet = await planets.find(FindPlanet(id=1))`."""

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
