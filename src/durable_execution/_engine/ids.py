"""Ids of executions and executors: time first, so that new rows are neighbours in every index."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 letters in ascending order; without i, l, o and u, which people mistake."""
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_CHANCE: Final = bytes(_ALPHABET.encode()[byte & 31] for byte in range(256))
"""A letter for every random byte, each for as many."""
_TENTH: Final = tuple(
    {letter: _ALPHABET[low << 2 | at & 3] for at, letter in enumerate(_ALPHABET)}
    for low in range(8)
)
"""The tenth letter of an id, by the three lowest bits of its time and a random letter."""
_RANDOM_LETTERS: Final = 15
_POOLED_LETTERS: Final = 256 * _RANDOM_LETTERS
_SLACK_MS: Final = 60_000
"""How far the time in an id may be from the instant of creation in its row, and to spare."""


class NewIds:
    """Makes ids of executions: `te_` and 24 letters or digits.

    Those are 48 bits of time and 72 bits that nobody can guess, drawn for many ids at a time: to
    ask for them is a system call, which lets go of the interpreter's lock, and with another thread
    at work it is long until that comes back. Belongs to one process: after a fork both would give
    the same.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._letters = ""
        self._used = 0
        self._now = -1
        self._beginning = ""
        self._tenth = _TENTH[0]

    def __call__(self, now: int) -> str:
        """Return an id of that instant that was never returned before."""
        if now != self._now:
            self._now = now
            # Its first nine letters; the tenth is half time and half chance.
            self._beginning = "te_" + _letters(now << 2, 5)[:9]
            self._tenth = _TENTH[now & 7]
        begin = self._used
        if begin == len(self._letters):
            self._letters = self._random_bytes(_POOLED_LETTERS).translate(_CHANCE).decode()
            begin = 0
        self._used = end = begin + _RANDOM_LETTERS
        letters = self._letters
        return f"{self._beginning}{self._tenth[letters[begin]]}{letters[begin + 1 : end]}"


def new_execution_id(now: int, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return a single id, as `NewIds` makes them."""
    return NewIds(lambda _: random_bytes(_RANDOM_LETTERS))(now)


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


def _letters(number: int, pairs: int) -> str:
    text = ""
    for _ in range(pairs):
        text = _PAIRS[number & 1023] + text
        number >>= 10
    return text
