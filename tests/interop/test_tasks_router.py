"""The tasks router and the real oRPC packages: their clients call it, tasks call their server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvicorn

from durable_execution import DurableExecutor, FinishedTaskExecution, InMemoryStorage, RetryOptions
from durable_execution.codegen import generate_typescript
from durable_execution.orpc import UNDEFINED
from durable_execution.server import (
    CallContext,
    Next,
    ORPCError,
    RPCHandler,
    RPCLink,
    convert_procedure_client_to_task,
    create_executor_app,
    create_orpc_client,
    create_tasks_router,
    rpc,
)
from tests.remote.lab import Lab

pytestmark = pytest.mark.interop

ROOM = Path(__file__).parent
EXAMPLE = ROOM.parent.parent / "examples" / "typescript"
CLIENTS = {"1.16.1": "@orpc/client", "1.8.7": "orpc-client-1-8-7"}
START_TIMEOUT = 10.0
NPM_TIMEOUT = 100.0


class RunNode(Protocol):
    def __call__(self, script: str, args: Sequence[str]) -> subprocess.CompletedProcess[str]: ...


def run(command: Sequence[str], **env: str) -> str:
    """Run a command of the TypeScript example and return what it prints."""
    finished = subprocess.run(
        command,
        cwd=EXAMPLE,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=NPM_TIMEOUT,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="session")
def example(tsc: Callable[[Path], None]) -> Path:
    """The TypeScript example, type-checked and compiled; returns the folder of the result."""
    tsc(EXAMPLE)
    return EXAMPLE / "dist"


async def only_ada(ctx: CallContext, input: object, proceed: Next) -> object:
    if ctx.headers.get("authorization") != "Bearer ada":
        raise ORPCError("UNAUTHORIZED", "Send a token")
    return await proceed()


@contextmanager
def served(make_app: Callable[[], Any]) -> Iterator[str]:
    """Our application under uvicorn on a free loopback port, in a thread of this process."""
    config = uvicorn.Config(
        make_app, factory=True, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not server.started:
                assert thread.is_alive(), "uvicorn ended before it had started"
                assert time.monotonic() < deadline, f"no start within {START_TIMEOUT} s"
                time.sleep(0.01)  # uvicorn offers nothing to wait for
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/rpc"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    def make_app() -> Any:
        lab = Lab(shutdown_timeout=0.1)  # one of its tasks is held for ever
        router = create_tasks_router(rpc.use(only_ada), lab.executor, lab.tasks)
        return create_executor_app(lab.executor, {"/rpc": RPCHandler(router)})

    with served(make_app) as url:
        yield url


@pytest.fixture(scope="module", params=CLIENTS.values(), ids=CLIENTS.keys())
def outcomes(
    request: pytest.FixtureRequest, run_node: RunNode, server_url: str, example: Path
) -> Mapping[str, Any]:
    handles = (example / "tasks.gen.js").as_uri()
    finished = run_node("tasks_client.mjs", [request.param, server_url, handles])
    assert finished.returncode == 0, finished.stderr
    outcomes: Mapping[str, Any] = json.loads(finished.stdout)
    return outcomes


RESULTS = {
    "seedExample": {
        "keys": [
            "activeChildrenCount",
            "areChildrenSequential",
            "children",
            "createdAt",
            "executionId",
            "expiresAt",
            "finishedAt",
            "input",
            "output",
            "retryAttempts",
            "retryOptions",
            "sleepMsBeforeRun",
            "startAt",
            "startedAt",
            "status",
            "taskId",
            "timeoutMs",
            "updatedAt",
        ],
        "status": "completed",
        "output": "to ada",
    },
    "richValues": "same",
    "undefinedInput": ["completed", True, False],
    "options": {
        "retryAttempts": 2,
        "status": "failed",
        "error": {
            "errorType": "generic",
            "message": "LookupError: nothing there",
            "isRetryable": True,
            "isInternal": False,
        },
    },
    "parent": {
        "output": 2,
        "children": ["echo", "echo"],
        "activeChildrenCount": 0,
        "finalize": "family_finalize",
    },
    "finalizeFailed": ["finalize_failed", "Finalize task failed: LookupError: not these children"],
    "wakeup": ["running", "completed", 7],
    "wakeupFails": ["failed", "refused"],
    "running": ["running", "string", False],
}
ERRORS = {
    "invalidInput": (400, "Invalid input of task send_email_v2: input.to: expected str, got int"),
    "invalidOption": (
        400,
        "options.timeoutMs must be a number from 1 to 3153600000000, got 0",
    ),
    "missingTaskId": (400, "Input validation failed"),
    "unknownTask": (404, "Task nobody not found"),
    "unknownExecution": (404, "Task execution not found [executionId=te_nobody]"),
    "unknownSleeper": (404, "Sleeping task execution not found [sleepingTaskUniqueId=nobody]"),
    "notSleeping": (400, "Task echo is not a sleeping task"),
    "unauthorized": (401, "Send a token"),
}
CODES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}


@pytest.mark.parametrize("scenario", RESULTS)
def test_real_client_gets_the_result(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == {"result": RESULTS[scenario]}


@pytest.mark.parametrize("scenario", ERRORS)
def test_real_client_gets_the_error(scenario: str, outcomes: Mapping[str, Any]) -> None:
    error = outcomes[scenario]["error"]

    assert (error["status"], error["message"]) == ERRORS[scenario]
    assert error["code"] == CODES[error["status"]]


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == RESULTS.keys() | ERRORS.keys()


def test_example_has_the_types_of_its_server() -> None:
    from examples.executor_server import tasks

    assert (EXAMPLE / "tasks.gen.ts").read_text(encoding="utf-8") == generate_typescript(tasks)


def test_typescript_example_runs_against_the_python_example(
    node: str, example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tasks.db")
    monkeypatch.delitem(sys.modules, "examples.executor_server", raising=False)

    def make_app() -> Any:
        from examples.executor_server import app

        return app

    with served(make_app) as url:
        lines = run([node, str(example / "app.js")], EXECUTOR_URL=url).splitlines()

    assert lines[0].startswith("Email sent: msg_te_")
    assert lines[1].startswith("Paid: 99.5 after ")


@dataclass
class Order:
    orderId: str  # noqa: N815 - the app's name
    amount: float
    due: datetime


@dataclass
class Receipt:
    transactionId: str  # noqa: N815 - the app's name
    due: datetime


ORDER = Order("o1", 9.5, datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC))
RETRY = RetryOptions(max_retries=3, base_delay=0.01)


@contextmanager
def web_app(node: str, port: int = 0) -> Iterator[str]:
    """The real @orpc/server with the app's procedures; it ends with the block."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [node, str(ROOM / "app_server.mjs"), str(port)],
                cwd=ROOM,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "app_server.mjs did not start"
        yield f"http://127.0.0.1:{json.loads(line)['port']}/rpc"


