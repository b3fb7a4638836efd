"""Where one measurement takes place: a storage that nobody has used before."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An empty database, handed to the process that measures and to those it starts."""

    storage: str
    url: str
    """What `open_storage` takes."""
    directory: str
    """For files of this measurement."""
    scale: float = 1.0
    """The share of the full size of a workload that is run."""
    minutes: float = 10.0
    """How long a soak lasts."""

    @property
    def folder(self) -> Path:
        return Path(self.directory)

    @property
    def server(self) -> str:
        """The URL without what only `open_storage` understands."""
        return self.url.partition("?")[0]

    @property
    def schema(self) -> str:
        """The schema of PostgreSQL."""
        return self.url.partition("?schema=")[2]

    @property
    def synchronous(self) -> str:
        """How SQLite commits."""
        return "NORMAL" if self.storage == "sqlite-normal" else "FULL"

    def scaled(self, number: int, *, least: int = 1) -> int:
        """Return so much of a number as this run asks for."""
        return max(least, round(number * self.scale))
