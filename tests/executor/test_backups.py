"""A backup that was taken while executors ran is restored, and the copy goes on by itself.

By the tools that the page about your database names.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    ParentTaskResult,
    TaskContext,
    child_task,
    open_storage,
)
from tests.servers.postgres import bundled_binaries, system_binaries

CAPACITY = 3
PATIENCE = 60.0
Expected = dict[str, tuple[str, object]]
"""Kind and output of each execution."""
Copy = Callable[[str, Path], str]


def by_pg_dump(url: str, folder: Path) -> str:
    binaries = bundled_binaries() or system_binaries()
    assert binaries is not None
    server, _, options = url.partition("?")
    [schema] = parse_qs(options)["schema"]
    copy = server.replace(urlsplit(url).path, f"/copy_of_{schema}")
    dump = str(folder / "dump")
    run(binaries / "pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", server)
    run(binaries / "createdb", f"--maintenance-db={server}", f"copy_of_{schema}")
    run(binaries / "pg_restore", "--exit-on-error", f"--dbname={copy}", dump)
    return f"{copy}?{options}"


def by_mariadb_dump(url: str, folder: Path) -> str:
    server = urlsplit(url)
    name = server.path.lstrip("/")
    to_server = ["--no-defaults", "--host=127.0.0.1", f"--port={server.port}", "--user=root"]
    dump = run("mariadb-dump", *to_server, "--single-transaction", name)
    run("mariadb", *to_server, said=f"CREATE DATABASE copy_of_{name}")
    run("mariadb", *to_server, f"copy_of_{name}", said=dump)
    return url.replace(name, f"copy_of_{name}")


def by_backup(url: str, folder: Path) -> str:
    """What the `.backup` of SQLite's shell does."""
    copy = folder / "copy.db"
    with closing(sqlite3.connect(file_of(url))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return f"sqlite:///{copy}"


def by_vacuum_into(url: str, folder: Path) -> str:
    copy = folder / "copy.db"
    with closing(sqlite3.connect(file_of(url))) as source:
        source.execute("VACUUM INTO ?", [str(copy)])
    return f"sqlite:///{copy}"


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///").partition("?")[0]


def run(program: str | Path, *arguments: str, said: str | None = None) -> str:
    found = shutil.which(program)
    assert found is not None
    command = [found, *arguments]
    return subprocess.run(command, input=said, check=True, text=True, stdout=subprocess.PIPE).stdout


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The database that is copied."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL"
    url: str = request.getfixturevalue(request.param).new_url()
    return url


class Works:
    """An executor whose tasks are held until its gate is opened."""

    def __init__(self, url: str) -> None:
        # The copy waits for the end of this lease: nobody beats there.
        options = ExecutorOptions(
            lease=2, max_concurrent_task_executions=CAPACITY, shutdown_timeout=5
        )
        self.executor = DurableExecutor(open_storage(url), options)
        self.gate = asyncio.Event()
        self.begun: Counter[str] = Counter()
        """Attempts of each execution here."""

        @self.executor.task
        async def quick(ctx: TaskContext, number: int) -> int:
            self.begun[ctx.execution_id] += 1
            return number

        @self.executor.task
        async def held(ctx: TaskContext, number: int) -> int:
            self.begun[ctx.execution_id] += 1
            await self.gate.wait()
            return number

        def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
            return result.output + sum(result.outputs_of(held))

        @self.executor.parent_task(finalize=total)
        def both(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
            return ParentTaskOutput(number, [child_task(held, number)])

        self.quick, self.held, self.both = quick, held, both
        self.bell = self.executor.sleeping_task("bell", output=str)

    async def enqueue(self) -> tuple[set[str], Expected]:
        """Enqueue some of each kind; return what has finished, and what is open and its output."""
        finished = set()
        for number in range(3):
            handle = await self.executor.enqueue_task(self.quick, number, key=f"quick-{number}")
            assert await handle.result(timeout=PATIENCE) == number
            finished.add(handle.execution_id)
        parent = await self.executor.enqueue_task(self.both, 10)
        async with asyncio.timeout(PATIENCE):
            while (await parent.get_execution()).status != "waiting_for_children":
                await asyncio.sleep(0.01)
        expected: Expected = {parent.execution_id: ("both", 20)}
        for number in range(2 * CAPACITY):  # some run, some have to wait
            handle = await self.executor.enqueue_task(self.held, number)
            expected[handle.execution_id] = "held", number
        bell = await self.executor.enqueue_task(self.bell, "front door")
        expected[bell.execution_id] = "bell", "opened"
        async with asyncio.timeout(PATIENCE):
            while len(self.begun) < len(finished) + CAPACITY:
                await asyncio.sleep(0.01)
        return finished, expected

    async def end(self, expected: Expected) -> None:
        """Let everything end, and check how."""
        self.gate.set()
        await self.executor.wakeup_sleeping_task_execution(self.bell, "front door", output="opened")
        for execution_id, (kind, output) in expected.items():
            task = getattr(self, kind)
            handle = await self.executor.get_task_execution_handle(task, execution_id)
            assert await handle.result(timeout=PATIENCE) == output


@pytest.mark.parametrize(
    ("url", "copied"),
    [
        pytest.param("postgres", by_pg_dump, id="pg_dump"),
        pytest.param("mariadb", by_mariadb_dump, id="mariadb-dump"),
        pytest.param("sqlite", by_backup, id="backup"),
        pytest.param("sqlite", by_vacuum_into, id="vacuum-into"),
    ],
    indirect=["url"],
)
async def test_copy_of_a_running_system_runs_what_was_open_again(
    url: str, copied: Copy, tmp_path: Path
) -> None:
    original = Works(url)
    async with original.executor:
        finished, expected = await original.enqueue()
        copy = Works(await asyncio.to_thread(copied, url, tmp_path))
        async with copy.executor:
            await copy.end(expected)
            again = await copy.executor.enqueue_task(copy.quick, 0, key="quick-0")
            assert again.execution_id in finished, "the copy does not know the key"
        await original.end(expected)
    assert not finished & set(copy.begun), "what had finished ran again"
    open_here = {each for each in original.begun if each not in finished}
    assert open_here <= set(copy.begun)
