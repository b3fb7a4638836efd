"""JavaScript's undefined: a missing value, which is not null (WIRE.md 2.2)."""

from __future__ import annotations

from typing import Final, Literal


class Undefined:
    """The type of `UNDEFINED`. There is one instance; it is falsy and survives copy and pickle."""

    __slots__ = ()
    _instance: Undefined | None = None

    def __new__(cls) -> Undefined:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __init_subclass__(cls) -> None:
        raise TypeError("Undefined cannot be subclassed; UNDEFINED is its only value")

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> Literal[False]:
        return False

    def __reduce__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()
