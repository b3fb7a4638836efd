"""The errors a procedure declares: their constructors, and the check that marks them defined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypedDict

from durable_execution._codec import UNDEFINED, Schema, ValidationFailed
from durable_execution.orpc._protocol import DefinedError, ORPCError, is_error_class

_DECLARATION_KEYS: Final = frozenset({"status", "message", "data"})


class ErrorDeclaration(TypedDict, total=False):
    """One entry of `.errors({...})`: `{"status": 409, "message": "Sold out", "data": Stock}`.

    `data` is a type hint; without it the data of this error is not looked at.
    """

    status: int
    message: str
    data: Any


@dataclass(frozen=True, slots=True)
class DeclaredError:
    """A declaration that was checked, with its status settled."""

    code: str
    status: int
    message: str | None
    data: Schema[Any] | None


ErrorDeclarations: TypeAlias = Mapping[str, ErrorDeclaration] | type[DefinedError[Any]]
"""What `.errors(...)` takes: a class of error, or entries by code."""


class ErrorConstructor(Protocol):
    """What `ctx.errors.SOME_CODE` is: call it, raise what it gives."""

    def __call__(self, message: str | None = None, *, data: object = UNDEFINED) -> ORPCError: ...


class ErrorConstructors:
    """`raise ctx.errors.OUT_OF_STOCK(data=...)`; `ctx.errors["odd-code"]` for any other code."""

    __slots__ = ("_declared",)

    def __init__(self, declared: Mapping[str, DeclaredError]) -> None:
        self._declared = declared

    def __getitem__(self, code: str) -> ErrorConstructor:
        if code not in self._declared:
            raise KeyError(self._unknown(code))
        return _constructor(self._declared[code])

    def __getattr__(self, code: str) -> ErrorConstructor:
        if code.startswith("__") or code not in self._declared:
            raise AttributeError(self._unknown(code))
        return _constructor(self._declared[code])

    def __dir__(self) -> list[str]:
        return sorted(self._declared)

    def __repr__(self) -> str:
        return f"ErrorConstructors({', '.join(self._declared)})"

    def _unknown(self, code: str) -> str:
        known = ", ".join(self._declared) or "none"
        return f"error {code!r} is not declared here with .errors({{...}}); declared: {known}"


def declare_all(declarations: Iterable[ErrorDeclarations]) -> dict[str, DeclaredError]:
    """Declarations in any form, by code; of several with one code the last counts.

    Raises:
        TypeError: One is neither a class of error nor a mapping, or see `declare`.
        ValueError: See `declare`.
    """
    declared: dict[str, DeclaredError] = {}
    for item in declarations:
        if isinstance(item, Mapping):
            declared.update((code, declare(code, entry)) for code, entry in item.items())
        elif is_error_class(item):
            declared[item.declared_code] = DeclaredError(
                item.declared_code,
                item.declared_status,
                item.declared_message,
                item.data_schema(),
            )
        else:
            raise TypeError(
                f"errors: expected classes made of DefinedError or a mapping by code, got {item!r}"
            )
    return declared


def declare(code: str, declaration: ErrorDeclaration) -> DeclaredError:
    """Check one declaration.

    Raises:
        TypeError: It is no mapping, has a key that means nothing, or its data hint is unusable.
        ValueError: The code is empty, or the status means success.
    """
    if not isinstance(declaration, Mapping):
        raise TypeError(f"errors[{code!r}]: expected a mapping, got {type(declaration).__name__}")
    strange = sorted(declaration.keys() - _DECLARATION_KEYS)
    if strange:
        raise TypeError(f"errors[{code!r}]: unknown {strange}; use status, message and data")
    data: Schema[Any] | None = Schema(declaration["data"]) if "data" in declaration else None
    status = declaration.get("status")
    probe = ORPCError(code, declaration.get("message"), status=status)
    return DeclaredError(code, probe.status, declaration.get("message"), data)


def settle_defined(error: ORPCError, declared: Mapping[str, DeclaredError]) -> None:
    """Set `defined` on an error that leaves a procedure (WIRE.md 6.2).

    True only when the procedure declares its code with the same status and the data passes the
    declared hint; the data is then what the hint made of it. How the error was made is no matter.
    """
    declaration = declared.get(error.code)
    error.defined = declaration is not None and declaration.status == error.status
    if declaration is None or declaration.data is None or not error.defined:
        return
    try:
        error.data = declaration.data.convert(error.data, root="data")
    except ValidationFailed:
        error.defined = False


def _constructor(declared: DeclaredError) -> ErrorConstructor:
    def construct(message: str | None = None, *, data: object = UNDEFINED) -> ORPCError:
        return ORPCError(
            declared.code,
            message or declared.message,
            status=declared.status,
            data=data,
            defined=True,
        )

    return construct
