"""Ways that an application has to its database, and its tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker

from durable_execution import TaskContext, Tasks
from durable_execution.storage import TaskExecutionTables

tasks = Tasks()


@tasks.task
async def ship(ctx: TaskContext, order: int) -> int:
    return order * 100


bell = tasks.sleeping_task("bell", timeout=60, output=str)

DRIVERS = {
    "sqlite": {"sync": "pysqlite", "async": "aiosqlite"},
    "postgresql": {"sync": "psycopg", "async": "asyncpg"},
    "mysql": {"sync": "pymysql", "async": "asyncmy"},
    "mariadb": {"sync": "pymysql", "async": "asyncmy"},
}

KINDS = pytest.mark.parametrize("kind", ["connection", "session", "scoped session"])


def dialed(url: str, kind: Literal["sync", "async"] = "sync") -> str:
    """The same database for SQLAlchemy's own drivers, which know no `schema` option."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    name = DRIVERS[backend][kind]
    if backend == "sqlite":
        return url.replace("sqlite:", f"sqlite+{name}:")
    plain = parsed.set(drivername=f"{backend}+{name}", query={})
    return plain.render_as_string(hide_password=False)


def tables_of(url: str) -> TaskExecutionTables:
    schema = make_url(url).query.get("schema")
    return TaskExecutionTables(schema=str(schema) if schema else None)


@contextmanager
def lent(kind: str, engine: Engine) -> Iterator[Any]:
    if kind == "connection":
        with engine.connect() as connection:
            yield connection
        return
    factory = sessionmaker(engine)
    session = factory() if kind == "session" else scoped_session(factory)
    yield session
    session.close()


@asynccontextmanager
async def lent_async(kind: str, url: str) -> AsyncIterator[Any]:
    pytest.importorskip("greenlet", reason="greenlet is not installed")
    if url.startswith("sqlite"):
        pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, create_async_engine
    from sqlalchemy.ext.asyncio import async_sessionmaker as sessions

    engine = create_async_engine(dialed(url, "async"))
    if kind == "connection":
        async with engine.connect() as connection:
            yield connection
    elif kind == "session":
        async with AsyncSession(engine) as session:
            yield session
    else:
        scoped = async_scoped_session(sessions(engine), scopefunc=lambda: 1)
        yield scoped
        await scoped.close()
    await engine.dispose()
