"""Executions in an SQL database."""

from __future__ import annotations

from durable_execution.storage.sql.storage import SqlStorage

__all__ = ["SqlStorage"]
