"""`durable-execution serve`: run an executor server."""

from __future__ import annotations

from typing import Annotated

import typer

from durable_execution.cli.log_options import LogFormat, LogLevel


def serve(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:APP", help="The ASGI application to serve.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 3000,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log.")] = "info",
    log_format: Annotated[LogFormat, typer.Option(help="Lines to read, or JSON.")] = "line",
    *,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Listen beyond this machine even though the application lets everybody in.",
        ),
    ] = False,
) -> None:
    """Run an executor server: an ASGI application whose lifespan starts and drains an executor.

    SIGTERM and Ctrl+C let running tasks end and hand back the rest; a second signal ends the
    process at once. Either way nothing is lost.

    An application without auth= is served to this machine only.

    Under systemd (Type=notify, WatchdogSec=) it says when it serves and while it can work.

    Exit codes: 0 drained, 1 could not listen or drain, 2 wrong arguments, 3 did not start.
    """
    from durable_execution.cli.serving import serve_application

    serve_application(target, host, port, log_level, log_format, insecure=insecure)
