"""`durable-execution list`: find executions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from durable_execution.cli.exits import run
from durable_execution.cli.places import AsJson, Database, Server, Table, Token

if TYPE_CHECKING:
    from durable_execution._core.status import Status
    from durable_execution.cli.desks.desk import Filters, Listed


class StatusOption(StrEnum):
    """The statuses, in the form in which Typer takes several."""

    READY = "ready"
    RUNNING = "running"
    WAITING_FOR_CHILDREN = "waiting_for_children"
    WAITING_FOR_FINALIZE = "waiting_for_finalize"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    FINALIZE_FAILED = "finalize_failed"
    CANCELLED = "cancelled"


def list_executions(
    task: Annotated[
        list[str] | None, typer.Option("--task", help="Of this task; may be given again.")
    ] = None,
    status: Annotated[
        list[StatusOption] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"In this status, or another one: {', '.join(StatusOption)}.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="With all these tags.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Created since: 2h ago, or an instant.")] = None,
    until: Annotated[str | None, typer.Option(help="Created before.")] = None,
    finished_since: Annotated[str | None, typer.Option(help="Finished since.")] = None,
    finished_until: Annotated[str | None, typer.Option(help="Finished before.")] = None,
    id_prefix: Annotated[str | None, typer.Option("--id", help="How the id begins.")] = None,
    parent: Annotated[str | None, typer.Option(help="Children of this execution.")] = None,
    root: Annotated[str | None, typer.Option(help="Below this execution, at any depth.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on from there, all else alike.")] = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that did not complete, whatever the reason.")
    ] = False,
    roots: Annotated[bool, typer.Option("--roots", help="Leave children out.")] = False,
    oldest_first: Annotated[bool, typer.Option("--oldest-first")] = False,
    as_json: AsJson = False,
) -> None:
    """Find executions, the newest first.

    \b
    durable-execution list --failed --since 2h
    durable-execution list --task sendEmail --status ready --json
    durable-execution list --tag tenant=acme --limit 1000 --json | jq .executionId

    With more than the limit there is a cursor at the end (on standard error with --json).

    Exit codes: 0 also when there is none, 2 wrong arguments, 3 out of reach, 5 refused.
    """
    from durable_execution._core.status import ERRORED
    from durable_execution.cli.desks.desk import Filters
    from durable_execution.cli.inputs import instant_of, tags_of

    async def work() -> None:
        names = [each.value for each in status or ()]
        if failed:
            names += sorted(ERRORED)
        filters = Filters(
            task_ids=tuple(task or ()),
            statuses=cast("tuple[Status, ...]", tuple(names)),
            created=(instant_of("--since", since), instant_of("--until", until)),
            finished=(
                instant_of("--finished-since", finished_since),
                instant_of("--finished-until", finished_until),
            ),
            tags=tags_of(tag or ()),
            id_prefix=id_prefix,
            is_root=True if roots else None,
            parent_id=parent,
            root_id=root,
            order="oldest_first" if oldest_first else "newest_first",
        )
        await _list(filters, limit, cursor, (database, server, token, table), as_json=as_json)

    run(work())


async def _list(
    filters: Filters,
    limit: int,
    cursor: str | None,
    place: tuple[str | None, str | None, str | None, str | None],
    *,
    as_json: bool,
) -> None:
    from durable_execution.cli.places import desk
    from durable_execution.cli.printing import print_json

    async with desk(*place) as asked:
        left = limit
        while left > 0:
            page = await asked.page(filters, limit=min(left, 1000), cursor=cursor)
            cursor, left = page.next_cursor, left - len(page.executions)
            if as_json:
                for facts in page.executions:
                    print_json(facts)
            else:
                _print_table(page)
            if cursor is None:
                return
    typer.echo(f"there are more: --cursor {cursor}", err=True)


def _print_table(page: Listed) -> None:
    from datetime import UTC, datetime

    from rich.table import Table as Grid

    from durable_execution.cli.printing import (
        console,
        duration_of,
        error_message,
        short,
        status_text,
        text,
        when,
    )

    now = datetime.now(UTC)
    grid = Grid(box=None, pad_edge=False)
    for name in ("ID", "TASK", "STATUS", "CREATED (UTC)", "TOOK", "RETRIES", "ERROR"):
        grid.add_column(name, no_wrap=name != "ERROR", overflow="fold")
    for facts in page.executions:
        message = error_message(facts)
        grid.add_row(
            text(facts["executionId"]),
            text(facts["taskId"]),
            status_text(facts),
            when(facts.get("createdAt")),
            duration_of(facts, now),
            str(facts.get("retryAttempts", "")),
            text(short(message, 80).strip('"')) if message else "",
        )
    console().print(grid)
