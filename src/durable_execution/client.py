"""The door for web apps that hand tasks to an executor server. Loads no engine and no database."""

from __future__ import annotations

from durable_execution._core.making import declare_task
from durable_execution._core.retry import RetryOptions
from durable_execution.errors import (
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutionTimedOutError,
    InvalidInputError,
    InvalidOptionError,
)
from durable_execution.orpc import (
    ORPCClient,
    ORPCError,
    RPCClientError,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
)
from durable_execution.remote.sync_task_handle import SyncTaskClientHandle
from durable_execution.remote.task_handle import TaskClientHandle
from durable_execution.remote.task_handles import (
    SyncTaskClientHandles,
    TaskClientHandles,
    create_task_client_handles,
)

__all__ = [
    "DurableExecutionCancelledError",
    "DurableExecutionError",
    "DurableExecutionNotFoundError",
    "DurableExecutionTimedOutError",
    "InvalidInputError",
    "InvalidOptionError",
    "ORPCClient",
    "ORPCError",
    "RPCClientError",
    "RPCConnectionError",
    "RPCLink",
    "RPCResponseError",
    "RPCTimeoutError",
    "RetryOptions",
    "SyncLink",
    "SyncORPCClient",
    "SyncTaskClientHandle",
    "SyncTaskClientHandles",
    "TaskClientHandle",
    "TaskClientHandles",
    "create_orpc_client",
    "create_task_client_handles",
    "declare_task",
]
