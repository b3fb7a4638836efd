"""Ids of executions and executors: time first, so that new rows are neighbours in every index."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 letters in ascending order; without i, l, o and u, which people mistake."""
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_RANDOM_BYTES: Final = 9


def new_execution_id(now: int, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return `te_` and 24 letters or digits: 48 bits of time, 72 bits that nobody can guess."""
    return "te_" + _letters((now << 72) | int.from_bytes(random_bytes(_RANDOM_BYTES)), 12)


def new_executor_id(random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return `de_` and 8 letters or digits."""
    return "de_" + _letters(int.from_bytes(random_bytes(5)), 4)


def _letters(number: int, pairs: int) -> str:
    text = ""
    for _ in range(pairs):
        text = _PAIRS[number & 1023] + text
        number >>= 10
    return text
