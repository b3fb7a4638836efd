"""How large a message may be."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that hold in both directions (WIRE.md 10).

    Attributes:
        max_bytes: length of the encoded text, checked before it is parsed.
        max_depth: nesting of arrays and objects, the envelope itself not counted. Encoding and
            decoding recurse, so a much larger number meets the interpreter's own limit; the
            answer is then the same error.
        max_meta_entries: number of type tags in one envelope.
        max_bigint_digits: decimal digits of one bigint; 4300 is the bound every peer has.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_depth: int = 256
    max_meta_entries: int = 100_000
    max_bigint_digits: int = 4300

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ValueError(f"Limits.{field.name}: expected a positive int, got {value!r}")
