"""The page about callbacks, its blocks as files, and its executor server as a process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from durable_execution.client import (
    RPCLink,
    create_orpc_client,
    create_task_client_handles,
    declare_task,
)
from tests.examples.pages import Page

PAGE = Page("callbacks.md")
FILES = PAGE.files
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment_of(app_port: int, server_port: int) -> dict[str, str]:
    """What both sides are told of each other."""
    return {
        "APP_URL": f"http://127.0.0.1:{app_port}",
        "EXECUTOR_URL": f"http://127.0.0.1:{server_port}/rpc",
        "CALLBACK_SECRET": SECRET,
    }


@contextmanager
def process(
    command: Sequence[str], folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends."""
    with ExitStack() as stack:
        running = stack.enter_context(
            subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdout=stack.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
            )
        )
        stack.callback(running.kill)
        yield running


@contextmanager
def executor_server(folder: Path, port: int, environment: dict[str, str]) -> Iterator[None]:
    """The server of the page, listening on that port."""
    (folder / "video_server.py").write_text(FILES["video_server.py"], encoding="utf-8")
    command = [sys.executable, "-m", "durable_execution.cli", "serve", "video_server:app"]
    log = folder / "video_server.log"
    with process([*command, "--port", str(port)], folder, environment, log) as running:
        asyncio.run(until_it_listens(port, running, log))
        yield


async def rendered(executor_url: str, film: str) -> tuple[object, list[tuple[float, str | None]]]:
    """Enqueue a film; return what became of it, and the progress that was told."""
    declaration = declare_task("renderVideo")
    async with RPCLink(executor_url) as link:
        handle: Any = create_task_client_handles(
            create_orpc_client(link), {"renderVideo": declaration}
        )[declaration]
        execution_id = await handle.enqueue({"film": film})
        told = [
            (change.progress.fraction, change.progress.message)
            async for change in handle.watch(execution_id)
            if change.type == "progress"
        ]
        return await handle.result(execution_id, timeout=30), told


async def until_it_listens(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(60):
        while True:
            assert running.poll() is None, log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)  # nobody tells when another program listens
            else:
                writer.close()
                return
