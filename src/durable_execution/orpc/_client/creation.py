"""Making clients: of any procedures, or typed by a contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, get_origin, overload

from durable_execution._codec import UNDEFINED, Undefined
from durable_execution.orpc._client.client import Link, ORPCClient
from durable_execution.orpc._client.headers import HeaderMapping
from durable_execution.orpc._client.procedure_path import checked_path
from durable_execution.orpc._client.sync_client import SyncORPCClient
from durable_execution.orpc._client.sync_link import SyncLink
from durable_execution.orpc._client.sync_values import from_sync
from durable_execution.orpc._client.timeout import Timeout
from durable_execution.orpc._contract import Async, Contract, Declared, Sync, members_of

ContractT = TypeVar("ContractT", bound=Contract[Async])
SyncContractT = TypeVar("SyncContractT", bound=Contract[Sync])

_DEEPEST: Final = 64


@overload
def create_orpc_client(link: SyncLink, path: Sequence[str] = ...) -> SyncORPCClient: ...
@overload
def create_orpc_client(
    link: SyncLink, path: Sequence[str] = ..., *, contract: type[SyncContractT]
) -> SyncContractT: ...
@overload
def create_orpc_client(link: Link, path: Sequence[str] = ...) -> ORPCClient: ...
@overload
def create_orpc_client(
    link: Link, path: Sequence[str] = ..., *, contract: type[ContractT]
) -> ContractT: ...
def create_orpc_client(
    link: Link | SyncLink,
    path: Sequence[str] = (),
    *,
    contract: type[Contract[Any]] | None = None,
) -> Any:
    """A client of the procedures behind a link, or of those below `path`.

        client = create_orpc_client(link)                      # any name, any input
        app = create_orpc_client(link, contract=App)           # those of the contract, typed
        planet = await app.planets.find(FindPlanet(id=1))

    With a contract, outputs become the declared types, errors that the contract declares are
    raised as their classes, and calls go out with the declared method. The client owns nothing:
    close the link.

    Calls are awaited, except over a `SyncLink`, where they block; its contracts are `App[Sync]`.

    Raises:
        TypeError, ValueError: The path is not a sequence of names that can stand in a URL, the
            contract has a hint that cannot be used, or the link is a URL.
    """
    place = checked_path(path)
    given: object = link
    if isinstance(given, str):
        raise TypeError("link must be a link, got str; RPCLink(url) makes one of a URL")
    if not isinstance(link, SyncLink):
        client = ORPCClient(link, place)
        return client if contract is None else contract_client(contract, client, ProcedureCall)
    client = ORPCClient(link.link, place)
    if contract is None:
        return SyncORPCClient(link, client)
    return contract_client(contract, client, partial(SyncProcedureCall, link))


class ProcedureCall:
    """One procedure of a contract on an async client."""

    __slots__ = ("_client", "_declared", "_output")

    def __init__(self, client: ORPCClient, declared: Declared[Any, Any]) -> None:
        self._client = client
        self._declared = declared
        self._output = type(None) if declared.output is None else declared.output

    @property
    def declared(self) -> Declared[Any, Any]:
        """What the contract says of it."""
        return self._declared

    async def __call__(
        self,
        input: object = UNDEFINED,
        /,
        *,
        headers: HeaderMapping | None = None,
        timeout: Timeout | Undefined = UNDEFINED,
        last_event_id: str | None = None,
    ) -> Any:
        """See `ORPCClient.__call__`."""
        return await self._client(
            declared_input(self._declared, input),
            output=self._output,
            errors=self._declared.errors,
            method=self._declared.method,
            headers=headers,
            timeout=timeout,
            last_event_id=last_event_id,
        )

    def __repr__(self) -> str:
        return f"<ProcedureCall {self._declared.owner.__qualname__}.{self._declared.attribute}>"


class SyncProcedureCall:
    """One procedure of a contract on a client that blocks."""

    __slots__ = ("_call", "_link")

    def __init__(self, link: SyncLink, client: ORPCClient, declared: Declared[Any, Any]) -> None:
        self._link = link
        self._call = ProcedureCall(client, declared)

    def __call__(self, input: object = UNDEFINED, /, **options: Any) -> Any:
        """See `SyncORPCClient.__call__`."""
        given = from_sync(input)
        return self._link.complete(lambda: self._call(given, **options))

    def __repr__(self) -> str:
        return f"<Sync{repr(self._call)[1:]}"


def declared_input(declared: Declared[Any, Any], input: object) -> object:
    """What to send for the input of a procedure; nothing where it has none.

    Raises:
        TypeError: The procedure has an input, but none was given.
    """
    if declared.input is None and input is None:
        return UNDEFINED
    if declared.input is not None and input is UNDEFINED:
        raise TypeError(
            f"{declared.owner.__qualname__}.{declared.attribute}: its input is missing; "
            f"expected {declared.input!r}"
        )
    return input


def contract_client(
    contract: type[Contract[Any]],
    client: ORPCClient,
    call: Callable[[ORPCClient, Declared[Any, Any]], object],
    depth: int = 0,
) -> Contract[Any]:
    """An instance of the contract whose attributes are what `call` makes of its procedures.

    Raises:
        TypeError: This is no contract, or see `members_of`.
        ValueError: The contract contains itself.
    """
    bare = get_origin(contract) or contract
    if not (isinstance(bare, type) and issubclass(bare, Contract)):
        raise TypeError(f"contract: expected a class made of Contract, got {contract!r}")
    if depth > _DEEPEST:
        raise ValueError(f"contract {bare.__qualname__}: nested too deep; does it contain itself?")
    made: Contract[Any] = object.__new__(bare)
    for attribute, member in members_of(bare).items():
        below = client[member.name]
        if isinstance(member.node, Declared):
            made.__dict__[attribute] = call(below, member.node)
        else:
            made.__dict__[attribute] = contract_client(member.node, below, call, depth + 1)
    return made
