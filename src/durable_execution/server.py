"""The door for executor servers: a router for web apps to call, and tasks that call web apps."""

from __future__ import annotations

from durable_execution.orpc import (
    CallContext,
    Next,
    ORPCError,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)
from durable_execution.remote.allowed_options import AllowedOptions
from durable_execution.remote.procedure_task import convert_procedure_client_to_task
from durable_execution.remote.tasks_router import create_tasks_router
from durable_execution.serving import create_executor_app

__all__ = [
    "AllowedOptions",
    "CallContext",
    "Next",
    "ORPCError",
    "RPCHandler",
    "RPCLink",
    "convert_procedure_client_to_task",
    "create_executor_app",
    "create_orpc_client",
    "create_tasks_router",
    "rpc",
]
