"""The changes of an execution, one after the other, for one who watches it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from durable_execution._core.changes import ProgressChange, TaskProgress
from durable_execution._core.progress import Progress
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.watching import Position, next_news
from durable_execution._engine.services.watches import Watched
from durable_execution._engine.viewing import instant

StatusT = TypeVar("StatusT")


class Changes(AsyncIterator[StatusT | ProgressChange], Generic[StatusT]):
    """Tells what is new since a position, and ends with the finish.

    Holds on to what is watched and to nothing else: whoever drops this has left.

    Args:
        watched: The execution.
        at: What was told already.
        of_status: Makes the change to a row, given its id and the row. If it raises, the change
            counts as not told.
    """

    def __init__(
        self,
        watched: Watched,
        at: Position,
        of_status: Callable[[str, ExecutionRecord], Awaitable[StatusT]],
    ) -> None:
        self._watched = watched
        self._at = at
        self._of_status = of_status

    async def __anext__(self) -> StatusT | ProgressChange:
        watched = self._watched
        while True:
            if watched.error is not None:
                raise watched.error
            row, progress = watched.record, watched.progress
            if row is not None:
                news = next_news(self._at, row.status, row.fence, progress)
                if news is not None:
                    return await self._tell(news[1], row, progress)
                if row.is_finished:
                    raise StopAsyncIteration
            await watched.changed()

    async def _tell(
        self, to: Position, row: ExecutionRecord, progress: Progress | None
    ) -> StatusT | ProgressChange:
        change: StatusT | ProgressChange
        if to.progress != self._at.progress and progress is not None:
            change = ProgressChange(id=to.to_id(), progress=progress_view_of(progress))
        else:
            change = await self._of_status(to.to_id(), row)
        self._at = to
        return change


def progress_view_of(progress: Progress) -> TaskProgress:
    """Build the view of progress."""
    return TaskProgress(
        fraction=progress.fraction,
        message=progress.message,
        updated_at=instant(progress.updated_at),
    )
