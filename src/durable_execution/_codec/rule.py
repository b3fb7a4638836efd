"""Custom type tags (WIRE.md 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Teach a codec one more type. Both peers need the rule; others ignore its tag.

    Rules are tried in order and before everything built in, so a rule may also replace a built-in
    tag by reusing its number. What `encode` returns is encoded again, with all rules.

    Attributes:
        tag: an int or a str; ints above 20 are the convention.
        matches: whether this rule encodes the value; asked for every value, so keep it cheap.
        encode: value to something encodable, never UNDEFINED.
        decode: the decoded form back to the value; its exceptions reject the message.
    """

    tag: int | str
    matches: Callable[[Any], bool]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if type(self.tag) not in (int, str):
            raise TypeError(f"Rule.tag: expected an int or a str, got {self.tag!r}")
