"""Where executions are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_execution.storage.memory import InMemoryStorage
from durable_execution.storage.opening import open_storage
from durable_execution.storage.protocol import Storage

if TYPE_CHECKING:
    from durable_execution.storage.sql import SqlStorage

__all__ = ["InMemoryStorage", "SqlStorage", "Storage", "open_storage"]


def __getattr__(name: str) -> object:
    # Late, so that a storage in memory does not load SQLAlchemy.
    if name == "SqlStorage":
        from durable_execution.storage.sql import SqlStorage

        return SqlStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
