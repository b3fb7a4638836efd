"""Rows of executions for tests of what is shown of them."""

from __future__ import annotations

from typing import Any

from durable_execution._codec import dumps
from durable_execution._core.record import ExecutionRecord

NOW = 1_700_000_000_000


def row(**fields: Any) -> ExecutionRecord:
    """A row that was created at NOW, changed as told."""
    defaults: dict[str, Any] = {
        "execution_id": "te_1",
        "task_id": "task",
        "timeout_ms": 1_000,
        "status": "ready",
        "start_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "input": dumps(None),
    }
    return ExecutionRecord(**{**defaults, **fields})
