"""`durable-execution stats`: what waits and since when, what failed lately, and who works."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from durable_execution.cli.exits import FAILED, run
from durable_execution.cli.places import AsJson, Database, Server, Table, Token

if TYPE_CHECKING:
    from rich.console import Console

    from durable_execution._core.found import ExecutionStats


def stats(
    lately: Annotated[str, typer.Option(help="How far back to count what happened.")] = "1h",
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if there is work that no living executor knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell how the work goes, at a cost that does not grow with what is stored.

    Up to 10,000 executions of each kind are counted; "10000+" says that there are more.

    \b
    durable-execution stats
    durable-execution stats --lately 24h --json | jq .oldestStartAt
    durable-execution stats --check || page-somebody

    Exit codes: 0 told, 1 with --check: nobody runs some of the work, 2 wrong arguments,
    3 out of reach, 5 refused.
    """

    async def work() -> ExecutionStats:
        from durable_execution.cli.inputs import seconds_of
        from durable_execution.cli.places import desk

        async with desk(database, server, token, table) as asked:
            return await asked.stats(lately=seconds_of("--lately", lately))

    found = run(work())
    if as_json:
        from durable_execution.cli.printing import print_json

        print_json(_plain(found))
    else:
        from durable_execution.cli.printing import console

        _print(found, console(), lately)
    if check and found.unknown_task_ids:
        raise typer.Exit(FAILED)


def _plain(found: ExecutionStats) -> dict[str, object]:
    extra = {
        "oldest_start_at": found.oldest_start_at,
        "unknown_task_ids": sorted(found.unknown_task_ids),
    }
    plain = _camel({**asdict(found), **extra})
    assert isinstance(plain, dict)  # noqa: S101 - made of one
    return plain


def _camel(value: object, *, is_by_task: bool = False) -> object:
    """Return a value with the names of the wire; the ids of tasks stay as they are."""
    if isinstance(value, dict):
        return {
            name if is_by_task else _camel_name(str(name)): _camel(each, is_by_task=name == "tasks")
            for name, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_camel(each) for each in value]
    return sorted(value) if isinstance(value, frozenset) else value


def _camel_name(name: str) -> str:
    if name in _STATUSES:
        return name
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_STATUSES = frozenset({"failed", "timed_out", "finalize_failed", "cancelled"})


def _print(found: ExecutionStats, out: Console, lately: str) -> None:
    from rich.table import Table as Grid

    from durable_execution.cli.printing import span, text, when

    def counted(number: int) -> str:
        return f"{number}{'+' if number >= found.counted_at_most else ''}"

    oldest = found.oldest_start_at
    waits = "" if oldest is None else f", the first since {_age(oldest, found)}"
    out.print(f"ready      {counted(found.ready)}{waits}", markup=False)
    out.print(f"sleeping   {counted(found.sleeping)}")
    out.print(
        f"last {lately:<5} {counted(found.enqueued)} enqueued, {found.finished} of them finished"
    )
    if found.tasks:
        grid = Grid(box=None, pad_edge=False)
        for name in ("TASK", "READY", "FIRST SINCE", f"FAILED ({lately})", ""):
            grid.add_column(name)
        for task_id, task in found.tasks.items():
            failed = ", ".join(f"{number} {status}" for status, number in task.failed.items())
            age = "" if task.oldest_start_at is None else _age(task.oldest_start_at, found)
            note = "" if task.is_known else "no living executor runs it"
            grid.add_row(
                text(task_id), counted(task.ready) if task.ready else "", age, failed, note
            )
        out.print()
        out.print(grid)
    grid = Grid(box=None, pad_edge=False)
    for name in ("EXECUTOR", "", "SINCE (UTC)", "LAST BEAT", "RUNNING", "ENDED", "TASKS"):
        grid.add_column(name)
    for each in found.executors:
        beat = "" if each.beat_at is None else span((found.at - each.beat_at).total_seconds())
        grid.add_row(
            text(each.executor_id),
            "alive" if each.is_alive else "gone",
            when(each.started_at),
            beat and f"{beat} ago",
            "" if each.running_count is None else str(each.running_count),
            "" if each.ended_count is None else str(each.ended_count),
            "" if each.task_ids is None else str(len(each.task_ids)),
        )
    out.print()
    out.print(grid if found.executors else "no executor is known")


def _age(start_at: object, found: ExecutionStats) -> str:
    from datetime import datetime

    from durable_execution.cli.printing import span

    assert isinstance(start_at, datetime)  # noqa: S101 - as the stats have it
    seconds = (found.at - start_at).total_seconds()
    return span(seconds) if seconds >= 0 else f"in {span(-seconds)}"
