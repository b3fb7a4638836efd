"""The routes to all pages, and what people see where there is none, or where one fails."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Router

from durable_execution.dashboard.acting import acting
from durable_execution.dashboard.desk import Desk
from durable_execution.dashboard.entry import Entry
from durable_execution.dashboard.forms import FormRefusedError
from durable_execution.dashboard.looking import looking
from durable_execution.dashboard.pruning import pruning
from durable_execution.dashboard.waking import waking
from durable_execution.errors import (
    DurableExecutionError,
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
)
from durable_execution.orpc import new_error_id

if TYPE_CHECKING:
    from starlette.responses import Response

_logger = logging.getLogger(__name__)


class Rooms:
    """The application behind the door: what fails becomes a page as well."""

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self._desk = desk
        self._router = Router(
            [
                *entry.routes(),
                *looking(desk),
                *([] if desk.is_read_only else [*acting(desk), *waking(desk), *pruning(desk)]),
            ],
            redirect_slashes=False,
            default=_nowhere,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        has_started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._router(scope, receive, sending)
        except Exception as error:
            if has_started:
                raise
            answer = self._sorry(Request(scope), error)
            await answer(scope, receive, send)

    def _sorry(self, request: Request, error: Exception) -> Response:
        match error:
            case HTTPException(status_code=404):
                return self._page(request, 404, "Not found", "There is no such page.")
            case HTTPException():
                return self._page(request, error.status_code, "Not possible", error.detail)
            case FormRefusedError():
                return self._page(request, error.status, "Nothing was changed", error.message)
            case DurableExecutionNotFoundError():
                return self._page(request, 404, "Not found", error.message)
            case ExecutorShutDownError():
                told = "The executor has not started yet, or is about to end."
                return self._page(request, 503, "Not now", told)
            case DurableExecutionError(is_internal=False):
                return self._page(request, 400, "Not possible", error.message)
        error_id = new_error_id()
        _logger.error(
            "A page of the dashboard failed", exc_info=error, extra={"error_id": error_id}
        )
        told = f"The log of the server says why; look for {error_id}."
        if isinstance(error, DurableExecutionError):
            return self._page(request, 503, "The storage cannot be reached", told)
        return self._page(request, 500, "This page cannot be shown", told)

    def _page(self, request: Request, status: int, title: str, message: str) -> Response:
        facts = {"title": title, "message": message}
        return self._desk.show(request, "sorry.html", facts, status)


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise HTTPException(404)
