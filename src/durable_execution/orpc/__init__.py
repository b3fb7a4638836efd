"""oRPC for Python: serve procedures to TypeScript and Python callers, and call theirs.

The client half and the server half never load each other: names are resolved when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durable_execution.orpc._client import RPCLink, create_orpc_client, safe
    from durable_execution.orpc._protocol import ORPCError, is_defined_error
    from durable_execution.orpc._server import CallContext, RPCHandler, rpc

__all__ = [
    "CallContext",
    "ORPCError",
    "RPCHandler",
    "RPCLink",
    "create_orpc_client",
    "is_defined_error",
    "rpc",
    "safe",
]

_ROOMS: Final = {
    "CallContext": "_server",
    "ORPCError": "_protocol",
    "RPCHandler": "_server",
    "RPCLink": "_client",
    "create_orpc_client": "_client",
    "is_defined_error": "_protocol",
    "rpc": "_server",
    "safe": "_client",
}


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
