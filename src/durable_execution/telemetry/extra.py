"""What is imported only by those who use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(what: str) -> Iterator[None]:
    """Say which extra to install when OpenTelemetry is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{what} needs OpenTelemetry: pip install 'durable-execution[telemetry]'",
            name=error.name,
        ) from error
