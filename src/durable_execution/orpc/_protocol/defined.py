"""Errors as classes that both sides share: raised on one side, caught on the other."""

from __future__ import annotations

import copyreg
import re
from collections.abc import Iterable
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    TypeGuard,
    TypeVar,
    get_args,
    get_origin,
    overload,
)

from durable_execution._codec import UNDEFINED, Schema, ValidationFailed
from durable_execution.orpc._protocol.error import ORPCError

DataT = TypeVar("DataT")
ErrorT = TypeVar("ErrorT", bound="DefinedError[Any]")

_UNKNOWN: Final = object()
_WORD_END: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class DefinedError(ORPCError, Generic[DataT]):
    """An error that procedures declare, with a class of its own and data of one type.

        class OutOfStock(DefinedError[Stock], code="OUT_OF_STOCK", status=409):
            "Somebody was faster."

        raise OutOfStock(Stock(left=2))                 # in a handler that declares it

        try:                                            # in its caller
            await client.orders.place(order)
        except OutOfStock as error:
            offer(error.data.left)

    `DefinedError[None]` has no data: `raise NotSignedIn()`. A client makes instances of the class
    only where the server says `defined: true` and the data fits; then the data can be trusted.

    Class arguments:
        code: Any text; left out, the name of the class as `NAME_OF_THE_CLASS`.
        status: HTTP status, outside 200..399; left out, that of the code, else 500.
        message: For people, unless one is given when raising.

    Raises:
        TypeError: The class does not say of which type its data is, or an instance is made without
            the data it needs.
        ValueError: The code is empty, or the status means success.
    """

    declared_code: ClassVar[str]
    declared_status: ClassVar[int]
    declared_message: ClassVar[str | None]
    data_hint: ClassVar[Any]
    _schema: ClassVar[Schema[Any] | None]

    if TYPE_CHECKING:
        data: DataT

    def __init_subclass__(
        cls, *, code: str | None = None, status: int | None = None, message: str | None = None
    ) -> None:
        super().__init_subclass__()
        cls.declared_code = _upper_snake(cls.__name__) if code is None else code
        cls.declared_message = message
        cls.declared_status = ORPCError(cls.declared_code, message, status=status).status
        cls.data_hint = _data_hint(cls)
        cls._schema = None

    @overload
    def __init__(
        self: DefinedError[None], data: None = None, message: str | None = None
    ) -> None: ...
    @overload
    def __init__(self, data: DataT, message: str | None = None) -> None: ...
    def __init__(self, data: Any = UNDEFINED, message: str | None = None) -> None:
        cls = type(self)
        if cls is DefinedError:
            raise TypeError("DefinedError: make a class of it; raise ORPCError for any code")
        if cls.data_hint is None:
            data = None
        elif data is UNDEFINED:
            raise TypeError(f"{cls.__name__}: data is missing; expected {cls.data_hint!r}")
        super().__init__(
            cls.declared_code,
            message or cls.declared_message,
            status=cls.declared_status,
            data=data,
            defined=True,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions rebuild themselves from `args`, which are not what this constructor takes.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined] # known to pickle

    def to_json(self) -> dict[str, object]:
        """See `ORPCError.to_json`."""
        error = super().to_json()
        if type(self).data_hint is None:
            del error["data"]
        return error

    @classmethod
    def data_schema(cls) -> Schema[Any] | None:
        """What the data must be; None where there is none. Compiled when first asked for.

        Raises:
            TypeError: No schema can be made of the hint.
        """
        if cls.data_hint is None:
            return None
        if cls._schema is None:
            cls._schema = Schema(cls.data_hint)
        return cls._schema

    @classmethod
    def of(cls: type[ErrorT], error: ORPCError) -> ErrorT | None:
        """The error as this class; None when it is another one.

        Raises:
            ValidationFailed: It is this one, but its data does not fit.
        """
        if not error.defined or (error.code, error.status) != (
            cls.declared_code,
            cls.declared_status,
        ):
            return None
        schema = cls.data_schema()
        data = None if schema is None else schema.convert(error.data, root="data")
        return cls(data, error.message)


def is_error_class(item: object) -> TypeGuard[type[DefinedError[Any]]]:
    """Whether this is a class made of `DefinedError`, and not that one itself."""
    return isinstance(item, type) and issubclass(item, DefinedError) and item is not DefinedError


def narrowed(error: ORPCError, classes: Iterable[type[DefinedError[Any]]]) -> ORPCError:
    """The error as the class that declares it; the error itself where none does.

    Where the data does not fit its declaration, the error keeps the data as decoded and a note
    says what is wrong: an answer of the server is never lost to an older declaration.
    """
    for cls in classes:
        if type(error) is cls:  # raised in this process
            return error
        try:
            found = cls.of(error)
        except ValidationFailed as failure:
            error.add_note(f"not raised as {cls.__name__}: {failure}")
            continue
        if found is not None:
            found.error_id = error.error_id
            return found
    return error


def _data_hint(cls: type[DefinedError[Any]]) -> Any:
    """The argument of `DefinedError[...]`, also of a base; None for no data."""
    hint = getattr(cls, "data_hint", _UNKNOWN)
    for base in cls.__dict__.get("__orig_bases__", ()):
        if get_origin(base) is DefinedError:
            (hint,) = get_args(base)
    if hint is _UNKNOWN or isinstance(hint, TypeVar):
        raise TypeError(
            f"{cls.__name__}: expected DefinedError[Data] as a base, DefinedError[None] for no data"
        )
    return None if hint is type(None) else hint


def _upper_snake(name: str) -> str:
    """`OutOfStock` as `OUT_OF_STOCK`, `HTTPFailed` as `HTTP_FAILED`."""
    return _WORD_END.sub("_", name).upper()
