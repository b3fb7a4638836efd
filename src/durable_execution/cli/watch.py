"""`durable-execution watch`: follow one execution to its finish, with its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from durable_execution.cli.exits import FAILED, run
from durable_execution.cli.places import (
    AsJson,
    Database,
    ExecutionId,
    Server,
    Table,
    TaskOfExecution,
    Token,
)

if TYPE_CHECKING:
    from durable_execution.cli.desks.desk import Desk


def watch(
    execution_id: ExecutionId,
    task: TaskOfExecution = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Follow an execution until it has finished: its statuses, and the progress that it tells.

    \b
    durable-execution watch te_06gwn3vp9b2k
    durable-execution watch te_06gwn3vp9b2k --json | jq .progress.fraction

    Exit codes: 0 it completed, 1 it ended otherwise, 2 wrong arguments, 3 out of reach,
    4 not found, 5 refused.
    """

    async def work() -> str:
        from durable_execution.cli.places import desk

        async with desk(database, server, token, table) as asked:
            follow = follow_as_json if as_json else follow_with_bar
            return await follow(asked, task, execution_id)

    if run(work()) != "completed":
        raise typer.Exit(FAILED)


async def follow_as_json(asked: Desk, task: str | None, execution_id: str) -> str:
    """Print each change in a line; return the last status."""
    from durable_execution.cli.desks.desk import Progress
    from durable_execution.cli.printing import print_json

    status = ""
    async for change in asked.watch(task, execution_id):
        if isinstance(change, Progress):
            told = {"fraction": change.fraction, "message": change.message}
            print_json({"type": "progress", "progress": told})
        else:
            status = str(change["status"])
            print_json({"type": "status", "execution": change})
    return status


async def follow_with_bar(asked: Desk, task: str | None, execution_id: str) -> str:
    """Show a bar that moves; return the last status."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from durable_execution.cli.desks.desk import Progress as Told
    from durable_execution.cli.printing import console, error_message, printable, short

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    last: Mapping[str, Any] = {}
    out = console()
    with Progress(*columns, console=out) as screen:
        bar = screen.add_task("…", total=1.0, message="")
        async for change in asked.watch(task, execution_id):
            if isinstance(change, Told):
                message = printable(change.message or "").replace("\n", " ")
                screen.update(bar, completed=change.fraction, message=message)
                continue
            last = change
            status = str(change["status"])
            screen.update(bar, description=f"{change['taskId']} {status}")
            if status == "completed":
                screen.update(bar, completed=1.0)
    out.print(f"{last.get('taskId')} {last.get('status')}", markup=False)
    if "output" in last:
        out.print(short(last["output"], 10_000), markup=False)
    message = error_message(last)
    if message:
        out.print(printable(message), style="red", markup=False)
    return str(last.get("status"))
