"""`durable-execution doctor`: is the database as it should be, and what to do if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from durable_execution.cli.exits import FAILED, MISUSED, CommandError, run
from durable_execution.cli.places import DATABASE_VARIABLE, AsJson, Database, Table

if TYPE_CHECKING:
    from durable_execution.cli.examination import Finding

_MARKS: Final = {"good": "ok  ", "note": "note", "bad": "BAD "}
_STYLES: Final = {"good": "green", "note": "yellow", "bad": "red"}


def doctor(
    database: Database = None,
    table: Table = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Examine a database: version, schema, indexes, clock, notifications, connections, executors.

    Each finding that is not good says what to do. Nothing is changed.

    \b
    durable-execution doctor --database postgresql://app@db/app

    Exit codes: 0 all is well (there may be notes), 1 something is bad, 2 wrong arguments,
    3 out of reach.
    """

    async def work() -> list[Finding]:
        from durable_execution.cli.examination import examine

        if database is None:
            raise CommandError(f"give --database, or set {DATABASE_VARIABLE}", MISUSED)
        return await examine(database, table)

    found = run(work())
    if as_json:
        from durable_execution.cli.printing import print_json

        for each in found:
            print_json(each._asdict())
    else:
        from durable_execution.cli.printing import console, text

        out = console()
        for each in found:
            line = text(_MARKS[each.verdict], _STYLES[each.verdict])
            out.print(
                line.append("  ").append_text(text(f"{each.subject}: {each.finding}", "default"))
            )
            if each.advice:
                out.print(text(f"      {each.advice}", "dim"))
    if any(each.verdict == "bad" for each in found):
        raise typer.Exit(FAILED)
