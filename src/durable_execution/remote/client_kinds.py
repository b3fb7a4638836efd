"""Which of two kinds is made of a client: one whose methods are awaited, or one that blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import ORPCClient, SyncLink, SyncORPCClient, split_sync_client

AwaitedT = TypeVar("AwaitedT")
BlockingT = TypeVar("BlockingT")


def made_of(
    client: ORPCClient | SyncORPCClient,
    *,
    awaited: Callable[[ORPCClient], AwaitedT],
    blocking: Callable[[SyncLink, ORPCClient], BlockingT],
) -> AwaitedT | BlockingT:
    """Make what blocks where the calls of the client do, and what is awaited where they are.

    Raises:
        InvalidOptionError: `client` is no client.
    """
    if isinstance(client, ORPCClient):
        return awaited(client)
    if isinstance(client, SyncORPCClient):
        return blocking(*split_sync_client(client))
    raise InvalidOptionError(
        f"client must come from create_orpc_client, got {type(client).__name__}"
    )
