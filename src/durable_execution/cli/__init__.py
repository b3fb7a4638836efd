"""The command line: `durable-execution`, or `python -m durable_execution.cli`."""

from __future__ import annotations

from durable_execution.cli.entry import main

__all__ = ["main"]
