"""One procedure of a contract: its types, its errors, how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, get_args, overload

from durable_execution.orpc._contract.calls import Async, AsyncCall, Sync, SyncCall
from durable_execution.orpc._protocol import DefinedError, is_error_class

if TYPE_CHECKING:
    from durable_execution.orpc._contract.contract import Contract

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

Method = Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
_METHODS: Final = get_args(Method)

Errors = Sequence[type[DefinedError[Any]]]


class Declared(Generic[InputT, OutputT]):
    """A procedure as a contract declares it. On a client of the contract it is something to call.

        class Planets(Contract):
            find: Declared[FindPlanet, Planet]
            ping: Declared[None, str]                    # no input
            watch: Declared[None, AsyncIterator[Planet]]   # an event stream

    Attributes:
        owner: The contract that declares it.
        attribute: Its name there.
        name: Its name on the wire; None for the attribute's.
        method: The HTTP method; None leaves it to the client's link.
        errors: What callers can catch.
    """

    __slots__ = ("_hints", "attribute", "errors", "method", "name", "owner")

    owner: type[Contract[Any]]
    attribute: str

    def __init__(
        self, *, name: str | None = None, method: Method | None = None, errors: Errors = ()
    ) -> None:
        self.name = name
        self.method = method
        self.errors = tuple(errors)
        self._hints: tuple[Any, Any] | None = None

    def __set_name__(self, owner: type[Contract[Any]], name: str) -> None:
        self.owner = owner
        self.attribute = name

    @overload
    def __get__(self, instance: None, owner: Any) -> Declared[InputT, OutputT]: ...
    @overload
    def __get__(self, instance: Contract[Async], owner: Any) -> AsyncCall[InputT, OutputT]: ...
    @overload
    def __get__(self, instance: Contract[Sync], owner: Any) -> SyncCall[InputT, OutputT]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> Declared[InputT, OutputT]: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        """Itself: a client keeps its calls in the instance, where they are found first."""
        return self

    @property
    def input(self) -> Any:
        """The hint of the input; None where there is none."""
        return self.hints[0]

    @property
    def output(self) -> Any:
        """The hint of the output."""
        return self.hints[1]

    @property
    def hints(self) -> tuple[Any, Any]:
        """Input and output.

        Raises:
            TypeError: The contract names a type that does not exist at run time.
        """
        if self._hints is None:
            # Contracts are made of these, so they cannot be imported above.
            from durable_execution.orpc._contract.contract import members_of

            members_of(self.owner)
        if self._hints is None:
            raise TypeError(f"{self!r}: its hint is missing")
        return self._hints

    def settle(self, hints: tuple[Any, Any]) -> None:
        """Take the hints that the contract resolved."""
        self._hints = hints

    def __repr__(self) -> str:
        return f"<Declared {self.owner.__qualname__}.{self.attribute}>"


def declared(*, name: str | None = None, method: Method | None = None, errors: Errors = ()) -> Any:
    """What the hint cannot say of a procedure.

        find: Declared[FindPlanet, Planet] = declared(method="GET", errors=[PlanetNotFound])

    Args:
        name: Its name on the wire where that is not the attribute's.
        method: How clients call it; with `GET`, servers also accept it (WIRE.md 4.2, 5).
        errors: Classes of errors that callers can catch.

    Raises:
        TypeError: Something in `errors` is no class made of `DefinedError`.
        ValueError: Two errors have one code, or the method is none that clients send.
    """
    if method is not None and method not in _METHODS:
        raise ValueError(f"method: expected one of {', '.join(_METHODS)}, got {method!r}")
    codes = set()
    for error in errors:
        if not is_error_class(error):
            raise TypeError(f"errors: expected classes made of DefinedError, got {error!r}")
        if error.declared_code in codes:
            raise ValueError(f"errors: two have the code {error.declared_code!r}")
        codes.add(error.declared_code)
    return Declared(name=name, method=method, errors=errors)
