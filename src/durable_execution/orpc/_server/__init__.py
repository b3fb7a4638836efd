"""The server wing: procedures, routers, and the ASGI application that answers calls to them."""

from __future__ import annotations

from durable_execution.orpc._server.asgi import RPCHandler
from durable_execution.orpc._server.batch import (
    BatchHandlerPlugin,
)
from durable_execution.orpc._server.builder import Builder, rpc
from durable_execution.orpc._server.call import call
from durable_execution.orpc._server.compression import CompressionPlugin
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.cors import CORSPlugin
from durable_execution.orpc._server.csrf import SimpleCsrfProtectionPlugin
from durable_execution.orpc._server.declared import (
    ErrorConstructor,
    ErrorConstructors,
    ErrorDeclaration,
    ErrorDeclarations,
)
from durable_execution.orpc._server.gate import GATE, Gate
from durable_execution.orpc._server.handler import ContextSource
from durable_execution.orpc._server.headers import RequestHeaders
from durable_execution.orpc._server.lazy import Lazy, LazyRouterError, lazy
from durable_execution.orpc._server.observing import observe_calls
from durable_execution.orpc._server.plugin import HandlerPlugin, NextRequest
from durable_execution.orpc._server.procedure import Middleware, Next, Procedure
from durable_execution.orpc._server.response_headers import ResponseHeaders
from durable_execution.orpc._server.router import Router

__all__ = [
    "GATE",
    "BatchHandlerPlugin",
    "Builder",
    "CORSPlugin",
    "CallContext",
    "CompressionPlugin",
    "ContextSource",
    "ErrorConstructor",
    "ErrorConstructors",
    "ErrorDeclaration",
    "ErrorDeclarations",
    "Gate",
    "HandlerPlugin",
    "Lazy",
    "LazyRouterError",
    "Middleware",
    "Next",
    "NextRequest",
    "Procedure",
    "RPCHandler",
    "RequestHeaders",
    "ResponseHeaders",
    "Router",
    "SimpleCsrfProtectionPlugin",
    "call",
    "lazy",
    "observe_calls",
    "rpc",
]
