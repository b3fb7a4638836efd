"""Where a watcher of an execution stands, and what it has yet to be told.

No history is stored. Of a row and its progress there is only the newest state; `revision_of` puts
the states of a row in order, so that a watcher knows by two numbers what it was told already.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from durable_execution._core.progress import Progress
from durable_execution._core.status import FINISHED, Status
from durable_execution.errors import InvalidOptionError

News = Literal["status", "progress"]

_ID: Final = re.compile(r"(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})")


class Position(NamedTuple):
    """What a watcher was told last: the revision of the row, and the place of the progress."""

    revision: int
    progress: tuple[int, int]

    def to_id(self) -> str:
        """Return the position as the id of the change that led to it."""
        return f"{self.revision}.{self.progress[0]}.{self.progress[1]}"


START: Final = Position(0, (0, 0))
"""Before everything: revisions begin with 1, and so do the fences of attempts."""


def position_of(change_id: str | None) -> Position:
    """Return where the watcher stands that saw this change last; at the start without one.

    Raises:
        InvalidOptionError: It is not the id of a change.
    """
    if change_id is None:
        return START
    parts = _ID.fullmatch(change_id)
    if parts is None:
        raise InvalidOptionError(f"after must be the id of a change, got {change_id!r:.50}")
    revision, fence, number = map(int, parts.groups())
    return Position(revision, (fence, number))


def revision_of(status: Status, fence: int) -> int:
    """Return a number that every change of a row's status raises, and every step of a waiting row.

    Nothing else changes it: an attempt that goes on elsewhere still runs. A claim, each step of a
    waiting row and a reopening raise the fence. With the same fence a row that runs can only become
    ready again or finish, and one that is ready or waits can only finish.
    """
    if status in FINISHED:
        return 3 * fence + 3
    return 3 * fence + (1 if status == "running" else 2)


def next_news(
    at: Position, status: Status, fence: int, progress: Progress | None
) -> tuple[News, Position] | None:
    """Return what to tell next, and the position after that; None if all is told.

    The finish comes last of all; else the status is told before the progress, which is that of
    the newest attempt.
    """
    revision = revision_of(status, fence)
    has_moved = revision > at.revision
    has_progressed = progress is not None and progress.place > at.progress
    if progress is not None and has_progressed and (status in FINISHED or not has_moved):
        return "progress", Position(at.revision, progress.place)
    return ("status", Position(revision, at.progress)) if has_moved else None
