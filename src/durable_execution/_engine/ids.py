"""Ids of executions and executors: time first, so that new rows are neighbours in every index."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 letters in ascending order; without i, l, o and u, which people mistake."""
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_RANDOM_BYTES: Final = 9
_POOLED_BYTES: Final = 256 * _RANDOM_BYTES
_SLACK_MS: Final = 60_000
"""How far the time in an id may be from the instant of creation in its row, and to spare."""


class RandomPool:
    """Random bytes, asked for many at a time.

    Asking is a system call, which lets go of the interpreter's lock: with another thread at work it
    is long until it comes back. Belongs to one process: after a fork both would give the same.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._bytes = b""
        self._used = 0

    def __call__(self, number: int) -> bytes:
        """Return so many bytes that were never returned before."""
        begin = self._used
        self._used = end = begin + number
        if end > len(self._bytes):
            self._bytes = self._random_bytes(max(number, _POOLED_BYTES))
            begin, self._used = 0, number
            end = number
        return self._bytes[begin:end]


def new_execution_id(now: int, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return `te_` and 24 letters or digits: 48 bits of time, 72 bits that nobody can guess."""
    number = (now << 72) | int.from_bytes(random_bytes(_RANDOM_BYTES))
    # What `_letters` would give, without its loop: one is made for every execution, and those of
    # the same millisecond begin alike.
    pairs = _PAIRS
    return (
        f"te_{_beginning(number >> 70)}{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}"
        f"{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}"
        f"{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def newest_id_before(instant: int) -> str:
    """Return an id below those of all executions that were created at this instant or later."""
    return _first_id(instant - _SLACK_MS)


def oldest_id_after(instant: int) -> str:
    """Return an id above those of all executions that were created before this instant."""
    return _first_id(instant + _SLACK_MS)


def new_executor_id(random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return `de_` and 8 letters or digits."""
    return "de_" + _letters(int.from_bytes(random_bytes(5)), 4)


def _first_id(instant: int) -> str:
    return "te_" + _letters(max(0, instant) << 72, 12)


@lru_cache(maxsize=16)
def _beginning(number: int) -> str:
    return _letters(number, 5)


def _letters(number: int, pairs: int) -> str:
    text = ""
    for _ in range(pairs):
        text = _PAIRS[number & 1023] + text
        number >>= 10
    return text
