"""What all pages share, and what a page is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_execution.dashboard.live import LiveViews
from durable_execution.dashboard.pages import Pages
from durable_execution.dashboard.sampling import Sampler
from durable_execution.dashboard.sessions import Seal
from durable_execution.dashboard.visits import Visit
from durable_execution.executor import DurableExecutor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Query = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the pages work."""

    executor: DurableExecutor
    pages: Pages
    live: LiveViews
    sampler: Sampler
    seal: Seal
    is_read_only: bool

    def show(
        self, request: Request, template: str, facts: Mapping[str, object], status: int = 200
    ) -> Response:
        """Render a page for whoever asks."""
        return self.pages.page(template, visit_of(request), facts, status)


def visit_of(request: Request) -> Visit:
    """Return the visit that a request is part of."""
    visit: Visit = request.state.visit
    return visit


def query_of(request: Request) -> Query:
    """Return the fields of the address, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found
