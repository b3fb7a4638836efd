"""Both halves in one process: procedures called through a client, with nothing in between."""

from __future__ import annotations

from durable_execution.orpc._in_process.router_link import (
    CallContextSource,
    RouterLink,
    create_router_client,
)

__all__ = ["CallContextSource", "RouterLink", "create_router_client"]
