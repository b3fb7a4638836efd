"""The guide to PostgreSQL: the rights that it calls enough are, and its commands tell."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest
from typer.testing import CliRunner

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    StorageError,
    TaskContext,
    open_storage,
)
from durable_execution.cli.application import application
from tests.examples.pages import Page
from tests.servers.fixtures import Postgres

PAGE = Page("postgres.md")
UPGRADE, CHECK = (line for line in PAGE.commands() if line.startswith("durable-execution"))
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
ACCOUNT = "app_of_the_guide"


def as_account(url: str) -> str:
    """The same database, entered by the account of the application."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{ACCOUNT}@{parts.hostname}:{parts.port}"))


async def as_owner(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url.partition("?")[0])
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def exit_code(command: str, url: str) -> int:
    arguments = [*command.split()[1:-1], url]
    return (await asyncio.to_thread(CliRunner().invoke, application, arguments)).exit_code


async def test_rights_of_the_page_are_enough(postgres: Postgres) -> None:
    assert RIGHTS in PAGE.text
    owner = postgres.new_url()
    app = as_account(owner)
    [schema] = parse_qs(urlsplit(owner).query)["schema"]
    await as_owner(owner, f"CREATE ROLE {ACCOUNT} LOGIN")
    try:
        with pytest.raises(StorageError):
            await DurableExecutor(open_storage(app)).start()
        assert await exit_code(UPGRADE, owner) == 0
        await as_owner(
            owner,
            f"GRANT USAGE ON SCHEMA {schema} TO {ACCOUNT}",
            f"GRANT {RIGHTS} ON ALL TABLES IN SCHEMA {schema} TO {ACCOUNT}",
        )
        assert await exit_code(CHECK, app) == 0
        await use(DurableExecutor(open_storage(app, migrate=False), ExecutorOptions(lease=2)))
    finally:
        await as_owner(owner, f"DROP OWNED BY {ACCOUNT}", f"DROP ROLE {ACCOUNT}")


async def use(executor: DurableExecutor) -> None:
    """Do everything that an executor does with its tables."""

    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        ctx.progress(0.5)
        return 2 * number

    async with executor:
        handle = await executor.enqueue_task(double, 4, key="four", tags={"tenant": "acme"})
        assert await handle.result(timeout=30) == 8
        await executor.get_stats()
        await asyncio.sleep(0.01)  # what finished in this very millisecond is not older
        assert await executor.delete_finished_task_executions(older_than=0) == 1
        async with asyncio.timeout(30):
            while executor.hearing != "told":
                await asyncio.sleep(0.02)  # nobody tells that the listener is connected


async def test_check_tells_what_is_missing(postgres: Postgres) -> None:
    url = postgres.new_url()
    assert await exit_code(CHECK, url) == 1
    assert await exit_code(UPGRADE, url) == 0
    assert await exit_code(CHECK, url) == 0
