"""`durable-execution wake`: end a sleeping execution from outside."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.exits import FAILED, MISUSED, CommandError, run
from durable_execution.cli.places import AsJson, Database, Server, Table, Token


def wake(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The id of the sleeping task.")],
    unique_id: Annotated[
        str, typer.Argument(metavar="UNIQUE_ID", help="What it was enqueued with.")
    ],
    output: Annotated[
        str | None,
        typer.Argument(metavar="[OUTPUT]", help="Its output, as JSON; null unless given."),
    ] = None,
    error: Annotated[str | None, typer.Option(help="Fail it with this message instead.")] = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Wake a sleeping execution up: it ends with the output, or fails with the error.

    In a database the output is stored as it is given; a server checks that it fits the task.

    \b
    durable-execution wake waitForPayment order-42 19.99
    durable-execution wake waitForPayment order-42 --error "the card was refused"

    Exit codes: 0 it ended so, 1 it had ended otherwise, 2 wrong arguments, 3 out of reach,
    4 not found, 5 refused.
    """

    async def work() -> bool:
        from durable_execution.cli.inputs import value_of
        from durable_execution.cli.places import desk
        from durable_execution.cli.printing import print_json, printable

        if output is not None and error is not None:
            raise CommandError("give an output or --error, not both", MISUSED)
        value = None if output is None else value_of("OUTPUT", output)
        async with desk(database, server, token, table) as asked:
            facts = await asked.wake(task, unique_id, output=value, error=error)
        if as_json:
            print_json(facts)
        else:
            typer.echo(printable(f"{facts['executionId']} {facts['status']}"))
        return facts["status"] == ("completed" if error is None else "failed")

    if not run(work()):
        raise typer.Exit(FAILED)
