"""How long the pages of the dashboard and the calls of operators take over HTTP.

A part of `python -m bench.million`: on its database, in a server of its own that runs nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

from durable_execution import (
    ChildTask,
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    TaskContext,
    child_task,
    open_storage,
)
from durable_execution.dashboard import create_dashboard
from durable_execution.orpc import RPCHandler, rpc
from durable_execution.server import (
    create_executor_app,
    create_operators_router,
    create_tasks_router,
)
from tests.served import served

TIMES: Final = 5
CHILDREN: Final = 1_000
Request = tuple[str, Any]
"""A path, and what is sent to it; None for a page."""


class Site:
    """An executor server over a storage.

    Args:
        url: Of the storage.
        task_ids: Tasks of which there are executions.
        most: How many it runs at once.
    """

    def __init__(self, url: str, task_ids: Sequence[str], *, most: int) -> None:
        options = ExecutorOptions(max_concurrent_task_executions=most)
        self.executor = DurableExecutor(open_storage(url), options)
        tasks = {task_id: self._task(task_id) for task_id in task_ids}
        leaf = self._task("leaf")

        @self.executor.parent_task(id="family")
        async def family(_: TaskContext, number: int) -> ParentTaskOutput[int]:
            children: list[ChildTask] = [child_task(leaf, each) for each in range(number)]
            return ParentTaskOutput(number, children)

        self.family = family
        router = {
            **create_tasks_router(rpc, self.executor, tasks),
            **create_operators_router(rpc, self.executor, tasks),
        }
        mounts = {"/ui": create_dashboard(self.executor), "/rpc": RPCHandler(router)}
        self.app = create_executor_app(self.executor, mounts)

    def _task(self, task_id: str) -> Any:
        async def run(_: TaskContext, number: int) -> int:
            return number

        return self.executor.task(id=task_id)(run)


async def grow_tree(url: str) -> str:
    """Run a parent of a thousand children, and return its id."""
    site = Site(url, [], most=500)
    async with site.executor as executor:
        handle = await executor.enqueue_task(site.family, CHILDREN)
        await handle.result()
        return handle.execution_id


def requests(some_id: str, tree_id: str, child_id: str) -> Mapping[str, Request]:
    """Return one request of each kind."""
    lists = {
        "all": "",
        "running": "?status=running",
        "waiting": "?status=waiting_for_children&status=waiting_for_finalize",
        "running, among all": "?status=running&from=1970-01-01T00:00",
        "failed": "?status=failed&status=timed_out",
        "cancelled, of which there are none": "?status=cancelled",
        "a rare task": "?task=rare",
        "a tag": "?tag=tenant=t7",
        "the beginning of an id": f"?id={some_id}",
        "roots": "?roots=1",
    }
    statuses = {"running": ["running"], "failed": ["failed"]}
    return {
        "overview": ("/ui/", None),
        "failures": ("/ui/failures", None),
        **{f"list: {name}": (f"/ui/executions{query}", None) for name, query in lists.items()},
        "an execution": (f"/ui/executions/{some_id}", None),
        "a parent of 1,000": (f"/ui/executions/{tree_id}", None),
        "its last child": (f"/ui/executions/{child_id}", None),
        "getExecutorStats": ("/rpc/getExecutorStats", {}),
        "getTaskExecutionTree": ("/rpc/getTaskExecutionTree", {"executionId": tree_id}),
        **{
            f"listTaskExecutions: {name}": ("/rpc/listTaskExecutions", {"statuses": given})
            for name, given in statuses.items()
        },
    }


def measure_pages(
    url: str, task_ids: Sequence[str], wanted: Mapping[str, Request]
) -> Mapping[str, float]:
    """Return for each request the milliseconds of the slowest of several."""
    slowest = {}
    with served(Site(url, task_ids, most=0).app) as origin:
        connection = HTTPConnection(urlsplit(origin).netloc)
        for name, request in wanted.items():
            slowest[name] = max(_took(connection, *request) for _ in range(TIMES))
        connection.close()
    return slowest


def _took(connection: HTTPConnection, path: str, sent: Any) -> float:
    begun = time.perf_counter()
    if sent is None:
        connection.request("GET", path)
    else:
        headers = {"content-type": "application/json"}
        connection.request("POST", path, json.dumps({"json": sent}), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answers {answer.status}: {body[:500]!r}")
    return (time.perf_counter() - begun) * 1000
