"""`durable-execution show`: one execution with all that is below it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from durable_execution.cli.exits import run
from durable_execution.cli.places import (
    AsJson,
    Database,
    ExecutionId,
    Server,
    Table,
    TaskOfExecution,
    Token,
)

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from durable_execution.cli.desks.desk import Branch, Desk

OUTCOME_STYLES: Final = {
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
    "crashed": "bold red",
    "handed_back": "cyan",
}
LIVE_INTERVAL: Final = 0.5
"""Seconds between two looks at a tree that is shown live."""


def show(
    execution_id: ExecutionId,
    task: TaskOfExecution = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Executions below it.")] = 200,
    database: Database = None,
    server: Server = None,
    token: Token = None,
    table: Table = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Go on until it has finished.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Cut no input, output or error.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an execution as a tree: status, every attempt, durations, inputs, outputs and errors.

    \b
    durable-execution show te_06gwn3vp9b2k
    durable-execution show te_06gwn3vp9b2k --live
    durable-execution show te_06gwn3vp9b2k --json | jq .execution.output

    Exit codes: 0 shown, 2 wrong arguments, 3 out of reach, 4 not found, 5 refused.
    """

    async def work() -> None:
        from durable_execution.cli.places import desk
        from durable_execution.cli.printing import console, print_json

        async with desk(database, server, token, table) as asked:
            if live and not as_json:
                await _show_live(asked, task, execution_id, limit, whole=whole)
                return
            branch = await asked.tree(task, execution_id, limit=limit)
            if as_json:
                print_json(_plain(branch))
            else:
                console().print(_tree(branch, whole=whole))

    run(work())


async def _show_live(
    asked: Desk, task: str | None, execution_id: str, limit: int, *, whole: bool
) -> None:
    import asyncio

    from rich.live import Live

    from durable_execution.cli.printing import FINISHED, console

    branch = await asked.tree(task, execution_id, limit=limit)
    with Live(_tree(branch, whole=whole), console=console(), refresh_per_second=4) as screen:
        while branch.facts["status"] not in FINISHED:
            await asyncio.sleep(LIVE_INTERVAL)
            branch = await asked.tree(task, execution_id, limit=limit)
            screen.update(_tree(branch, whole=whole))


def _plain(branch: Branch) -> dict[str, object]:
    plain: dict[str, object] = {
        "execution": branch.facts,
        "children": [_plain(child) for child in branch.children],
    }
    return plain | ({"leftOut": branch.left_out} if branch.left_out else {})


def _tree(branch: Branch, *, whole: bool) -> Tree:
    from rich.tree import Tree

    now = datetime.now(UTC)
    root = Tree(_label(branch.facts, now, whole=whole), guide_style="dim")
    waiting = [(root, branch)]
    while waiting:
        node, above = waiting.pop()
        for child in above.children:
            below = node.add(_label(child.facts, now, whole=whole))
            waiting.append((below, child))
        if above.left_out:
            node.add(f"… and {above.left_out} more: show them with --limit")
    return root


def _label(facts: Mapping[str, Any], now: datetime, *, whole: bool) -> Text:
    from durable_execution.cli.printing import (
        duration_of,
        short,
        status_text,
        text,
        when,
    )

    length = 1_000_000 if whole else 200
    label = text(facts["taskId"], "bold")
    label.append(" ").append_text(status_text(facts))
    for part in (
        duration_of(facts, now),
        _counted(facts.get("retryAttempts"), "retry", "retries"),
        _counted(facts.get("crashCount"), "crash", "crashes"),
        when(facts.get("createdAt")),
        str(facts.get("executorId") or ""),
    ):
        if part:
            label.append("  ").append_text(text(part, "dim"))
    label.append("\n").append_text(text(facts["executionId"], "dim"))
    for name in ("input", "output"):
        if name in facts:
            label.append(f"\n{name}: ").append(short(facts[name], length))
    if facts.get("payloadsLeftOut"):
        label.append("\ninput, output: too large for a whole tree, show this ID alone", "dim")
    for line in _past(facts, length, whole=whole):
        label.append("\n").append_text(line)
    return _with_error(label, facts, "\nerror: ", length)


def _past(facts: Mapping[str, Any], length: int, *, whole: bool) -> list[Text]:
    """Return a line for each past attempt; tracebacks only if asked for the whole."""
    from durable_execution.cli.printing import duration_between, text, when

    attempts = facts.get("pastAttempts") or ()
    lines = []
    left_out = int(facts.get("pastAttemptsCount") or 0) - len(attempts)
    if left_out > 0:
        lines.append(text(f"… {_counted(left_out, 'earlier attempt', 'earlier attempts')}", "dim"))
    for each in attempts:
        outcome = str(each["outcome"])
        line = text(f"attempt {each['retryAttempts'] + 1} ", "dim")
        line.append_text(text(outcome, OUTCOME_STYLES.get(outcome, "")))
        for part in (
            duration_between(each.get("startedAt"), each.get("endedAt")),
            when(each.get("startedAt")),
            str(each.get("executorId") or ""),
        ):
            if part:
                line.append("  ").append_text(text(part, "dim"))
        lines.append(_with_error(line, each, ": ", length, with_traceback=whole))
    return lines


def _with_error(
    label: Text, facts: Mapping[str, Any], before: str, length: int, *, with_traceback: bool = True
) -> Text:
    from durable_execution.cli.printing import error_message, printable

    message = error_message(facts)
    if message:
        cut = message if len(message) <= length else f"{message[:length]}…"
        label.append(before, "red").append(printable(cut))
        trace = _traceback_of(facts)
        if trace and with_traceback:
            label.append("\n").append(printable(trace), "dim")
    return label


def _traceback_of(facts: Mapping[str, Any]) -> str:
    """Return where the error came from, where that is stored."""
    error = facts.get("error")
    if not isinstance(error, Mapping):
        return ""
    return str(error.get("traceback") or error.get("stack") or "")


def _counted(number: object, one: str, many: str) -> str:
    if not isinstance(number, int) or number == 0:
        return ""
    return f"{number} {one if number == 1 else many}"
