"""Deleting what finished long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from durable_execution.dashboard.deeds import note
from durable_execution.dashboard.desk import Desk, visit_of
from durable_execution.dashboard.forms import Form, read_form
from durable_execution.errors import InvalidInputError, InvalidOptionError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_AT_ONCE: Final = 10_000
"""Executions that one form deletes: it takes seconds, not minutes. Who wants more sends it again,
or sets a retention."""
_UNITS: Final = {
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
_DEFAULT: Final = ("30", "days")


def pruning(desk: Desk) -> list[Route]:
    """The routes to it."""

    async def ask(request: Request) -> Response:
        return _form(desk, request, _DEFAULT)

    async def prune(request: Request) -> Response:
        form = await read_form(request, visit_of(request), desk.seal)
        typed = (form.one("age").strip(), form.one("unit"))
        try:
            age = _age(*typed)
            _check_confirmed(form)
            deleted = await desk.executor.delete_finished_task_executions(
                older_than=age, limit=MOST_AT_ONCE
            )
        except (InvalidInputError, InvalidOptionError) as error:
            return _form(desk, request, typed, trouble=error.message)
        note(visit_of(request), "prune", older_than=str(age), deleted=deleted)
        return _form(desk, request, typed, deleted=deleted)

    return [Route("/prune", ask, methods=["GET"]), Route("/prune", prune, methods=["POST"])]


def _age(number: str, unit: str) -> timedelta:
    """Read how long ago an execution must have finished.

    Raises:
        InvalidInputError: It is no whole number above 0 of one of the units.
    """
    if unit not in _UNITS or not (number.isascii() and number.isdecimal() and len(number) <= 5):
        raise InvalidInputError("Expected a whole number of hours, days or weeks")
    if int(number) == 0:
        raise InvalidInputError("Expected a whole number above 0")
    return int(number) * _UNITS[unit]


def _check_confirmed(form: Form) -> None:
    if form.one("confirmed") != "yes":
        raise InvalidInputError("Nothing was deleted: it was not confirmed")


def _form(
    desk: Desk,
    request: Request,
    typed: tuple[str, str],
    *,
    trouble: str | None = None,
    deleted: int | None = None,
) -> Response:
    facts = {
        "age": typed[0],
        "unit": typed[1],
        "units": list(_UNITS),
        "most": MOST_AT_ONCE,
        "trouble": trouble,
        "deleted": deleted,
    }
    return desk.show(request, "prune.html", facts, 200 if trouble is None else 400)
