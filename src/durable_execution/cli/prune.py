"""`durable-execution prune`: delete what finished long ago."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.exits import MISUSED, run, stop
from durable_execution.cli.places import AsJson, Database, Server, Table, Token


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help="Finished that long ago, such as 30d.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Executions to delete at most.")] = 1_000_000,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete executions whose root finished long ago, with all that is below them.

    They go some at a time, so that nobody waits for long, and what was begun can be begun again.
    `ExecutorOptions.retention` has it done all the time.

    \b
    durable-execution prune --older-than 30d --yes

    Exit codes: 0 done, 1 you did not confirm, 2 wrong arguments, 3 out of reach,
    5 refused.
    """
    from durable_execution.cli.exits import CommandError
    from durable_execution.cli.inputs import seconds_of

    try:
        age = seconds_of("--older-than", older_than)
    except CommandError as error:
        stop(error.message, MISUSED)
    if not yes:
        typer.confirm(f"Delete what finished {older_than} ago or longer?", abort=True, err=True)

    async def work() -> int:
        from durable_execution.cli.places import desk

        async with desk(database, server, token, table) as asked:
            return await asked.prune(older_than=age, limit=limit)

    deleted = run(work())
    if as_json:
        from durable_execution.cli.printing import print_json

        print_json({"deleted": deleted})
    else:
        typer.echo(f"deleted {deleted} {'execution' if deleted == 1 else 'executions'}")
