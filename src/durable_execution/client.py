"""The door for web apps that hand tasks to an executor server. Loads no engine and no database."""

from __future__ import annotations

from durable_execution._core.changes import (
    ProgressChange,
    StatusChange,
    TaskExecutionChange,
    TaskProgress,
)
from durable_execution._core.found import ExecutionStats, FoundTaskExecution
from durable_execution._core.making import declare_task
from durable_execution._core.retry import RetryOptions
from durable_execution._core.views import PastAttempt
from durable_execution.errors import (
    AttemptOverError,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutionTimedOutError,
    IdempotencyConflictError,
    InvalidCallbackError,
    InvalidInputError,
    InvalidOptionError,
    InvalidTokenError,
)
from durable_execution.orpc import (
    ORPCClient,
    ORPCError,
    Retries,
    RPCClientError,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
)
from durable_execution.remote.callbacks.client import (
    CallbackClient,
    SyncCallbackClient,
    create_callback_client,
)
from durable_execution.remote.callbacks.request import (
    CallbackRequest,
    callback_answer,
    verify_callback,
)
from durable_execution.remote.operated import TaskExecutionTree
from durable_execution.remote.operator_client import (
    OperatorClient,
    SyncOperatorClient,
    create_operator_client,
)
from durable_execution.remote.sync_task_handle import SyncTaskClientHandle
from durable_execution.remote.task_handle import TaskClientHandle
from durable_execution.remote.task_handles import (
    SyncTaskClientHandles,
    TaskClientHandles,
    create_task_client_handles,
)

__all__ = [
    "AttemptOverError",
    "CallbackClient",
    "CallbackRequest",
    "DurableExecutionCancelledError",
    "DurableExecutionError",
    "DurableExecutionNotFoundError",
    "DurableExecutionTimedOutError",
    "ExecutionStats",
    "FoundTaskExecution",
    "IdempotencyConflictError",
    "InvalidCallbackError",
    "InvalidInputError",
    "InvalidOptionError",
    "InvalidTokenError",
    "ORPCClient",
    "ORPCError",
    "OperatorClient",
    "PastAttempt",
    "ProgressChange",
    "RPCClientError",
    "RPCConnectionError",
    "RPCLink",
    "RPCResponseError",
    "RPCTimeoutError",
    "Retries",
    "RetryOptions",
    "StatusChange",
    "SyncCallbackClient",
    "SyncLink",
    "SyncORPCClient",
    "SyncOperatorClient",
    "SyncTaskClientHandle",
    "SyncTaskClientHandles",
    "TaskClientHandle",
    "TaskClientHandles",
    "TaskExecutionChange",
    "TaskExecutionTree",
    "TaskProgress",
    "callback_answer",
    "create_callback_client",
    "create_operator_client",
    "create_orpc_client",
    "create_task_client_handles",
    "declare_task",
    "verify_callback",
]
