"""What an in-memory storage holds, as bytes."""

from __future__ import annotations

from typing import Final

import msgspec

from durable_execution._core.past import Past
from durable_execution._core.progress import Progress
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StorageError

SAVE_VERSION: Final = 1
"""The version of the bytes that `save` returns."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept. What is added later has a default, so that older bytes are read."""

    version: int = SAVE_VERSION
    executors: dict[str, int]
    records: list[ExecutionRecord]
    progress: dict[str, Progress] = {}
    past: dict[str, Past] = {}

    def to_bytes(self) -> bytes:
        """Return what `read_saved` reads."""
        return msgspec.msgpack.encode(self)


class _Header(msgspec.Struct, frozen=True):
    version: int


def read_saved(saved: bytes) -> Saved:
    """Read what was saved by this version.

    Raises:
        StorageError: The bytes are of another version, or nothing of the kind.
    """
    try:
        header = msgspec.msgpack.decode(saved, type=_Header)
        if header.version != SAVE_VERSION:
            raise StorageError(
                f"the saved executions have version {header.version}, this release reads version "
                f"{SAVE_VERSION}: load them with the release that saved them, or a newer one"
            )
        return msgspec.msgpack.decode(saved, type=Saved)
    except (msgspec.DecodeError, ValueError) as error:
        raise StorageError(f"these bytes are not saved executions: {error}") from error
