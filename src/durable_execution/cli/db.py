"""`durable-execution db`: the tables in a database, looked at and brought up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, TypeVar

import typer

from durable_execution.cli.exits import MISUSED, UNREACHABLE, stop

if TYPE_CHECKING:
    from durable_execution.storage import SqlStorage
    from durable_execution.storage.sql.schema_state import SchemaState

OUTDATED: Final = 1

EXECUTIONS: Final = "durable_task_executions"

ResultT = TypeVar("ResultT")
Url = Annotated[
    str,
    typer.Argument(
        envvar=["DATABASE_URL", "DURABLE_EXECUTION_DATABASE"],
        # Its value would be shown, with the password in it.
        show_envvar=False,
        metavar="URL",
        help=(
            "The database, as for open_storage; DATABASE_URL, or else DURABLE_EXECUTION_DATABASE, "
            "unless given."
        ),
    ),
]
Table = Annotated[str, typer.Option(help="What the table of executions is called.")]

database = typer.Typer(
    name="db",
    help="Look at the tables in a database, and bring them up to date.",
    no_args_is_help=True,
)


@database.command()
def upgrade(url: Url, table: Table = EXECUTIONS) -> None:
    """Create the tables, or bring them to the version of this release.

    Safe to run twice, at once, and while executors work: a lock is held, and it is all or nothing.

    Exit codes: 0 up to date, 1 the database is newer, 2 wrong arguments, 3 failed.
    """
    before = _run(_opened(url, table, migrate=True).schema_state())
    if before.found is not None and before.found > before.newest:
        _report_newer(before)
    if before.found is None and before.has_tables:
        stop("the tables have no version: they are the application's to migrate", MISUSED)
    _run(_migrate(_opened(url, table, migrate=True)))
    if before.is_current:
        typer.echo(f"schema version {before.newest}: was up to date")
    elif before.found is None:
        typer.echo(f"schema version {before.newest}: created")
    else:
        typer.echo(f"schema version {before.newest}: upgraded from {before.found}")


@database.command()
def current(url: Url, table: Table = EXECUTIONS) -> None:
    """Print the version of the tables in a database; change nothing.

    Exit codes: 0 printed, 2 wrong arguments, 3 the database cannot be read.
    """
    state = _run(_opened(url, table, migrate=False).schema_state())
    if state.found is not None:
        typer.echo(f"schema version {state.found}, this release needs {state.newest}")
    elif state.has_tables:
        typer.echo("tables without a version: migrated by the application")
    else:
        typer.echo("no tables")


@database.command()
def check(url: Url, table: Table = EXECUTIONS) -> None:
    """Fail unless the tables in a database are those of this release; change nothing.

    Exit codes: 0 up to date, 1 missing, behind or newer, 2 wrong arguments, 3 the database cannot
    be read.
    """
    state = _run(_opened(url, table, migrate=False).schema_state())
    if state.is_current:
        typer.echo(f"schema version {state.found}: up to date")
        return
    if state.found is not None and state.found > state.newest:
        _report_newer(state)
    if state.found is not None:
        stop(
            f"the database has schema version {state.found}, this release needs {state.newest}: "
            "run durable-execution db upgrade",
            OUTDATED,
        )
    if not state.has_tables:
        stop(f"the database has no table {table}: run durable-execution db upgrade", OUTDATED)
    from durable_execution.errors import StorageError

    try:
        asyncio.run(_migrate(_opened(url, table, migrate=False)))
    except StorageError as error:
        stop(f"the tables are not those of this release: {error}", OUTDATED)
    typer.echo("tables without a version: all columns are there")


def _opened(url: str, table: str, *, migrate: bool) -> SqlStorage:
    from durable_execution.errors import InvalidOptionError
    from durable_execution.storage import SqlStorage, open_storage
    from durable_execution.storage.table_names import TaskExecutionTables

    try:
        tables = TaskExecutionTables(name=table)
        storage = open_storage(url, tables=tables, migrate=migrate)
    except InvalidOptionError as error:
        stop(str(error), MISUSED)
    if not isinstance(storage, SqlStorage):
        stop("storages in memory have no tables; name a database", MISUSED)
    return storage


async def _migrate(storage: SqlStorage) -> None:
    await storage.open()
    await storage.close()


def _run(work: Coroutine[None, None, ResultT]) -> ResultT:
    from durable_execution.errors import StorageError

    try:
        return asyncio.run(work)
    except StorageError as error:
        stop(str(error), UNREACHABLE)


def _report_newer(state: SchemaState) -> NoReturn:
    stop(
        f"the database has schema version {state.found}, this release knows only {state.newest}: "
        "use the release that wrote it, or a newer one",
        OUTDATED,
    )
