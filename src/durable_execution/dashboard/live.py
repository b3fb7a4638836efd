"""Pages that follow what happens: each view is drawn once for all who look at it.

Whoever looks first draws for all. Views are drawn one after the other, with a rest in between, so
that the storage is asked a few times a second however many pages are open: with many different
views, each is drawn less often.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final

from durable_execution.errors import DurableExecutionError, ExecutorShutDownError

CALM_AFTER: Final = 10
"""Drawings that looked the same, after which a view is drawn less often, up to four times."""
REST: Final = 0.15
"""Seconds between the drawings of any two views."""
MOST_FOLLOWERS: Final = 2_000
_KEEP_ALIVE: Final = 15.0
"""Seconds after which something is sent, so that nobody in between takes the line for dead."""

_logger = logging.getLogger(__name__)

Draw = Callable[[], Awaitable[str]]


class TooManyFollowersError(Exception):
    """As many pages are open as there may be."""


class _View:
    """What a view looked like last, and how many look at it."""

    def __init__(self) -> None:
        self.followers = 0
        self.drawing: str | None = None
        self.trouble: str | None = None
        self.number = 0
        """Counts how often it looked different."""
        self.same = 0
        """Drawings since then."""
        self.drawn_at = float("-inf")
        self.lock = asyncio.Lock()

    def next_at(self, every: float) -> float:
        """When it is to be drawn again: what stays the same may wait a little longer."""
        return self.drawn_at + every * min(4, 1 + self.same // CALM_AFTER)


class LiveViews:
    """The one source of all pages that are open in this process. Belongs to one event loop."""

    def __init__(self, *, rest: float = REST) -> None:
        self._rest = rest
        self._views: dict[str, _View] = {}
        self._turn = asyncio.Lock()
        self._next_turn = 0.0
        self.followers = 0
        self.drawings = 0
        """How often anything was drawn."""

    async def follow(self, key: str, draw: Draw, *, every: float) -> AsyncGenerator[str]:
        """Yield events, as text of an event stream: whenever the view looks different.

        `view` is what it looks like now, `trouble` why that is not known.

        Args:
            key: Says which view it is: the same for all who are to see the same.
            draw: Draws it.
            every: Seconds from one drawing to the next, at least.

        Raises:
            TooManyFollowersError: As many pages are open as there may be.
        """
        if self.followers >= MOST_FOLLOWERS:
            raise TooManyFollowersError
        view = self._views.setdefault(key, _View())
        self.followers += 1
        view.followers += 1
        try:
            async for event in self._events(view, draw, every):
                yield event
        finally:
            self.followers -= 1
            view.followers -= 1
            if view.followers == 0:
                self._views.pop(key, None)

    async def _events(self, view: _View, draw: Draw, every: float) -> AsyncIterator[str]:
        clock = asyncio.get_running_loop().time
        seen, said_at = -1, clock()
        yield "retry: 3000\n\n"
        while True:
            await self._bring_up_to_date(view, draw, every)
            if view.number != seen:
                seen, said_at = view.number, clock()
                yield _event(view)
            elif clock() - said_at >= _KEEP_ALIVE:
                said_at = clock()
                yield ": \n\n"
            await asyncio.sleep(max(0.0, view.next_at(every) - clock()))

    async def _bring_up_to_date(self, view: _View, draw: Draw, every: float) -> None:
        clock = asyncio.get_running_loop().time
        async with view.lock:
            if clock() < view.next_at(every):
                return  # somebody else has drawn it
            async with self._turn:
                await asyncio.sleep(max(0.0, self._next_turn - clock()))
                self._next_turn = clock() + self._rest
                # Whoever leaves meanwhile has drawn nothing: the next one draws.
                await self._draw(view, draw)
                view.drawn_at = clock()
                self._next_turn = view.drawn_at + self._rest

    async def _draw(self, view: _View, draw: Draw) -> None:
        self.drawings += 1
        drawing, trouble = view.drawing, None
        try:
            drawing = await draw()
        except ExecutorShutDownError:
            raise
        except DurableExecutionError as error:
            trouble = error.message if not error.is_internal else "The storage cannot be reached"
        except Exception:
            _logger.exception("A page of the dashboard cannot be drawn")
            trouble = "This page cannot be drawn; the log of the server says why"
        if (drawing, trouble) == (view.drawing, view.trouble):
            view.same += 1
            return
        view.drawing, view.trouble = drawing, trouble
        view.number += 1
        view.same = 0


def _event(view: _View) -> str:
    if view.trouble is not None:
        return f"event: trouble\n{_lines(view.trouble)}\n"
    return f"event: view\n{_lines(view.drawing or '')}\n"


def _lines(text: str) -> str:
    # Not `splitlines`, which takes more for the end of a line than browsers do.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f"data: {line}\n" for line in lines)
