"""Contracts: the procedures that two sides agree on, as a class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Self,
    TypeAlias,
    get_args,
    get_origin,
    get_type_hints,
)

from durable_execution.orpc._contract.calls import Mode
from durable_execution.orpc._contract.declared import Declared

Rename: TypeAlias = Literal["camel"]

_RENAMES: Final = get_args(Rename)


@dataclass(frozen=True, slots=True)
class Member:
    """What stands under one attribute of a contract: a procedure or another contract."""

    attribute: str
    name: str
    node: Declared[Any, Any] | type[Contract[Any]]


class _ContractMeta(type):
    """Gives the procedures that a hint alone declares: no class attribute is there for them."""

    def __getattr__(cls, name: str) -> Any:
        if issubclass(cls, Contract) and not name.startswith("_"):
            member = members_of(cls).get(name)
            if member is not None:
                return member.node
        raise AttributeError(f"contract {cls.__name__} has no {name!r}")


class Contract(Generic[Mode], metaclass=_ContractMeta):
    """Procedures that a client and a server agree on. Import it on both sides; it loads neither.

        class Planets(Contract):
            find: Declared[FindPlanet, Planet] = declared(method="GET", errors=[PlanetNotFound])
            create: Declared[NewPlanet, Planet]

        class App(Contract, rename="camel"):
            planets: Planets
            server_time: Declared[None, datetime]          # `serverTime` on the wire

    A server implements the procedures with `rpc.implement(Planets.find)` and puts them together
    with `rpc.router({...}, contract=App)`. `create_orpc_client(link, contract=App)` gives a client
    on which each of them is called with the declared input and returns the declared output.

    For clients that block as well, leave the mode open: `class Planets(Contract[Mode])`, nested
    ones `planets: Planets[Mode]`; then `App[Sync]` is the contract of a sync client.

    Class arguments:
        rename: `"camel"` makes the names on the wire camel case: `find_all` is `findAll`.
    """

    _rename: ClassVar[Rename | None] = None
    _members: ClassVar[Mapping[str, Member] | None] = None

    def __init_subclass__(cls, *, rename: Rename | None = None) -> None:
        super().__init_subclass__()
        if rename is not None and rename not in _RENAMES:
            raise ValueError(f"rename: expected 'camel' or None, got {rename!r}")
        cls._rename = rename or cls._rename
        cls._members = None

    def __new__(cls, *_: object, **__: object) -> Any:
        """Refuse: what a contract says is made by clients and servers."""
        raise TypeError(
            f"{cls.__name__} is a contract; create_orpc_client(link, contract={cls.__name__}) "
            "gives a client of it"
        )

    def __repr__(self) -> str:
        return f"<client of {type(self).__qualname__}>"

    # A client is names and a link: a copy would share the link anyway.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def members_of(contract: type[Contract[Any]]) -> Mapping[str, Member]:
    """What a contract holds, by attribute; resolved when first asked for.

    Raises:
        TypeError: A hint is neither `Declared[Input, Output]` nor a contract, or names a type that
            does not exist at run time.
        ValueError: Two members have one name on the wire.
    """
    members: Mapping[str, Member] | None = contract.__dict__.get("_members")
    if members is None:
        members = MappingProxyType(_resolved(contract))
        contract._members = members  # noqa: SLF001 - of a contract, by its own module
    return members


def _resolved(contract: type[Contract[Any]]) -> dict[str, Member]:
    try:
        hints = get_type_hints(contract)
    except NameError as error:
        raise TypeError(
            f"contract {contract.__qualname__}: a hint cannot be resolved ({error}); import or "
            "define the type at module level, outside of `if TYPE_CHECKING`"
        ) from error
    members: dict[str, Member] = {}
    for base in reversed(contract.__bases__):
        if issubclass(base, Contract) and base is not Contract:
            members.update(members_of(base))
    own = [name for name in inspect.get_annotations(contract) if not name.startswith("_")]
    members.update((name, _member(contract, name, hints[name])) for name in own)
    _check_hinted(contract)
    _check_names(contract, members)
    return members


def _member(owner: type[Contract[Any]], attribute: str, hint: Any) -> Member:
    origin = get_origin(hint) or hint
    if origin is Declared and get_origin(hint):
        node = owner.__dict__.get(attribute)
        if not isinstance(node, Declared):
            node = Declared()
            node.__set_name__(owner, attribute)
            setattr(owner, attribute, node)
        given, made = (None if part is type(None) else part for part in get_args(hint))
        node.settle((given, made))
        return Member(attribute, node.name or _renamed(owner, attribute), node)
    if isinstance(origin, type) and issubclass(origin, Contract):
        return Member(attribute, _renamed(owner, attribute), origin)
    raise TypeError(
        f"contract {owner.__qualname__}.{attribute}: expected a hint Declared[Input, Output] or a "
        f"contract, got {hint!r}"
    )


def _check_hinted(owner: type[Contract[Any]]) -> None:
    hinted = inspect.get_annotations(owner)
    for attribute, value in vars(owner).items():
        if isinstance(value, Declared) and attribute not in hinted:
            raise TypeError(
                f"contract {owner.__qualname__}.{attribute}: expected a hint: "
                f"{attribute}: Declared[Input, Output] = declared(...)"
            )


def _check_names(contract: type[Contract[Any]], members: Mapping[str, Member]) -> None:
    attributes: dict[str, str] = {}
    for member in members.values():
        other = attributes.setdefault(member.name, member.attribute)
        if other != member.attribute:
            raise ValueError(
                f"contract {contract.__qualname__}: {other} and {member.attribute} are both named "
                f"{member.name!r} on the wire"
            )


def _renamed(owner: type[Contract[Any]], attribute: str) -> str:
    if owner._rename is None:  # noqa: SLF001 - of a contract, by its own module
        return attribute
    first, *others = attribute.split("_")
    return first + "".join(part.capitalize() for part in others)
