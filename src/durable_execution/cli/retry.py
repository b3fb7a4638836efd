"""`durable-execution retry`: run again what has failed."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.acting import act_on_each
from durable_execution.cli.places import AsJson, Database, Server, Table, TaskOfExecution, Token
from durable_execution.cli.printing import FINISHED


def retry(
    execution_ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    task: TaskOfExecution = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Run executions again that have failed, timed out or been cancelled, under their old ids.

    Of a tree only what failed runs again, and what has completed is kept. It is retried from its
    root. Doing it twice does no harm: what runs is left alone.

    \b
    durable-execution retry te_06gwn3vp9b2k
    durable-execution list --failed --roots --since 2h --json | jq -r .executionId |
      xargs durable-execution retry

    Exit codes: 0 all will run, 1 some had completed, 2 wrong arguments, 3 out of reach,
    4 some are not there, 5 refused.
    """
    act_on_each(
        execution_ids,
        (database, server, token, table),
        lambda asked, execution_id: asked.retry(task, execution_id),
        lambda facts: facts["status"] not in FINISHED,
        "nothing to retry",
        as_json=as_json,
    )
