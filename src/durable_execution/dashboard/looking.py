"""The pages that show: each is a view, drawn once for all who look at it, within a frame."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from durable_execution.dashboard.desk import Desk, Query, query_of, visit_of
from durable_execution.dashboard.failures import failures_facts
from durable_execution.dashboard.listing import list_facts, list_frame
from durable_execution.dashboard.live import MOST_FOLLOWERS, TooManyFollowersError
from durable_execution.dashboard.overview import overview_facts
from durable_execution.dashboard.tree import tree_facts, tree_frame
from durable_execution.errors import ExecutorShutDownError

if TYPE_CHECKING:
    from starlette.requests import Request

Facts = Mapping[str, object]


def _no_frame(_: Query) -> Facts:
    return {}


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows.

    Attributes:
        name: Of the view, and of its templates.
        facts: What there is to see, the same for all.
        frame: What stands around it, and does not follow.
        every: Seconds from one drawing to the next, at least, while it is followed.
    """

    name: str
    title: str
    facts: Callable[[Desk, Query], Awaitable[Facts]]
    frame: Callable[[Query], Facts] = _no_frame
    every: float = 1.0

    async def drawn(self, desk: Desk, root: str, query: Query) -> str:
        """Draw it."""
        facts = {**await self.facts(desk, query), "is_read_only": desk.is_read_only}
        return desk.pages.text(f"{self.name}.live.html", root, facts)


VIEWS: Final = {
    view.name: view
    for view in (
        View("overview", "Overview", overview_facts, every=2),
        View("executions", "Executions", list_facts, list_frame),
        View("failures", "Failures", failures_facts, every=3),
        View("execution", "Execution", tree_facts, tree_frame),
    )
}
_NOT_BUFFERED: Final = {"x-accel-buffering": "no"}


def looking(desk: Desk) -> list[Route]:
    """The routes to them."""

    async def overview(request: Request) -> Response:
        return await _show(desk, request, VIEWS["overview"], query_of(request))

    async def executions(request: Request) -> Response:
        return await _show(desk, request, VIEWS["executions"], query_of(request))

    async def failures(request: Request) -> Response:
        return await _show(desk, request, VIEWS["failures"], query_of(request))

    async def execution(request: Request) -> Response:
        query = {"id": [request.path_params["execution_id"]]}
        return await _show(desk, request, VIEWS["execution"], query)

    async def live(request: Request) -> Response:
        query = dict(query_of(request))
        view = VIEWS.get("".join(query.pop("view", ())))
        if view is None:
            raise HTTPException(404)
        return await _follow(desk, request, view, query)

    return [
        Route("/", overview, methods=["GET"]),
        Route("/executions", executions, methods=["GET"]),
        Route("/executions/{execution_id}", execution, methods=["GET"]),
        Route("/failures", failures, methods=["GET"]),
        Route("/live", live, methods=["GET"]),
    ]


async def _show(desk: Desk, request: Request, view: View, query: Query) -> Response:
    drawing = await view.drawn(desk, visit_of(request).root, query)
    facts = {
        **view.frame(query),
        "title": view.title,
        "view": view.name,
        # What was drawn is made of escaped values; nothing else is ever marked so.
        "drawing": Markup(drawing),  # noqa: S704
        "live_path": "/live?" + _canonical(view, query),
        "tasks": sorted(desk.executor.tasks)[:500],
    }
    return desk.show(request, f"{view.name}.html", facts)


async def _follow(desk: Desk, request: Request, view: View, query: Query) -> Response:
    visit = visit_of(request)

    async def events() -> AsyncIterator[str]:
        key = f"{visit.root}?{_canonical(view, query)}"
        following = desk.live.follow(
            key, lambda: view.drawn(desk, visit.root, query), every=view.every
        )
        try:
            while time.time() < visit.session.expires_at:
                async with desk.executor.departure.cutting():
                    event = await anext(following, None)
                if event is None:
                    return
                yield event
        except ExecutorShutDownError:
            return  # the browser comes back by itself, when there is another executor
        except TooManyFollowersError:
            return
        finally:
            await following.aclose()

    if desk.live.followers >= MOST_FOLLOWERS:
        raise HTTPException(503, "As many pages are open as can be kept up to date")
    return StreamingResponse(events(), media_type="text/event-stream", headers=_NOT_BUFFERED)


def _canonical(view: View, query: Query) -> str:
    pairs = [(name, value) for name in sorted(query) for value in sorted(query[name]) if value]
    return urlencode([("view", view.name), *pairs])
