"""A server and a client of large files, each a process that tells how much memory it took.

usage: python -m tests.processes.file_transfer serve
       python -m tests.processes.file_transfer call <origin> <path> <dialect>
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from durable_execution.orpc import (
    CallContext,
    Dialect,
    File,
    FileLimits,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)

LIMITS = FileLimits(max_bytes=1 << 30)
_kept: dict[str, File] = {}


def peak_memory() -> int:
    """Bytes of memory this process ever had resident at once."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(kilobytes) * 1024


async def upload(ctx: CallContext, value: dict[str, File]) -> int:
    _kept["file"] = value["file"].keep()
    return _kept["file"].size


def application(dialect: Dialect) -> RPCHandler:
    router = {
        "upload": rpc.handler(upload),
        "download": rpc.handler(lambda ctx: _kept["file"]),
        "peak": rpc.handler(lambda ctx: peak_memory()),
    }
    return RPCHandler(router, prefix=f"/{dialect}", files=LIMITS, dialect=dialect)


async def serve(scope: Any, receive: Any, send: Any) -> None:
    is_v2 = scope.get("path", "").startswith("/v2")
    await (_APPLICATIONS["v2"] if is_v2 else _APPLICATIONS["v1"])(scope, receive, send)


_APPLICATIONS = {"v1": application("v1"), "v2": application("v2")}


async def call(origin: str, path: str, dialect: Dialect) -> None:
    link = RPCLink(f"{origin}/{dialect}", dialect=dialect, files=LIMITS, timeout=100)
    async with link:
        client = create_orpc_client(link)
        # Everything is loaded and connected before the first look.
        small: Any = await client.upload({"file": File(b"x")})
        assert small == 1
        before = peak_memory(), await client.peak()
        uploaded = await client.upload({"file": File(Path(path))})
        received: Any = await client.download()
        after = peak_memory(), await client.peak()
        with received:
            sizes = [uploaded, received.size]
    grown = [now - then for now, then in zip(after, before, strict=True)]
    print(json.dumps({"sizes": sizes, "client": grown[0], "server": grown[1]}))  # noqa: T201


def main() -> None:
    if sys.argv[1] == "serve":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(listener.getsockname()[1], flush=True)  # noqa: T201
            server = uvicorn.Server(uvicorn.Config(serve, log_level="warning"))
            server.run(sockets=[listener])
    else:
        origin, path, dialect = sys.argv[2:]
        asyncio.run(call(origin, path, "v2" if dialect == "v2" else "v1"))


if __name__ == "__main__":
    main()
