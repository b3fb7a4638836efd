"""`durable-execution cancel`: end executions that have not ended."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.acting import act_on_each
from durable_execution.cli.places import AsJson, Database, Server, Table, TaskOfExecution, Token


def cancel(
    execution_ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    task: TaskOfExecution = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Cancel executions, and all that is unfinished below them.

    \b
    durable-execution cancel te_06gwn3vp9b2k
    durable-execution list --task sync --status running --json | jq -r .executionId |
      xargs durable-execution cancel

    Exit codes: 0 all are cancelled, 1 some had finished, 2 wrong arguments, 3 out of reach,
    4 some are not there, 5 refused.
    """
    act_on_each(
        execution_ids,
        (database, server, token, table),
        lambda asked, execution_id: asked.cancel(task, execution_id),
        lambda facts: facts["status"] == "cancelled",
        "had finished",
        as_json=as_json,
    )
