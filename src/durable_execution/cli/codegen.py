"""`durable-execution codegen`: what tasks look like to programs in other languages, as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from durable_execution.cli.exits import MISUSED, stop

STALE: Final = 1

Generate: TypeAlias = Callable[[Mapping[str, Any]], str]
"""Makes the text of a file of tasks, by the keys that clients use."""

Target = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:TASKS",
        help="The mapping given to create_tasks_router, a group of tasks, or an executor.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file to write; standard output unless given."),
]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; fail if the file is not up to date.")
]

codegen = typer.Typer(
    name="codegen",
    help="Describe tasks to programs in other languages.",
    no_args_is_help=True,
)


@codegen.command()
def typescript(target: Target, output: Output = None, *, check: Check = False) -> None:
    """Write a TypeScript module: types of all tasks, the type of a client, and typed handles.

    It needs @orpc/client 1.x and has no server code in it.

    Exit codes: 0 written or up to date, 1 not up to date, 2 wrong arguments.
    """
    from durable_execution.codegen import generate_typescript

    _run(generate_typescript, "typescript", target, output, check=check)


@codegen.command()
def openapi(
    target: Target,
    output: Output = None,
    *,
    check: Check = False,
    server: Annotated[str, typer.Option(help="Where the RESTHandler is served.")] = "/api",
    title: Annotated[str, typer.Option(help="What the document is called.")] = "Tasks",
) -> None:
    """Write an OpenAPI document of the tasks that a RESTHandler answers for.

    Exit codes: 0 written or up to date, 1 not up to date, 2 wrong arguments.
    """
    from durable_execution.codegen import generate_openapi

    generate = partial(generate_openapi, server=server, title=title)
    _run(generate, "openapi", target, output, check=check)


def _run(
    generate: Generate, command: str, target: str, output: Path | None, *, check: bool
) -> None:
    from durable_execution.cli.loading import TargetError, load_tasks
    from durable_execution.errors import InvalidOptionError

    if check and output is None:
        stop("--check needs the file to look at: give it with -o", MISUSED)
    try:
        text = generate(load_tasks(target))
    except (TargetError, InvalidOptionError) as error:
        stop(str(error), MISUSED)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        found = output.read_bytes() if output.exists() else None
        if check:
            _compare(found, text, f"{command} {target} -o {output}", output)
        elif found != text.encode():
            output.write_bytes(text.encode())
    except OSError as error:
        stop(f"{output}: {error.strerror}", MISUSED)
    typer.echo(f"{output}: {'up to date' if found == text.encode() else 'written'}", err=True)


def _compare(found: bytes | None, text: str, arguments: str, output: Path) -> None:
    """Stop unless the file has the text. Line ends may be those of another system."""
    if found is None or found.replace(b"\r\n", b"\n") != text.encode():
        problem = "does not exist" if found is None else "is not what the tasks' hints say"
        stop(f"{output} {problem}: run durable-execution codegen {arguments}", STALE)
