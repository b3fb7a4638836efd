"""Counters that several processes share: how many tasks each has run, read without any of them."""

from __future__ import annotations

import mmap
from pathlib import Path

SLOTS = 16
_BYTES = 8


class Counters:
    """One number for each process, in a file that all of them map."""

    def __init__(self, folder: Path, slot: int = 0) -> None:
        path = folder / "counters"
        if not path.exists():
            path.write_bytes(bytes(SLOTS * _BYTES))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        self._slot = slot

    def count(self) -> None:
        """Add one for this process."""
        self._numbers[self._slot] += 1

    @property
    def total(self) -> int:
        """What all processes have counted."""
        return sum(self._numbers)
