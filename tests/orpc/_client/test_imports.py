from __future__ import annotations

import subprocess
import sys

FORBIDDEN = [
    "durable_execution.executor",
    "durable_execution.orpc._server",
    "durable_execution.storage",
    "pydantic",
    "sqlalchemy",
    "starlette",
    "uvicorn",
]


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def test_client_half_loads_no_server_and_no_database() -> None:
    modules = modules_after(
        "from durable_execution.orpc import RPCLink, create_orpc_client, safe, ORPCError\n"
        "from durable_execution.orpc._client import aiohttp_sender"
    )
    assert not modules.intersection(FORBIDDEN)


def test_http_library_is_loaded_by_the_first_call_only() -> None:
    modules = modules_after(
        "from durable_execution.orpc import RPCLink, create_orpc_client\n"
        "create_orpc_client(RPCLink('http://localhost/rpc'))"
    )
    assert "durable_execution.orpc._client.link" in modules
    assert "aiohttp" not in modules
