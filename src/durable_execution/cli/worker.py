"""`durable-execution worker`: executors without a door, in as many processes as there are cores."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.exits import MISUSED, stop
from durable_execution.cli.log_options import LogFormat, LogLevel


def worker(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:EXECUTOR", help="The executor to run, or an application that has one."
        ),
    ],
    processes: Annotated[
        int, typer.Option(min=1, max=1024, help="Processes, each with an executor of its own.")
    ] = 1,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log.")] = "info",
    log_format: Annotated[LogFormat, typer.Option(help="Lines to read, or JSON.")] = "line",
) -> None:
    """Run executors that nobody calls: they take what is enqueued on their storage.

    Each process is watched and started again when it ends or hangs, after a pause that grows while
    it keeps ending. SIGTERM and Ctrl+C let all of them end what runs and hand back the rest; a
    second signal ends them at once. Either way nothing is lost.

    \b
    durable-execution worker executor_server:executor
    durable-execution worker executor_server:executor --processes 4

    Exit codes: 0 drained, 1 a process did not drain, 2 wrong arguments.
    """
    from durable_execution.cli.crew import Crew
    from durable_execution.cli.loading import TargetError, load_executor
    from durable_execution.cli.logs import configure_logging
    from durable_execution.storage import InMemoryStorage

    configure_logging(log_level, log_format)
    try:
        executor = load_executor(target)
    except TargetError as error:
        stop(str(error), MISUSED)
    if isinstance(executor.storage, InMemoryStorage):
        stop(f"{target} keeps its executions in memory: nobody could enqueue any", MISUSED)
    count = len(executor.tasks)
    if count == 0:
        stop(f"{target} has no tasks: there is nothing it could run", MISUSED)
    del executor
    crew = Crew(target, processes, log_level, log_format)
    noun = "process" if processes == 1 else "processes"
    typer.echo(f"{target}: {count} {'task' if count == 1 else 'tasks'} in {processes} {noun}")
    raise typer.Exit(crew.run())
