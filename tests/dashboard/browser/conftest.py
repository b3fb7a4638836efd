"""A real browser, in front of a real server."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    RetryOptions,
    TaskContext,
    child_task,
    open_storage,
)
from durable_execution.dashboard import create_dashboard
from durable_execution.server import (
    FULL_ACCESS,
    BearerToken,
    BearerTokens,
    create_executor_app,
)
from tests.chromium import chromium
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["chromium"]

T = TypeVar("T")

TOKEN = "the-token-of-an-operator"
TIMEOUT = 10_000.0


class Site:
    """An executor server with a dashboard, in a thread of its own."""

    def __init__(self, folder: Path, *, auth: Any = None) -> None:
        storage = open_storage(f"sqlite:///{folder}/site.db?synchronous=NORMAL")
        self.executor = DurableExecutor(storage, ExecutorOptions(lease=5, shutdown_timeout=0))
        self.may_go_on = asyncio.Event()
        self.is_fixed = False
        self._define()
        self.dashboard = create_dashboard(self.executor)
        app = create_executor_app(self.executor, {"/ui": self.dashboard}, auth=auth)
        self.app = _remembering_its_loop(self, app)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.origin = ""

    def url(self, path: str = "/") -> str:
        return f"{self.origin}/ui{path}"

    def do(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something on the server's event loop."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(timeout=30)

    def enqueue(self, task_id: str, value: object = None, **options: Any) -> str:
        """Enqueue a task, and give the id of its execution."""

        async def enqueue() -> str:
            task = self.executor.tasks[task_id]
            return (await self.executor.enqueue_task(task, value, **options)).execution_id

        return self.do(enqueue)

    def ended(self, task_id: str, value: object = None, **options: Any) -> str:
        """Run a task to its end, and give the id of its execution."""

        async def run() -> str:
            task = self.executor.tasks[task_id]
            handle = await self.executor.enqueue_task(task, value, **options)
            await handle.wait_and_get_finished_execution()
            return handle.execution_id

        return self.do(run)

    def status(self, task_id: str, execution_id: str) -> str:
        async def look() -> str:
            task = self.executor.tasks[task_id]
            handle = await self.executor.get_task_execution_handle(task, execution_id)
            return (await handle.get_execution()).status

        return self.do(look)

    def let_go_on(self) -> None:
        """Let the tasks end that wait for it."""

        async def go_on() -> None:
            self.may_go_on.set()

        self.do(go_on)

    def _define(self) -> None:
        executor = self.executor

        @executor.task(id="echo")
        async def echo(ctx: TaskContext, value: Any) -> Any:
            return value

        @executor.task(id="fail")
        async def fail(ctx: TaskContext, message: str) -> str:
            if self.is_fixed:
                return "good"
            raise RuntimeError(message)

        @executor.task(id="wait", retry=RetryOptions(max_retries=1))
        async def wait(ctx: TaskContext, value: Any) -> str:
            ctx.progress(0.25, "waiting to go on")
            await self.may_go_on.wait()
            return "went on"

        @executor.parent_task(id="tree")
        async def tree(ctx: TaskContext, count: int) -> ParentTaskOutput[int]:
            return ParentTaskOutput(count, [child_task(echo, each) for each in range(count)])

        executor.sleeping_task("sleep", timeout=3_600, output=float)


def _remembering_its_loop(site: Site, app: Any) -> Any:
    async def remembering(scope: Any, receive: Any, send: Any) -> None:
        site.loop = asyncio.get_running_loop()
        await app(scope, receive, send)

    return remembering


@contextmanager
def open_site(auth: Any = None) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), auth=auth)
        with served(site.app) as origin:
            site.origin = origin
            yield site


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        yield site


@pytest.fixture
def locked_site() -> Iterator[Site]:
    auth = BearerTokens({"operator": BearerToken(TOKEN, access=FULL_ACCESS)})
    with open_site(auth) as site:
        yield site


class Tab:
    """A page, and everything about it that must not happen."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.faults: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._dismiss)
        self.page.on("console", self._hear)
        self.page.on("request", lambda asked: self.hosts.add(asked.url.split("/")[2]))

    def _hear(self, said: Any) -> None:
        # A page that is answered 400 or 404 is shown all the same, and no fault.
        is_answer = "server responded with a status of 4" in said.text
        if said.type == "error" and not is_answer:
            self.faults.append(f"console: {said.text}")

    def _dismiss(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """Open a tab of a browser that has never been here."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def new_tab(**options: Any) -> Tab:
        contexts.append(chromium.new_context(**options))
        tabs.append(Tab(contexts[-1]))
        return tabs[-1]

    yield new_tab
    for context in contexts:
        context.close()
    assert [fault for tab in tabs for fault in tab.faults] == []
    assert all(host.startswith(("127.0.0.1:", "localhost:")) for tab in tabs for host in tab.hosts)


@pytest.fixture
def page(new_tab: Callable[..., Tab]) -> Page:
    return new_tab().page
