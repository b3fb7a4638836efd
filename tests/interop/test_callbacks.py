"""Callback tasks and apps in TypeScript: the helper in Node.js, the page's handler in Next.js."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from durable_execution import DurableExecutionError, DurableExecutor, InMemoryStorage, Task
from durable_execution.client import callback_answer
from durable_execution.orpc import Request
from durable_execution.orpc._client.aiohttp_sender import AiohttpSender
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.signatures import signed_headers
from durable_execution.server import RPCHandler, create_callback_task, create_callbacks_router, rpc
from tests.examples.callbacks_page import (
    FILES,
    SECRET,
    environment_of,
    executor_server,
    free_port,
    process,
    rendered,
    until_it_listens,
)
from tests.interop.conftest import EXAMPLE, ROOM, installed_packages

pytestmark = pytest.mark.interop

NEXT = ROOM / "next"
NEXT_TSCONFIG = {
    # As create-next-app makes it.
    "compilerOptions": {
        "target": "ES2017",
        "lib": ["dom", "dom.iterable", "esnext"],
        "strict": True,
        "skipLibCheck": True,
        "noEmit": True,
        "esModuleInterop": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "resolveJsonModule": True,
        "isolatedModules": True,
        "jsx": "preserve",
        "incremental": True,
        "allowJs": True,
        "plugins": [{"name": "next"}],
    },
    "include": ["next-env.d.ts", "**/*.ts", "**/*.tsx", ".next/types/**/*.ts"],
    "exclude": ["node_modules"],
}
ROUTE = "app/api/tasks/render-video/route.ts"
AT = datetime(2027, 1, 10, 12, 0, 0, 5_000, tzinfo=UTC)
RICH = {"due": AT, "big": 2**70, "names": {"a", "b"}, "sizes": {1: "s"}, "gone": None}


@pytest.fixture(scope="session")
def helper(tsc: Callable[[Path], None]) -> Path:
    """The helper of the example, compiled where it finds its packages."""
    tsc(EXAMPLE)
    return EXAMPLE / "dist" / "callbacks.js"


@dataclass
class Stage:
    executor: DurableExecutor
    task: Task[Any, Any]
    app: subprocess.Popen[str]
    app_url: str

    async def outcome(self, act: str, value: object = None) -> Any:
        handle = await self.executor.enqueue_task(self.task, {"act": act, "value": value})
        return await handle.result(timeout=30)


@pytest.fixture
async def stage(node: str, helper: Path) -> AsyncIterator[Stage]:
    """An executor whose callbacks are served over a socket, and the app that calls back."""
    executor = DurableExecutor(InMemoryStorage())
    handlers: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await handlers["rpc"](scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    async with executor, serving(server) as origin:
        url = f"{origin}/rpc"
        with subprocess.Popen(
            [node, str(ROOM / "callbacks_app.mjs"), helper.as_uri(), url, SECRET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                line = await asyncio.to_thread(running.stdout.readline)  # type: ignore[union-attr]
                app_url = f"http://127.0.0.1:{json.loads(line)['port']}/take"
                task = create_callback_task(executor, {"id": "t"}, app_url, secret=SECRET)
                router = create_callbacks_router(rpc, executor, {"t": task})
                handlers["rpc"] = RPCHandler(router, prefix="/rpc")
                yield Stage(executor, task, running, app_url)
            finally:
                running.kill()


@asynccontextmanager
async def serving(server: Any) -> AsyncIterator[str]:
    job = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)  # uvicorn offers nothing to wait for
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await job


@pytest.mark.parametrize("act", ["complete", "answer"])
async def test_values_keep_their_types_through_the_helper(act: str, stage: Stage) -> None:
    output = await stage.outcome(act, RICH)

    assert (output["due"], output["big"], output["gone"]) == (AT, 2**70, None)
    assert set(output["names"]) == {"a", "b"}
    assert list(output["sizes"]) == [(1, "s")] or dict(output["sizes"]) == {1: "s"}


async def test_heartbeats_are_answered_with_a_date(stage: Stage) -> None:
    assert await stage.outcome("beat", 7) == {"isDate": True, "value": 7}


async def test_errors_are_objects_with_a_message(stage: Stage) -> None:
    with pytest.raises(DurableExecutionError, match="no disk"):
        await stage.outcome("fail")


async def test_the_same_again_is_answered_and_something_else_refused(stage: Stage) -> None:
    assert await stage.outcome("twice") == 1
    line = await asyncio.to_thread(stage.app.stderr.readline)  # type: ignore[union-attr]
    said = json.loads(line)
    assert said["first"] == said["again"]
    assert said["first"]["status"] == "completed"
    assert said["other"] == ["CONFLICT", 409]


async def test_the_helper_refuses_what_is_forged_or_old(stage: Stage) -> None:
    body = callback_answer({"input": {"act": "answer", "value": 1}})
    good = CallbackSecrets(SECRET)
    other = CallbackSecrets("whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVybw==")
    now = time.time()
    requests = {
        "good": (signed_headers(good, "id", body, now=now), 200),
        "old": (signed_headers(good, "id", body, now=now - 400), 401),
        "forged": (signed_headers(other, "id", body, now=now), 401),
        "changed": (signed_headers(good, "id", body + b" ", now=now), 401),
        "bare": ({}, 401),
        "odd": ({**signed_headers(good, "id", body, now=now), "webhook-timestamp": "now"}, 401),
    }
    sender = AiohttpSender()
    try:
        for name, (headers, status) in requests.items():
            origin = stage.app_url.removesuffix("/take")
            given = tuple(headers.items())
            request = Request("POST", "/take", headers=given, body=body, origin=origin)
            answer = await sender.send(request, max_response_size=1000)
            assert answer.status == status, name
    finally:
        await sender.aclose()


@pytest.fixture(scope="module")
def next_app(node: str) -> Iterator[Path]:
    """The page's route handler and the helper in an app of Next.js, built."""
    packages = installed_packages(NEXT)
    folder = NEXT / "app-of-the-page"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ROUTE).parent.mkdir(parents=True)
    (folder / ROUTE).write_text(FILES[ROUTE], encoding="utf-8")
    shutil.copy(EXAMPLE / "callbacks.ts", folder)
    layout = "export default ({ children }: { children: React.ReactNode }) => children\n"
    (folder / "app" / "layout.tsx").write_text(layout, encoding="utf-8")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    (folder / "tsconfig.json").write_text(json.dumps(NEXT_TSCONFIG), encoding="utf-8")
    build = subprocess.run(
        [str(packages / ".bin" / "next"), "build"],
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(300)
def test_app_in_next_renders_a_film(next_app: Path, tmp_path: Path) -> None:
    app_port, server_port = free_port(), free_port()
    environment = environment_of(app_port, server_port)
    command = [str(NEXT / "node_modules" / ".bin" / "next"), "start", "-p", str(app_port)]
    log = tmp_path / "next.log"
    with (
        process(command, next_app, quiet() | environment, log) as app,
        executor_server(tmp_path, server_port, environment),
    ):
        asyncio.run(until_it_listens(app_port, app, log))
        output, told = asyncio.run(rendered(environment["EXECUTOR_URL"], "metropolis"))

    assert output == {"url": "https://videos.example/metropolis.mp4"}
    assert told == [(0.5, None)]


def quiet() -> dict[str, str]:
    return {**os.environ, "NEXT_TELEMETRY_DISABLED": "1"}
