"""Doing the same to several executions, one after the other, and saying what became of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import typer

from durable_execution.cli.exits import FAILED, MISUSED, NOT_FOUND, run

if TYPE_CHECKING:
    from durable_execution.cli.desks.desk import Desk, Facts

Place: TypeAlias = tuple[str | None, str | None, str | None, str | None]
"""The options --database, --server, --token and --table."""


def act_on_each(
    execution_ids: Sequence[str],
    place: Place,
    act: Callable[[Desk, str], Awaitable[Facts]],
    has_worked: Callable[[Facts], bool],
    otherwise: str,
    *,
    as_json: bool,
) -> None:
    """Act on each execution and print it; what cannot be done to one keeps nobody from the next.

    `otherwise` says what is the matter with one that is as it was.
    """

    async def work() -> int:
        from durable_execution.cli.places import desk

        worst = 0
        async with desk(*place) as asked:
            for execution_id in execution_ids:
                code = await _act(asked, execution_id, act, has_worked, otherwise, as_json=as_json)
                worst = max(worst, code)
        return worst

    code = run(work())
    if code:
        raise typer.Exit(code)


async def _act(
    asked: Desk,
    execution_id: str,
    act: Callable[[Desk, str], Awaitable[Facts]],
    has_worked: Callable[[Facts], bool],
    otherwise: str,
    *,
    as_json: bool,
) -> int:
    from durable_execution.cli.printing import print_json, printable
    from durable_execution.errors import DurableExecutionNotFoundError, InvalidInputError

    try:
        facts = await act(asked, execution_id)
    except DurableExecutionNotFoundError as error:
        typer.echo(f"error: {error.message}", err=True)
        return NOT_FOUND
    except InvalidInputError as error:
        typer.echo(f"error: {error.message}", err=True)
        return MISUSED
    has_done = has_worked(facts)
    if as_json:
        print_json(facts)
    else:
        note = "" if has_done else f": {otherwise}"
        typer.echo(printable(f"{facts['executionId']} {facts['status']}{note}"))
    return 0 if has_done else FAILED
