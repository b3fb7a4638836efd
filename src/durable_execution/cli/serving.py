"""What `serve` does once its arguments are known: an application, a socket, a process."""

from __future__ import annotations

from importlib.metadata import version

import typer

from durable_execution.access import auth_of
from durable_execution.cli.exits import FAILED, MISUSED, stop
from durable_execution.cli.listening import ListenError, bind, is_loopback, origin
from durable_execution.cli.loading import AsgiApp, TargetError, load_application
from durable_execution.cli.log_options import LogFormat, LogLevel
from durable_execution.cli.logs import configure_logging
from durable_execution.cli.process import ServerProcess
from durable_execution.executor import DurableExecutor


def serve_application(
    target: str, host: str, port: int, log_level: LogLevel, log_format: LogFormat, *, insecure: bool
) -> None:
    """Serve until a signal; return once the application has drained.

    Raises:
        typer.Exit: It could not be served, or did not drain.
    """
    configure_logging(log_level, log_format)
    try:
        app = load_application(target)
    except TargetError as error:
        stop(str(error), MISUSED)
    try:
        bound = bind(host, port)
    except ListenError as error:
        stop(str(error), FAILED)
    with bound:
        if not (insecure or is_loopback(bound) or auth_of(app)):
            stop(_open_door(target, host), MISUSED)
        url = origin(host, bound.getsockname()[1])
        process = ServerProcess(
            app,
            on_started=lambda: typer.echo(_banner(app, target, url)),
            on_leaving=lambda: _announce_shutdown(app),
            is_healthy=lambda: _is_healthy(app),
            is_verbose=log_level == "debug",
        )
        process.run(sockets=[bound])
    if not process.has_drained:
        raise typer.Exit(FAILED)


def _banner(app: AsgiApp, target: str, url: str) -> str:
    """Say what is served where; of an application that is not ours only that is known."""
    line = f"durable-execution {version('durable-execution')}: {target} on {url}"
    executor = _executor_of(app)
    if executor is not None:
        count = len(executor.tasks)
        line += f", {count} {'task' if count == 1 else 'tasks'}"
    return line


def _announce_shutdown(app: AsgiApp) -> None:
    executor = _executor_of(app)
    if executor is not None:
        executor.announce_shutdown()


def _is_healthy(app: AsgiApp) -> bool:
    executor = _executor_of(app)
    return executor is None or executor.is_healthy


def _executor_of(app: AsgiApp) -> DurableExecutor | None:
    """Find the executor of an application that `create_executor_app` made."""
    executor = getattr(getattr(app, "state", None), "executor", None)
    return executor if isinstance(executor, DurableExecutor) else None


def _open_door(target: str, host: str) -> str:
    return (
        f"{target} has no auth=, and on {host} other machines can reach it: whoever does could run "
        "its tasks. Do one of these:\n"
        "  create_executor_app(..., auth=BearerTokens({...})), or Guard(app, auth=...)\n"
        "  --host 127.0.0.1, to be reached from this machine only\n"
        "  --insecure, if something in front of it keeps strangers out"
    )
