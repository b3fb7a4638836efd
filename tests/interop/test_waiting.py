"""What the tasks router has beside the reference's procedures, called by the real packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from durable_execution.server import (
    AllowedOptions,
    RPCHandler,
    create_executor_app,
    create_tasks_router,
    rpc,
)
from tests.interop.conftest import RunNode, ServeApp
from tests.remote.lab import Lab

pytestmark = pytest.mark.interop

CLIENTS = {"1.16.1": "@orpc/client", "1.8.7": "orpc-client-1-8-7"}

RESULTS: Mapping[str, Any] = {
    "wait": ["completed", 2],
    "waitDeadline": False,
    "watch": {
        "progress": [[0.5, "step 1"], [1, "step 2"]],
        "lastStatuses": ["running", "completed"],
        "returned": ["completed", 2],
    },
    "watchResumes": {
        "fractions": [0.25, 1],
        "last": "completed",
        "returned": 4,
        "again": [0, 4],
    },
    "watchOverBrokenConnections": {"broken": 2, "last": 1, "returned": 4},
    "cancel": ["cancelled", "cancelled"],
    "list": {"tags": ["run"], "payloads": False},
    "enqueueOnce": [True, False],
    "keyConflict": ["CONFLICT", 409, True],
    "oneBadAmongMany": [400, ["tasks", 1, "options", "timeoutMs"]],
    "watchUnknown": ["NOT_FOUND", 404],
}


@pytest.fixture(scope="module")
def server_url(serve_app: ServeApp) -> str:
    lab = Lab(shutdown_timeout=0.1)  # one of its tasks is held for ever
    allowed = AllowedOptions(tags={"run"})
    router = create_tasks_router(rpc, lab.executor, lab.tasks, allow_options=allowed)
    return f"{serve_app(create_executor_app(lab.executor, {'/rpc': RPCHandler(router)}))}/rpc"


@pytest.fixture(scope="module", params=CLIENTS.values(), ids=CLIENTS.keys())
def outcomes(
    request: pytest.FixtureRequest, run_node: RunNode, server_url: str
) -> Mapping[str, Any]:
    finished = run_node("waiting_client.mjs", [request.param, server_url])
    assert finished.returncode == 0, finished.stderr
    outcomes: Mapping[str, Any] = json.loads(finished.stdout)
    return outcomes


@pytest.mark.parametrize("scenario", RESULTS)
def test_real_client_gets_the_result(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == {"result": RESULTS[scenario]}


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == RESULTS.keys()
