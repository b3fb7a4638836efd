"""Executions in an SQL database."""

from __future__ import annotations

from durable_execution.storage.sql.own_tables import (
    create_task_executions_table,
    trigger_statements,
)
from durable_execution.storage.sql.storage import SqlStorage

__all__ = ["SqlStorage", "create_task_executions_table", "trigger_statements"]
