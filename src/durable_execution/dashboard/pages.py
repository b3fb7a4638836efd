"""Pages made of templates, and the files that they need: both are read once, and kept.

Every value is escaped where it is put into a page; there is no exception.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from durable_execution._core.status import ERRORED, FINISHED, STATUSES
from durable_execution.dashboard import words
from durable_execution.dashboard.spans import PHASES, duration_of, wait_of
from durable_execution.dashboard.visits import Visit

STATIC: Final = "/static/"
_KEPT_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"
_MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_STATUS_ORDER: Final = (
    "ready",
    "running",
    "waiting_for_children",
    "waiting_for_finalize",
    "completed",
    "failed",
    "timed_out",
    "finalize_failed",
    "cancelled",
)


class Pages:
    """Renders templates, and serves the files beside them under names that change with them."""

    def __init__(self) -> None:
        self._environment: Final = Environment(
            loader=PackageLoader("durable_execution.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._files: Final = _static_files()
        self._names: Final = {
            name: f"{hashlib.sha256(content).hexdigest()[:12]}.{name}"
            for name, content in self._files.items()
        }
        self._environment.filters.update(
            clock_time=words.clock_time,
            duration=words.duration,
            iso=words.iso,
            number=words.number,
            percentage=words.percentage,
            status_words=words.status_words,
        )
        self._environment.globals.update(
            all_phases=PHASES,
            phase_words=words.PHASES,
            outcome_statuses=words.OUTCOME_STATUSES,
            duration_of=duration_of,
            wait_of=wait_of,
            statuses=[each for each in _STATUS_ORDER if each in STATUSES],
            finished_statuses=FINISHED,
            errored_statuses=ERRORED,
            static=self._static_path,
        )

    def text(self, template: str, root: str, facts: Mapping[str, object]) -> str:
        """Render what is the same for all who look at it."""
        return self._environment.get_template(template).render(facts, root=root)

    def page(
        self, template: str, visit: Visit, facts: Mapping[str, object], status: int = 200
    ) -> HTMLResponse:
        """Render a page for one visit."""
        found = self._environment.get_template(template)
        return HTMLResponse(found.render(facts, visit=visit, root=visit.root), status)

    def file(self, name: str) -> Response:
        """Serve a file by the name that pages know it by; 404 for any other."""
        _, _, plain = name.partition(".")
        if self._names.get(plain) != name:
            return Response(status_code=404)
        media_type = _MEDIA_TYPES[plain.rpartition(".")[2]]
        headers = {"cache-control": _KEPT_FOR_A_YEAR}
        return Response(self._files[plain], headers=headers, media_type=media_type)

    def _static_path(self, name: str) -> str:
        return STATIC + self._names[name]


def _static_files() -> dict[str, bytes]:
    folder = files("durable_execution.dashboard") / "static"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
