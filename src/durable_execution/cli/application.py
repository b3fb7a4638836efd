"""The commands put together, and the options that belong to none of them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from durable_execution.cli.codegen import codegen
from durable_execution.cli.db import database
from durable_execution.cli.serve import serve

application = typer.Typer(
    name="durable-execution",
    help="Durable tasks for Python: run an executor server.",
    no_args_is_help=True,
    add_completion=False,
    # Rich's tracebacks would show the values of local variables, secrets among them.
    pretty_exceptions_enable=False,
)
application.command()(serve)
application.add_typer(codegen)
application.add_typer(database)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer passes the option's value
    if is_wanted:
        typer.echo(f"durable-execution {version('durable-execution')}")
        raise typer.Exit


@application.callback()
def _options(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Durable tasks for Python: run an executor server."""