@pytest.fixture(scope="module")
def app_url(node: str, node_modules: Path) -> Iterator[str]:
    with web_app(node) as url:
        yield url


@asynccontextmanager
async def started() -> AsyncIterator[DurableExecutor]:
    async with DurableExecutor(InMemoryStorage()) as executor:
        yield executor


async def outcome_of(url: str, name: str, input: object = UNDEFINED) -> FinishedTaskExecution[Any]:
    async with RPCLink(url) as link, started() as executor:
        procedure = create_orpc_client(link)[name]
        task = convert_procedure_client_to_task(executor, {"id": name, "retry": RETRY}, procedure)
        handle = await executor.enqueue_task(task, input)
        return await handle.wait_and_get_finished_execution(timeout=30)


async def test_task_calls_a_typed_procedure_of_a_real_server(app_url: str) -> None:
    async with RPCLink(app_url) as link, started() as executor:
        task = convert_procedure_client_to_task(
            executor,
            {"id": "processOrder", "timeout": 60, "retry": RETRY},
            create_orpc_client(link).processOrder,
            input=Order,
            output=Receipt,
        )
        handle = await executor.enqueue_task(task, ORDER)

        assert await handle.result(timeout=30) == Receipt("txn o1", ORDER.due)


async def test_busy_app_is_asked_again_and_can_tell_repeated_work(app_url: str) -> None:
    execution = await outcome_of(app_url, "busyTwice")

    assert execution.status == "completed"
    assert execution.output == {
        "executionId": execution.execution_id,
        "seen": ["0", "1", "2"],
    }


@pytest.mark.parametrize(
    ("name", "error_type", "message"),
    [
        ("missing", "not_found", "Order o1 is gone"),
        ("noSuchProcedure", "not_found", "Not Found"),
        ("refused", "generic", "Not today"),
        ("processOrder", "generic", "Input validation failed"),
    ],
)
async def test_refusal_of_a_real_server_ends_the_execution(
    app_url: str, name: str, error_type: str, message: str
) -> None:
    execution = await outcome_of(app_url, name)

    assert execution.status == "failed"
    assert (execution.error.error_type, execution.error.message) == (error_type, message)
    assert (execution.attempt, execution.error.is_retryable) == (0, False)


async def test_bug_of_the_app_is_retried_and_stays_masked(app_url: str) -> None:
    execution = await outcome_of(app_url, "bug")

    assert execution.status == "failed"
    assert execution.attempt == RETRY.max_retries
    assert execution.error.message == "Internal server error"
    assert execution.error.is_internal


async def test_app_that_is_down_is_waited_for(node: str, node_modules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with RPCLink(f"http://127.0.0.1:{port}/rpc") as link, started() as executor:
        task = convert_procedure_client_to_task(
            executor,
            {"id": "processOrder", "retry": RetryOptions(max_retries=1000, base_delay=0.05)},
            create_orpc_client(link).processOrder,
            output=Receipt,
        )
        handle = await executor.enqueue_task(task, {"orderId": "o1", "amount": 1, "due": ORDER.due})
        while (refused := await handle.get_execution()).attempt == 0:
            await asyncio.sleep(0.005)  # until the first attempt has met the closed port
        assert refused.status in ("ready", "running")

        with web_app(node, port):
            execution = await handle.wait_and_get_finished_execution(timeout=30)

    assert execution.status == "completed"
    assert execution.output == Receipt("txn o1", ORDER.due)
