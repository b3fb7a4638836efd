"""The least engines that are still durable, one for each storage: what ours has to come near.

They have no retries, leases, fences, trees or types: what a task costs here is the database, one
asyncio task, and JSON. `MODES` names how a task goes through one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol

Mode = Literal["eager", "queue", "client", "worker"]
"""`eager` inserts a task as running and runs it at once: two writes. `queue` inserts it as ready
and claims it back: three. `client` only inserts and reads results, `worker` only claims: the two
halves of `queue`, in processes of their own."""
Function = Callable[[Any], Coroutine[Any, Any, Any]]


class Engine(Protocol):
    """What a workload asks of an engine, ours or a floor."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def call(self, input: Any) -> Any:
        """Enqueue and wait for the result."""
        ...

    async def enqueue(self, input: Any) -> object:
        """Enqueue; durable when this returns."""
        ...
