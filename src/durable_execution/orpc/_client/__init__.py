"""Calling procedures: a link carries calls to a server, a client gives them attribute names."""

from __future__ import annotations

from durable_execution.orpc._client.asgi_sender import AsgiSender
from durable_execution.orpc._client.batch import (
    Batching,
)
from durable_execution.orpc._client.client import Link, ORPCClient
from durable_execution.orpc._client.creation import ProcedureCall, create_orpc_client
from durable_execution.orpc._client.error import (
    RPCClientError,
    RPCConnectionError,
    RPCErrorEvent,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._client.headers import HeaderMapping, HeaderSource
from durable_execution.orpc._client.link import RPCLink
from durable_execution.orpc._client.repeating import Renewal
from durable_execution.orpc._client.resuming import (
    resuming,
)
from durable_execution.orpc._client.retries import RepeatSource, Retries
from durable_execution.orpc._client.safe import SafeResult, safe
from durable_execution.orpc._client.sender import BlockingSender, Sender
from durable_execution.orpc._client.sync_client import SyncORPCClient, split_sync_client
from durable_execution.orpc._client.sync_link import SyncLink
from durable_execution.orpc._client.sync_values import SyncEventStream, SyncOctetStream

__all__ = [
    "AsgiSender",
    "Batching",
    "BlockingSender",
    "HeaderMapping",
    "HeaderSource",
    "Link",
    "ORPCClient",
    "ProcedureCall",
    "RPCClientError",
    "RPCConnectionError",
    "RPCErrorEvent",
    "RPCLink",
    "RPCResponseError",
    "RPCTimeoutError",
    "Renewal",
    "RepeatSource",
    "Retries",
    "SafeResult",
    "Sender",
    "SyncEventStream",
    "SyncLink",
    "SyncORPCClient",
    "SyncOctetStream",
    "create_orpc_client",
    "resuming",
    "safe",
    "split_sync_client",
]
