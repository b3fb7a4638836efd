"""What happened in a run: a hash of everything, and the last of it in words."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Final

KEPT: Final = 60


class Trace:
    """Notes events as lines; two runs are the same exactly when their digests are."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.last: deque[str] = deque(maxlen=kept)
        self.count = 0

    def note(self, now: float, *words: object) -> None:
        """Note one event."""
        line = f"{now:10.4f}  {' '.join(map(str, words))}"
        self._hash.update(line.encode())
        self.last.append(line)
        self.count += 1

    def digest(self) -> str:
        """Return the hash of all lines so far."""
        return self._hash.hexdigest()
