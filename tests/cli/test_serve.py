from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from durable_execution.client import (
    ORPCError,
    RPCLink,
    SyncLink,
    create_orpc_client,
    create_task_client_handles,
    declare_task,
)
from tests.cli.served import APPLICATION, Served, refused, served

pytestmark = pytest.mark.processes

STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette

@asynccontextmanager
async def lifespan(app):
    {before}
    yield
    {after}

app = Starlette(lifespan=lifespan)
"""
BROKEN = "raise RuntimeError('no such database')"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "served_app.py").write_text(APPLICATION)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Served]:
    with served(folder) as running:
        yield running


def call(server: Served, procedure: str, value: object) -> object:
    request = Request(
        f"{server.url}/rpc/{procedure}",
        data=json.dumps({"json": value}).encode(),
        headers={"content-type": "application/json"},
    )
    with urlopen(request) as response:
        answer: object = json.load(response)["json"]
    return answer


def enqueue(server: Served, seconds: float) -> None:
    call(server, "enqueue", seconds)


def test_banner_names_the_target_and_counts_the_tasks(server: Served) -> None:
    assert "served_app:app on http://127.0.0.1:" in server.banner
    assert server.banner.endswith(", 1 task\n")


def test_health_is_ok_while_the_executor_runs(server: Served) -> None:
    with urlopen(f"{server.url}/healthz") as response:
        assert json.load(response) == {"status": "ok", "hearing": "told"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_lets_running_tasks_end(server: Served, sent: signal.Signals) -> None:
    enqueue(server, 1.0)
    server.wait_for_file("began")
    assert server.end(sent) == 0
    assert (server.folder / "ended").exists()


def test_second_signal_ends_the_process_while_tasks_run(server: Served) -> None:
    enqueue(server, 60)
    server.wait_for_file("began")
    assert server.end(signal.SIGTERM, signal.SIGTERM) == -signal.SIGTERM
    assert not (server.folder / "ended").exists()


def test_call_that_hangs_does_not_hold_up_the_end(server: Served) -> None:
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(call, server, "hang", None)
        server.wait_for_file("hangs")
        assert server.end(signal.SIGTERM) == 0
        assert isinstance(answer.exception(timeout=10), OSError)


TASKS_ROUTER = """
from durable_execution.server import create_tasks_router

