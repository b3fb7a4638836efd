"""A value that is encoded already."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Encoded:
    """An envelope placed inside a value that is about to be encoded.

    The encoder copies its JSON text and moves its tags below the new place, decoding nothing: a
    stored payload reaches the wire as it is. An empty envelope (`{}`) counts as UNDEFINED. The
    text is trusted to be one that this codec wrote or has read.
    """

    payload: bytes
