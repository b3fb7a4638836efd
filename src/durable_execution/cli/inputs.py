"""Options that are written as texts: JSON, durations, instants, tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from durable_execution.cli.exits import MISUSED, CommandError

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|[smhdw])")


def seconds_of(name: str, text: str) -> float:
    """Return the seconds of a duration such as `90s`, `15m`, `2h` or `7d`.

    Raises:
        CommandError: It is none.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise CommandError(f"{name} must be a duration such as 90s, 15m, 2h or 7d, got {text!r}", 2)
    return float(found[1]) * _UNITS[found[2]]


def instant_of(name: str, text: str | None) -> datetime | None:
    """Return the instant that an ISO text names (UTC without a zone), or that long ago.

    Raises:
        CommandError: It is neither.
    """
    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return datetime.now(UTC) - timedelta(seconds=seconds_of(name, text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{name} must be an instant such as 2026-03-01T12:00, or a time ago such as 2h, "
            f"got {text!r}",
            MISUSED,
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def tags_of(texts: Sequence[str]) -> dict[str, str]:
    """Return tags that are written as `name=value`.

    Raises:
        CommandError: One is not.
    """
    tags = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise CommandError(f"--tag must be NAME=VALUE, got {text!r}", MISUSED)
        tags[name] = value
    return tags


def value_of(name: str, text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        CommandError: It is no JSON.
    """
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"{name} must be JSON, and texts need quotes of their own: '\"like this\"' ({error})",
            MISUSED,
        ) from None
