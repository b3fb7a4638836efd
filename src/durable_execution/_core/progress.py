"""How far an attempt says that it has come: the newest word counts, older ones are forgotten."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from durable_execution._core.labels import check_text
from durable_execution.errors import InvalidOptionError

MAX_PROGRESS_MESSAGE_LENGTH: Final = 1000


class Progress(msgspec.Struct, frozen=True, gc=False):
    """The newest progress of an execution.

    `fence` is that of the attempt, `number` counts up within it: together they say which of two
    is newer.
    """

    fence: int
    number: int
    fraction: float
    message: str | None
    updated_at: int
    """When the task said it, in milliseconds since the epoch by the storage's clock."""

    @property
    def place(self) -> tuple[int, int]:
        """What is greater for the newer of two."""
        return self.fence, self.number


class Report(msgspec.Struct, frozen=True, gc=False):
    """Progress on its way to the row that it belongs to."""

    execution_id: str
    progress: Progress


class ProgressReporter(Protocol):
    """Whoever takes the progress of one attempt."""

    def report(self, fraction: float, message: str | None) -> None:
        """Take it. From any thread; must neither block nor raise."""
        ...


def check_progress(fraction: object, message: object) -> None:
    """Raise InvalidOptionError unless a task may say this of its progress."""
    is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
    if not is_number or not 0 <= fraction <= 1:  # type: ignore[operator] # a number, as just seen
        shown = repr(fraction) if is_number else type(fraction).__name__
        raise InvalidOptionError(f"fraction must be a number from 0 to 1, got {shown:.50}")
    if message is not None:
        check_text("message", message, 0, MAX_PROGRESS_MESSAGE_LENGTH)
