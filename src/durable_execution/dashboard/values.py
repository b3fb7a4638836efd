"""Inputs and outputs as people read them: every value with its type, and none of them endless."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Literal

from durable_execution._codec import (
    BigInt,
    DecodeError,
    JsDate,
    JsMap,
    JsSet,
    RegExp,
    Undefined,
    Url,
    loads,
)

MAX_PARTS: Final = 1_000
"""Parts of one value that are shown."""
MAX_DEPTH: Final = 24
MAX_TEXT: Final = 4_000
"""Characters of one text that are shown."""
_MAX_SAFE_INTEGER: Final = 2**53 - 1

Kind = Literal[
    "text", "number", "bigint", "truth", "null", "undefined", "date", "url", "regexp",
    "list", "object", "map", "set", "cut", "unreadable",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A value, or the part of one at `label`.

    Attributes:
        kind: What it is.
        text: Itself, of a kind without parts; what is left out, of `cut`.
        label: The key or the index in what it is a part of.
        size: Of a kind with parts: how many it has.
        parts: Those that are shown.
    """

    kind: Kind
    text: str = ""
    label: str | None = None
    size: int = 0
    parts: tuple[Shown, ...] = field(default=())

    @property
    def has_parts(self) -> bool:
        """Whether it is a kind that is made of others."""
        return self.kind in ("list", "object", "map", "set")


def shown_payload(payload: bytes | None) -> Shown | None:
    """Read an encoded payload; None where there is none, which is not a value that is null."""
    if not payload:
        return None
    try:
        value = loads(payload)
    except DecodeError as error:
        return Shown("unreadable", f"{len(payload)} bytes that cannot be read: {error}")
    return shown(value)


def shown(value: object) -> Shown:
    """Show a decoded value."""
    return _Showing().part(value, None, 0)


class _Showing:
    """Counts down what may still be shown of one value."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def part(self, value: object, label: str | None, depth: int) -> Shown:
        self._left -= 1
        match value:
            case dict():
                return self._made_of("object", value.items(), len(value), label, depth)
            case JsMap():
                return self._made_of("map", value.items(), len(value), label, depth)
            case JsSet():
                return self._made_of("set", enumerate(value), len(value), label, depth)
            case list():
                return self._made_of("list", enumerate(value), len(value), label, depth)
            case _:
                kind, text = _single(value)
                return Shown(kind, _cut(text), label)

    def _made_of(
        self,
        kind: Kind,
        pairs: Iterable[tuple[object, object]],
        size: int,
        label: str | None,
        depth: int,
    ) -> Shown:
        if depth >= MAX_DEPTH:
            return Shown("cut", f"{size} more, deeper than is shown", label)
        parts: list[Shown] = []
        for key, value in islice(pairs, size):
            if self._left <= 0:
                break
            parts.append(self.part(value, _label(key), depth + 1))
        if len(parts) < size:
            parts.append(Shown("cut", f"{size - len(parts)} more"))
        return Shown(kind, "", label, size, tuple(parts))


def _label(key: object) -> str:
    return _cut(key if isinstance(key, str) else _single(key)[1], 200)


def _single(value: object) -> tuple[Kind, str]:
    match value:
        case None:
            return "null", "null"
        case bool():
            return "truth", "true" if value else "false"
        case int() | float():
            return _number(value)
        case str():
            return ("url" if isinstance(value, Url) else "text"), value
        case datetime():
            return "date", _instant(value)
        case JsDate():
            return "date", str(value)
        case RegExp():
            return "regexp", str(value)
        case Undefined():
            return "undefined", "undefined"
        case _:
            return "text", repr(value)


def _number(value: int | float) -> tuple[Kind, str]:
    if isinstance(value, float):
        return "number", "NaN" if math.isnan(value) else repr(value)
    is_bigint = isinstance(value, BigInt) or abs(value) > _MAX_SAFE_INTEGER
    return ("bigint" if is_bigint else "number"), _digits(value)


def _digits(value: int) -> str:
    # Python refuses to write integers of more than 4,300 digits.
    return str(value) if value.bit_length() < 8_000 else hex(value)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _cut(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters in all)"
