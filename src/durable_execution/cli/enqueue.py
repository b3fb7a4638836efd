"""`durable-execution enqueue`: hand in work from a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from durable_execution.cli.exits import FAILED, MISUSED, NOT_FOUND, CommandError, run
from durable_execution.cli.places import AsJson, Database, Server, Table, Token

if TYPE_CHECKING:
    from durable_execution._core.task import Task
    from durable_execution.cli.desks.desk import Order


def enqueue(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The id of the task.")],
    input: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="Its input, as JSON; null unless given.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: enqueue once, however often this runs.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE")] = None,
    timeout: Annotated[str | None, typer.Option(help="Of each attempt, such as 90s.")] = None,
    max_retries: Annotated[int | None, typer.Option(min=0, max=1000)] = None,
    delay: Annotated[str | None, typer.Option(help="Run it no sooner than in 10m.")] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:TASKS", help="Where the task is: its input is checked, as its app does."
        ),
    ] = None,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow it to its finish, as watch does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Enqueue a task and print the id of its execution.

    A server checks the input and knows the task's own timeout and retries, and so do its tasks, if
    you say where they are. A database knows neither: the input is stored as it is given, an attempt
    gets 5 minutes and is not retried, unless you say otherwise.

    \b
    durable-execution enqueue sendEmail '{"to": "ada@example.com"}' --key welcome-ada
    durable-execution enqueue nightlyReport --max-retries 3 --timeout 30m --wait
    durable-execution enqueue nightlyReport --tasks executor_server:tasks

    Exit codes: 0 enqueued (and completed, with --wait), 1 it ended otherwise, 2 wrong arguments,
    3 out of reach, 4 no such task, 5 refused.
    """

    async def work() -> str:
        from durable_execution.cli.desks.desk import Order
        from durable_execution.cli.inputs import seconds_of, tags_of, value_of

        found = None if tasks is None else _task(tasks, task)
        order = Order(
            task=found,
            task_id=task if found is None else found.id,
            input=None if input is None else value_of("INPUT", input),
            key=key,
            tags=tags_of(tag or ()),
            timeout_ms=None if timeout is None else int(seconds_of("--timeout", timeout) * 1000),
            max_retries=max_retries,
            sleep_ms=None if delay is None else int(seconds_of("--delay", delay) * 1000),
        )
        return await _enqueue(order, (database, server, token, table), wait=wait, as_json=as_json)

    if run(work()) != "completed":
        raise typer.Exit(FAILED)


def _task(target: str, key: str) -> Task[Any, Any]:
    from durable_execution._core.task import Task
    from durable_execution.cli.loading import TargetError, load_tasks

    try:
        found = load_tasks(target).get(key)
    except TargetError as error:
        raise CommandError(f"--tasks: {error}", MISUSED) from error
    if not isinstance(found, Task):
        raise CommandError(f"--tasks: {target} has no task {key!r}", NOT_FOUND)
    return found


async def _enqueue(
    order: Order,
    place: tuple[str | None, str | None, str | None, str | None],
    *,
    wait: bool,
    as_json: bool,
) -> str:
    from durable_execution.cli.places import desk
    from durable_execution.cli.printing import print_json
    from durable_execution.cli.watch import follow_as_json, follow_with_bar

    async with desk(*place) as asked:
        execution_id = await asked.enqueue(order)
        if as_json:
            print_json({"executionId": execution_id})
        else:
            typer.echo(execution_id)
        if not wait:
            return "completed"
        follow = follow_as_json if as_json else follow_with_bar
        return await follow(asked, order.task_id, execution_id)
