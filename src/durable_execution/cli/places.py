"""Where commands ask: the options that name a database or a server, and the desk behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from durable_execution.cli.exits import MISUSED, CommandError

if TYPE_CHECKING:
    from durable_execution.cli.desks.desk import Desk

DATABASE_VARIABLE: Final = "DURABLE_EXECUTION_DATABASE"
SERVER_VARIABLE: Final = "DURABLE_EXECUTION_SERVER"
TOKEN_VARIABLE: Final = "DURABLE_EXECUTION_TOKEN"  # noqa: S105 - the name of a variable
_PLACE: Final = "Where to ask"

Database = Annotated[
    str | None,
    typer.Option(
        envvar=DATABASE_VARIABLE,
        # Its value would be shown, with the password in it.
        show_envvar=False,
        help=f"A database, as for open_storage; {DATABASE_VARIABLE} unless given.",
        rich_help_panel=_PLACE,
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        envvar=SERVER_VARIABLE,
        show_envvar=False,
        help=f"An executor server, where its tasks are mounted; {SERVER_VARIABLE} unless given.",
        rich_help_panel=_PLACE,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar=TOKEN_VARIABLE,
        show_envvar=False,
        help=f"What the server lets in, best in {TOKEN_VARIABLE}: others see arguments.",
        rich_help_panel=_PLACE,
    ),
]
Table = Annotated[
    str | None,
    typer.Option(
        help="What the table of executions is called, in a database.", rich_help_panel=_PLACE
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]
ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="The id of an execution.")]
TaskOfExecution = Annotated[
    str | None,
    typer.Option("--task", help="The task that it is of; a server may have to be told."),
]


@asynccontextmanager
async def desk(
    database: str | None, server: str | None, token: str | None, table: str | None
) -> AsyncIterator[Desk]:
    """Open the desk that the options name.

    Raises:
        CommandError: They name none, or two.
        InvalidOptionError: The URL of the database is none.
        StorageError: The database cannot be reached, or has not the tables of this release.
    """
    if database is not None and server is not None:
        raise CommandError("give --database or --server, not both", MISUSED)
    if server is not None:
        from durable_execution.cli.desks.server import server_desk

        async with server_desk(server, token) as remote:
            yield remote
        return
    if database is None:
        raise CommandError(
            f"where to ask? Give --database or --server, or set {DATABASE_VARIABLE} or "
            f"{SERVER_VARIABLE}",
            MISUSED,
        )
    from durable_execution.cli.desks.database import database_desk

    async with database_desk(database, table) as local:
        yield local