router = create_tasks_router(rpc, executor, {"work": work})
app = create_executor_app(executor, {"/rpc": RPCHandler(router)})
"""


def test_first_signal_sends_those_who_wait_elsewhere_while_their_task_still_ends(
    folder: Path,
) -> None:
    (folder / "served_app.py").write_text(APPLICATION + TASKS_ROUTER)
    work = declare_task("work", input=float, output=str)
    with (
        served(folder) as server,
        SyncLink(RPCLink(f"{server.url}/rpc", timeout=20)) as link,
        ThreadPoolExecutor(2) as callers,
    ):
        client = create_orpc_client(link)
        execution_id = create_task_client_handles(client, {"work": work}).work.enqueue(2.0)
        named = {"taskId": "work", "executionId": execution_id}
        server.wait_for_file("began")
        waiting = callers.submit(client.waitTaskExecution, named)
        changes = client.watchTaskExecution(named)
        assert next(changes)["execution"]["status"] in {"ready", "running"}
        watching = callers.submit(lambda: list(changes))
        time.sleep(0.5)  # until the server has both: it says nothing while they wait

        assert server.end(signal.SIGTERM) == 0

        for call_under_way in (waiting, watching):
            error = call_under_way.exception(timeout=10)
            assert isinstance(error, ORPCError)
            assert error.code == "SERVICE_UNAVAILABLE"
        assert (folder / "ended").exists()


def test_work_of_a_server_that_was_cut_off_is_done_by_the_next(folder: Path) -> None:
    with served(folder) as first:
        enqueue(first, 2)
        first.wait_for_file("began")
        first.process.kill()
    assert not (folder / "ended").exists()
    with served(folder) as second:
        second.wait_for_file("ended")


def test_taken_port_is_said_and_starts_nothing(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = refused(folder, "served_app:app", "--port", port)
    assert answer.returncode == 1
    assert f"http://127.0.0.1:{port}: the port is taken" in answer.stderr
    assert not (folder / "tasks.db").exists()


def test_unknown_host_is_said(folder: Path) -> None:
    answer = refused(folder, "served_app:app", "--host", "256.0.0.1", "--port", "0")
    assert answer.returncode == 1
    assert "cannot find the host '256.0.0.1'" in answer.stderr


LOCKED = """
from durable_execution.access import FULL_ACCESS, BearerToken, BearerTokens, Guard
auth = BearerTokens({"web-app": BearerToken("a-token-of-the-web-app", access=FULL_ACCESS)})
"""


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_application_without_auth_is_not_served_to_other_machines(folder: Path, host: str) -> None:
    answer = refused(folder, "served_app:app", "--host", host, "--port", "0")
    assert answer.returncode == 2
    assert answer.stderr == (
        f"error: served_app:app has no auth=, and on {host} other machines can reach it: whoever "
        "does could run its tasks. Do one of these:\n"
        "  create_executor_app(..., auth=BearerTokens({...})), or Guard(app, auth=...)\n"
        "  --host 127.0.0.1, to be reached from this machine only\n"
        "  --insecure, if something in front of it keeps strangers out\n"
    )
    assert not (folder / "tasks.db").exists()


def test_application_of_a_stranger_is_not_served_to_other_machines(tmp_path: Path) -> None:
    (tmp_path / "served_app.py").write_text("async def app(scope, receive, send): ...")
    answer = refused(tmp_path, "served_app:app", "--host", "0.0.0.0", "--port", "0")
    assert answer.returncode == 2
    assert "served_app:app has no auth=" in answer.stderr


@pytest.mark.parametrize(
    ("application", "options"),
    [
        (APPLICATION, ["--insecure"]),
        (LOCKED + APPLICATION.replace("hang})})", "hang})}, auth=auth)"), []),
        (
            LOCKED + STARLETTE.format(before="pass", after="pass") + "app = Guard(app, auth=auth)",
            [],
        ),
        (STARLETTE.format(before="pass", after="pass") + "app.state.auth = 'mutual TLS'", []),
    ],
    ids=["insecure", "auth", "guard", "state"],
)
def test_application_that_is_locked_is_served_to_other_machines(
    tmp_path: Path, application: str, options: list[str]
) -> None:
    (tmp_path / "served_app.py").write_text(application)
    with served(tmp_path, "--host", "0.0.0.0", *options) as server:
        assert "served_app:app on http://0.0.0.0:" in server.banner


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_this_machine_needs_no_auth(folder: Path, host: str) -> None:
    with served(folder, "--host", host) as server:
        assert "served_app:app on http://" in server.banner


def test_application_that_does_not_start_exits_3_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "served_app.py").write_text(STARLETTE.format(before=BROKEN, after="pass"))
    answer = refused(tmp_path, "served_app:app", "--port", "0")
    assert answer.returncode == 3
    assert "RuntimeError: no such database" in answer.stderr


def test_storage_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    broken = "from durable_execution import StorageError; raise StorageError('SQLite is away')"
    (tmp_path / "served_app.py").write_text(STARLETTE.format(before=broken, after="pass"))
    answer = refused(tmp_path, "served_app:app", "--port", "0")
    assert answer.returncode == 3
    assert "the executor cannot start: SQLite is away" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_application_that_does_not_end_well_exits_1(tmp_path: Path) -> None:
    (tmp_path / "served_app.py").write_text(STARLETTE.format(before="pass", after=BROKEN))
    with served(tmp_path) as server:
        assert server.end(signal.SIGTERM) == 1


def test_target_that_names_nothing_exits_2_in_one_line(folder: Path) -> None:
    answer = refused(folder, "served_app:apk")
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: served_app:apk: 'served_app' has no attribute 'apk'; did you mean 'app'?\n"
    )


def test_module_that_raises_shows_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "served_app.py").write_text("import not_installed_anywhere")
    answer = refused(tmp_path, "served_app:app")
    assert answer.returncode == 1
    assert 'served_app.py", line 1' in answer.stderr
    assert "No module named 'not_installed_anywhere'" in answer.stderr


def test_requests_are_logged_only_when_debugging(folder: Path) -> None:
    for level, is_logged in (("info", False), ("debug", True)):
        with served(folder, "--log-level", level) as server:
            with urlopen(f"{server.url}/healthz") as response:
                response.read()
            assert server.end(signal.SIGTERM) == 0
        assert ("GET /healthz" in (folder / "log").read_text()) is is_logged
