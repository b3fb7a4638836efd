"""What commands print: JSON for scripts, and for people texts that no value can forge."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STATUS_STYLES: Final = {
    "ready": "cyan",
    "running": "blue",
    "waiting_for_children": "blue",
    "waiting_for_finalize": "blue",
    "completed": "green",
    "failed": "red",
    "timed_out": "red",
    "finalize_failed": "red",
    "cancelled": "yellow",
}
FINISHED: Final = frozenset({"completed", "failed", "timed_out", "finalize_failed", "cancelled"})


def print_json(value: object) -> None:
    """Print a value as JSON in one line."""
    typer.echo(json_text(value))


def json_text(value: object) -> str:
    """Return a value as JSON; what JSON has no form for is a text."""
    import msgspec

    return msgspec.json.encode(value, enc_hook=_plain, order="deterministic").decode()


def console() -> Console:
    """Return where people read: colours and width are those of the terminal, if it is one."""
    from rich.console import Console

    is_wide = not sys.stdout.isatty()
    return Console(highlight=False, width=200 if is_wide else None)


def text(value: object, style: str = "") -> Text:
    """Return a value as it is safe to show: control characters are written out."""
    from rich.text import Text

    return Text(printable(str(value)), style=style)


def printable(value: str) -> str:
    """Write out what a terminal would obey instead of showing."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in value
    )


def short(value: object, length: int = 200) -> str:
    """Return a value as JSON in one line, cut where it is long."""
    whole = printable(json_text(value))
    return whole if len(whole) <= length else f"{whole[: length - 1]}…"


def status_text(facts: Mapping[str, Any]) -> Text:
    """Return the status of an execution in its colour."""
    status = str(facts.get("status", ""))
    return text(status, STATUS_STYLES.get(status, ""))


def when(value: object) -> str:
    """Return an instant in UTC, to the second."""
    if not isinstance(value, datetime):
        return ""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit, below, small in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} {int(seconds % size // below)} {small}"
    return f"{seconds:.1f} s"


def duration_of(facts: Mapping[str, Any], now: datetime) -> str:
    """Return how long an execution took or has been running, "" before it began."""
    begun, ended = facts.get("startedAt"), facts.get("finishedAt")
    if not isinstance(begun, datetime):
        return ""
    end = ended if isinstance(ended, datetime) else now
    return span(max(0.0, (end - begun).total_seconds()))


def duration_between(begun: object, ended: object) -> str:
    """Return how long something took, "" unless both instants are known."""
    if not isinstance(begun, datetime) or not isinstance(ended, datetime):
        return ""
    return span(max(0.0, (ended - begun).total_seconds()))


def error_message(facts: Mapping[str, Any]) -> str:
    """Return the message of an execution's error, "" without one."""
    error = facts.get("error")
    return str(error.get("message", "")) if isinstance(error, Mapping) else ""


def _plain(value: Any) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
