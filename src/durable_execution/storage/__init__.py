"""Where executions are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_execution.storage.memory import InMemoryStorage
from durable_execution.storage.opening import open_storage
from durable_execution.storage.protocol import Storage
from durable_execution.storage.table_names import TaskExecutionTables

if TYPE_CHECKING:
    from durable_execution.storage.sql import (
        SqlStorage,
        create_task_executions_table,
        trigger_statements,
    )

__all__ = [
    "InMemoryStorage",
    "SqlStorage",
    "Storage",
    "TaskExecutionTables",
    "create_task_executions_table",
    "open_storage",
    "trigger_statements",
]

_LATE = ("SqlStorage", "create_task_executions_table", "trigger_statements")


def __getattr__(name: str) -> object:
    # Late, so that a storage in memory does not load SQLAlchemy.
    if name in _LATE:
        from durable_execution.storage import sql

        return getattr(sql, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
