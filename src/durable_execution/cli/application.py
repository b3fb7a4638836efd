"""The commands put together, and the options that belong to none of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Final

import typer

from durable_execution.cli.cancel import cancel
from durable_execution.cli.codegen import codegen
from durable_execution.cli.db import database
from durable_execution.cli.doctor import doctor
from durable_execution.cli.enqueue import enqueue
from durable_execution.cli.list import list_executions
from durable_execution.cli.prune import prune
from durable_execution.cli.retry import retry
from durable_execution.cli.serve import serve
from durable_execution.cli.show import show
from durable_execution.cli.stats import stats
from durable_execution.cli.wake import wake
from durable_execution.cli.watch import watch
from durable_execution.cli.worker import worker

_HELP: Final = """Durable tasks for Python: run them, see what they do, and step in.

Commands that see and act ask a database (--database, or DURABLE_EXECUTION_DATABASE) or an executor
server (--server and --token, or DURABLE_EXECUTION_SERVER and DURABLE_EXECUTION_TOKEN).
"""
_SETUP: Final = "Set up and check"
_PANELS: Final[Mapping[str, Mapping[str, Callable[..., None]]]] = {
    "Run": {"serve": serve, "worker": worker},
    "See": {"list": list_executions, "show": show, "watch": watch, "stats": stats},
    "Act": {"enqueue": enqueue, "cancel": cancel, "retry": retry, "wake": wake, "prune": prune},
    _SETUP: {"doctor": doctor},
}

application = typer.Typer(
    name="durable-execution",
    no_args_is_help=True,
    rich_markup_mode="rich",
    # Rich's tracebacks would show the values of local variables, secrets among them.
    pretty_exceptions_enable=False,
)
for panel, commands in _PANELS.items():
    for name, command in commands.items():
        application.command(name, rich_help_panel=panel)(command)
application.add_typer(codegen, rich_help_panel=_SETUP)
application.add_typer(database, rich_help_panel=_SETUP)


def _flowing(text: str | None) -> str:
    """Let paragraphs break where the terminal does, but for those that begin with a \\b."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(
        each if each.startswith("\b") else each.replace("\n", " ") for each in paragraphs
    )


for group in (application, codegen, database):
    for registered in group.registered_commands:
        registered.help = _flowing(registered.callback.__doc__ if registered.callback else None)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer passes the option's value
    if is_wanted:
        typer.echo(f"durable-execution {version('durable-execution')}")
        raise typer.Exit


@application.callback(help=_flowing(_HELP))
def _options(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Show what belongs to no command."""
