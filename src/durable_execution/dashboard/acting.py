"""Cancelling and retrying, one execution or many: first it is asked, then done, then told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from starlette.routing import Route

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED
from durable_execution.dashboard.deeds import note
from durable_execution.dashboard.desk import Desk, visit_of
from durable_execution.dashboard.forms import Form, FormRefusedError, read_form
from durable_execution.dashboard.tree import stored
from durable_execution.dashboard.words import status_words
from durable_execution.errors import DurableExecutionError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Verb = Literal["cancel", "retry"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
MOST_AT_ONCE: Final = 1_000
SHOWN_IN_QUESTION: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one execution."""

    execution_id: str
    is_done: bool
    note: str


def acting(desk: Desk) -> list[Route]:
    """The route to it."""

    async def act(request: Request) -> Response:
        form = await read_form(request, visit_of(request), desk.seal)
        verb, execution_ids = _asked(form)
        if not execution_ids:
            raise FormRefusedError("No execution was selected")
        if len(execution_ids) > MOST_AT_ONCE:
            raise FormRefusedError(f"At most {MOST_AT_ONCE} executions can be selected at once")
        if form.one("confirmed") != "yes":
            facts = {"verb": verb, "ids": execution_ids, "shown": SHOWN_IN_QUESTION}
            return desk.show(request, "confirm.html", facts)
        outcomes = [await _done(desk, verb, each) for each in execution_ids]
        for each in outcomes:
            if each.is_done:
                note(visit_of(request), verb, execution_id=each.execution_id)
        told = {
            "verb": verb,
            "done": [each for each in outcomes if each.is_done],
            "left": [each for each in outcomes if not each.is_done],
        }
        return desk.show(request, "outcome.html", told)

    return [Route("/actions", act, methods=["POST"])]


def _asked(form: Form) -> tuple[Verb, list[str]]:
    """Read what is to be done with which: those selected, or those that a button stands for."""
    group = form.one("group").split()
    if group:
        return _verb(group[0]), list(dict.fromkeys(group[1:]))
    return _verb(form.one("verb")), form.all("id")


def _verb(given: str) -> Verb:
    for verb in VERBS:
        if verb == given:
            return verb
    raise FormRefusedError(f"Expected one of {', '.join(VERBS)}")


async def _done(desk: Desk, verb: Verb, execution_id: str) -> Outcome:
    """Do it. One that cannot be done does not stop the others, unless the storage is away."""
    executor = desk.executor
    try:
        record = await stored(executor, execution_id)
        if verb == "cancel":
            if record.is_finished:
                return _left(record)
            found = await executor.cancel_task_execution(record.task_id, execution_id)
            is_done = found.status == "cancelled"
        else:
            if record.status not in ERRORED:
                return _left(record)
            found = await executor.retry_task_execution(record.task_id, execution_id)
            is_done = True
    except DurableExecutionError as error:
        if error.is_internal:
            raise
        return Outcome(execution_id, is_done=False, note=error.message)
    note = f"{record.task_id} is {status_words(found.status)} now"
    return Outcome(execution_id, is_done=is_done, note=note)


def _left(record: ExecutionRecord) -> Outcome:
    note = f"{record.task_id} is {status_words(record.status)}"
    return Outcome(record.execution_id, is_done=False, note=note)
