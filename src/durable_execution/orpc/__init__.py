"""oRPC for Python: serve procedures to TypeScript and Python callers, and call theirs.

The client half and the server half never load each other: names are resolved when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durable_execution._codec import (
        UNDEFINED,
        BigInt,
        DecodeError,
        Dialect,
        EncodeError,
        JsDate,
        JsMap,
        JsSet,
        Limits,
        RegExp,
        Rule,
        Undefined,
        Url,
    )
    from durable_execution.orpc._client import (
        AsgiSender,
        ORPCClient,
        Retries,
        RPCClientError,
        RPCConnectionError,
        RPCLink,
        RPCResponseError,
        RPCTimeoutError,
        SafeResult,
        Sender,
        create_orpc_client,
        safe,
    )
    from durable_execution.orpc._client.aiohttp_sender import AiohttpSender
    from durable_execution.orpc._contract import Contract, Declared, declared
    from durable_execution.orpc._protocol import (
        Body,
        ByteStream,
        DefinedError,
        Event,
        EventStream,
        EventStreamOptions,
        File,
        FileLimits,
        OctetStream,
        ORPCError,
        Request,
        Response,
        Return,
        is_defined_error,
    )
    from durable_execution.orpc._server import (
        Builder,
        CallContext,
        CompressionPlugin,
        CORSPlugin,
        ErrorDeclaration,
        HandlerPlugin,
        Lazy,
        Middleware,
        Next,
        NextRequest,
        Procedure,
        ResponseHeaders,
        Router,
        RPCHandler,
        SimpleCsrfProtectionPlugin,
        call,
        lazy,
        rpc,
    )

__all__ = [
    "UNDEFINED",
    "AiohttpSender",
    "AsgiSender",
    "BigInt",
    "Body",
    "Builder",
    "ByteStream",
    "CORSPlugin",
    "CallContext",
    "CompressionPlugin",
    "Contract",
    "Declared",
    "DecodeError",
    "DefinedError",
    "Dialect",
    "EncodeError",
    "ErrorDeclaration",
    "Event",
    "EventStream",
    "EventStreamOptions",
    "File",
    "FileLimits",
    "HandlerPlugin",
    "JsDate",
    "JsMap",
    "JsSet",
    "Lazy",
    "Limits",
    "Middleware",
    "Next",
    "NextRequest",
    "ORPCClient",
    "ORPCError",
    "OctetStream",
    "Procedure",
    "RPCClientError",
    "RPCConnectionError",
    "RPCHandler",
    "RPCLink",
    "RPCResponseError",
    "RPCTimeoutError",
    "RegExp",
    "Request",
    "Response",
    "ResponseHeaders",
    "Retries",
    "Return",
    "Router",
    "Rule",
    "SafeResult",
    "Sender",
    "SimpleCsrfProtectionPlugin",
    "Undefined",
    "Url",
    "call",
    "create_orpc_client",
    "declared",
    "is_defined_error",
    "lazy",
    "rpc",
    "safe",
]

_ROOMS: Final = {
    "durable_execution.orpc._client.aiohttp_sender": ("AiohttpSender",),
    "durable_execution._codec": (
        "UNDEFINED",
        "BigInt",
        "DecodeError",
        "Dialect",
        "EncodeError",
        "JsDate",
        "JsMap",
        "JsSet",
        "Limits",
        "RegExp",
        "Rule",
        "Undefined",
        "Url",
    ),
    "durable_execution.orpc._contract": ("Contract", "Declared", "declared"),
    "durable_execution.orpc._protocol": (
        "Body",
        "ByteStream",
        "DefinedError",
        "Event",
        "EventStream",
        "EventStreamOptions",
        "File",
        "FileLimits",
        "ORPCError",
        "OctetStream",
        "Request",
        "Response",
        "Return",
        "is_defined_error",
    ),
    "durable_execution.orpc._server": (
        "CORSPlugin",
        "CompressionPlugin",
        "HandlerPlugin",
        "NextRequest",
        "ResponseHeaders",
        "SimpleCsrfProtectionPlugin",
        "Builder",
        "CallContext",
        "ErrorDeclaration",
        "Lazy",
        "Middleware",
        "Next",
        "Procedure",
        "RPCHandler",
        "Router",
        "call",
        "lazy",
        "rpc",
    ),
    "durable_execution.orpc._client": (
        "AsgiSender",
        "ORPCClient",
        "RPCClientError",
        "RPCConnectionError",
        "RPCLink",
        "RPCResponseError",
        "RPCTimeoutError",
        "Retries",
        "SafeResult",
        "Sender",
        "create_orpc_client",
        "safe",
    ),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(room), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
