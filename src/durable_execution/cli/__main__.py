"""`python -m durable_execution.cli`, for where the script is not on the path."""

from __future__ import annotations

from durable_execution.cli.entry import main

main()
