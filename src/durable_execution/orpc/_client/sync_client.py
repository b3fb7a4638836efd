"""A client for code without an event loop, whose attributes are the names of procedures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, overload

from durable_execution._codec import UNDEFINED, Undefined
from durable_execution.orpc._client.client import ORPCClient
from durable_execution.orpc._client.codec import Method
from durable_execution.orpc._client.headers import HeaderMapping
from durable_execution.orpc._client.sync_link import SyncLink
from durable_execution.orpc._client.sync_values import SyncEventStream, from_sync
from durable_execution.orpc._client.timeout import Timeout
from durable_execution.orpc._protocol import DefinedError, EventStream

T = TypeVar("T")


class SyncORPCClient:
    """A place in the tree of procedures, as `ORPCClient` is one, whose calls block.

    planet = client.planets.find({"id": 1}, output=Planet)
    """

    __slots__ = ("_client", "_link")

    _client: ORPCClient
    _link: SyncLink

    def __init__(self, link: SyncLink, client: ORPCClient) -> None:
        self._link = link
        self._client = client

    def __getattr__(self, name: str) -> SyncORPCClient:
        return SyncORPCClient(self._link, getattr(self._client, name))

    def __getitem__(self, name: str) -> SyncORPCClient:
        return SyncORPCClient(self._link, self._client[name])

    # Without it, `in` and `for` would ask for client[0], client[1] and so on.
    __iter__ = None
    __contains__ = None

    @overload
    def __call__(
        self,
        input: object = ...,
        *,
        output: type[EventStream[T]],
        errors: Iterable[type[DefinedError[Any]]] = ...,
        headers: HeaderMapping | None = ...,
        timeout: Timeout | Undefined = ...,
        last_event_id: str | None = ...,
        method: Method | None = ...,
    ) -> SyncEventStream[T]: ...

    @overload
    def __call__(
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
    def __call__(
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

    def __call__(self, input: object = UNDEFINED, **options: Any) -> Any:
        """Call the procedure at this place and return its output; see `ORPCClient.__call__`.

        An event stream arrives as a `SyncEventStream`. An iterator as input, such as a generator,
        goes out as an event stream; it is read in a thread of its own.

        Raises:
            RuntimeError: The link is closed.
            Exception: What `ORPCClient.__call__` raises.
        """
        given = from_sync(input)
        return self._link.complete(lambda: self._client(given, **options))

    def __repr__(self) -> str:
        return f"<Sync{repr(self._client)[1:]}"

    # A client is a name and a link: a copy would share the link anyway.
    def __copy__(self) -> SyncORPCClient:
        return self

    def __deepcopy__(self, memo: object) -> SyncORPCClient:
        return self


def split_sync_client(client: SyncORPCClient) -> tuple[SyncLink, ORPCClient]:
    """The link of a client and the client inside, to be used in `link.complete(...)`.

    For what builds on clients. These are no attributes: those are the names of procedures.
    """
    return client._link, client._client  # noqa: SLF001 - of its own class
