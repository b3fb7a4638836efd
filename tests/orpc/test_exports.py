"""The door of the oRPC wing: its names, and what importing them loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from durable_execution import orpc

NAMES = [
    "GATE",
    "UNDEFINED",
    "AiohttpSender",
    "AsgiSender",
    "Async",
    "BatchHandlerPlugin",
    "Batching",
    "BigInt",
    "BlockingSender",
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
    "Gate",
    "HandlerPlugin",
    "HttpSender",
    "JsDate",
    "JsMap",
    "JsSet",
    "Lazy",
    "Limits",
    "Middleware",
    "Mode",
    "Next",
    "NextRequest",
    "ORPCClient",
    "ORPCError",
    "OctetStream",
    "Procedure",
    "RPCClientError",
    "RPCConnectionError",
    "RPCErrorEvent",
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
    "RouterLink",
    "Rule",
    "SafeResult",
    "Sender",
    "SimpleCsrfProtectionPlugin",
    "Sync",
    "SyncEventStream",
    "SyncLink",
    "SyncORPCClient",
    "SyncOctetStream",
    "Undefined",
    "Url",
    "call",
    "create_orpc_client",
    "create_router_client",
    "declared",
    "is_defined_error",
    "lazy",
    "new_error_id",
    "observe_calls",
    "resuming",
    "rpc",
    "safe",
    "split_sync_client",
]


def test_door_has_exactly_these_names() -> None:
    assert sorted(orpc.__all__) == sorted(NAMES)
    assert dir(orpc) == sorted(orpc.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_name_of_the_door_exists(name: str) -> None:
    assert getattr(orpc, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RPCSever'"):
        _ = orpc.RPCSever


def loaded_by(statement: str) -> set[str]:
    """Names of the modules a fresh interpreter has after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(finished.stdout.split())


def test_client_half_loads_no_server_and_no_database() -> None:
    loaded = loaded_by("from durable_execution.orpc import RPCLink, create_orpc_client, safe")

    assert "durable_execution.orpc._client" in loaded
    unwanted = {"durable_execution.orpc._server", "starlette", "sqlalchemy", "uvicorn", "pydantic"}
    assert not loaded & unwanted


def test_server_half_loads_no_client_and_no_http_library() -> None:
    loaded = loaded_by("from durable_execution.orpc import RPCHandler, rpc, ORPCError")

    assert "durable_execution.orpc._server" in loaded
    unwanted = {"durable_execution.orpc._client", "aiohttp", "starlette", "sqlalchemy", "pydantic"}
    assert not loaded & unwanted


def test_contract_loads_neither_half() -> None:
    loaded = loaded_by(
        "from durable_execution.orpc import Contract, Declared, DefinedError, declared"
    )

    assert "durable_execution.orpc._contract" in loaded
    halves = {"durable_execution.orpc._client", "durable_execution.orpc._server"}
    assert not loaded & {*halves, "aiohttp", "starlette", "sqlalchemy", "pydantic"}


def test_client_of_a_contract_loads_no_server() -> None:
    program = """
from durable_execution.orpc import Contract, Declared, DefinedError, RPCLink
from durable_execution.orpc import create_orpc_client, declared

class Sold(DefinedError[int]): ...
class Shop(Contract):
    order: Declared[int, list[str]] = declared(errors=[Sold])

shop = create_orpc_client(RPCLink("http://shop"), contract=Shop)
assert Shop.order.output == list[str] and callable(shop.order)
"""
    loaded = loaded_by(program)

    assert "durable_execution.orpc._client" in loaded
    assert not loaded & {"durable_execution.orpc._server", "aiohttp", "sqlalchemy", "pydantic"}
