"""The door for executor servers: a router for web apps to call, and tasks that call web apps."""

from __future__ import annotations

from durable_execution.access import (
    FULL_ACCESS,
    Access,
    Authenticator,
    BearerToken,
    BearerTokens,
    Bounds,
    Caller,
    Guard,
    secrets_from_env,
    secrets_from_file,
)
from durable_execution.dashboard import create_dashboard
from durable_execution.orpc import (
    CallContext,
    Next,
    ORPCError,
    Request,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    observe_calls,
    rpc,
)
from durable_execution.remote.allowed_options import AllowedOptions
from durable_execution.remote.callbacks.task import create_callback_task
from durable_execution.remote.operators_router import create_operators_router
from durable_execution.remote.procedure_task import convert_procedure_client_to_task
from durable_execution.remote.procedures.callbacks import create_callbacks_router
from durable_execution.remote.rest import RESTHandler
from durable_execution.remote.tasks_router import create_tasks_router
from durable_execution.serving import create_executor_app

__all__ = [
    "FULL_ACCESS",
    "Access",
    "AllowedOptions",
    "Authenticator",
    "BearerToken",
    "BearerTokens",
    "Bounds",
    "CallContext",
    "Caller",
    "Guard",
    "Next",
    "ORPCError",
    "RESTHandler",
    "RPCHandler",
    "RPCLink",
    "Request",
    "convert_procedure_client_to_task",
    "create_callback_task",
    "create_callbacks_router",
    "create_dashboard",
    "create_executor_app",
    "create_operators_router",
    "create_orpc_client",
    "create_tasks_router",
    "observe_calls",
    "rpc",
    "secrets_from_env",
    "secrets_from_file",
]
