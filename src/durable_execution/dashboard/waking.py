"""Waking up a sleeping execution: a person says how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from durable_execution._codec import EncodeError, dumps
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import SleepingTask
from durable_execution.dashboard.deeds import note
from durable_execution.dashboard.desk import Desk, visit_of
from durable_execution.dashboard.forms import Form, read_form
from durable_execution.dashboard.tree import stored
from durable_execution.errors import InvalidInputError, InvalidOptionError
from durable_execution.executor import DurableExecutor

if TYPE_CHECKING:
    from starlette.requests import Request

_PATH: Final = "/executions/{execution_id}/wake"
_LONGEST_ERROR: Final = 10_000


def waking(desk: Desk) -> list[Route]:
    """The routes to it."""

    async def ask(request: Request) -> Response:
        record, task = await _sleeper(desk.executor, request.path_params["execution_id"])
        return _form(desk, request, record, task)

    async def wake(request: Request) -> Response:
        form = await read_form(request, visit_of(request), desk.seal)
        record, task = await _sleeper(desk.executor, request.path_params["execution_id"])
        try:
            await _woken(desk.executor, record, task, form)
        except (InvalidInputError, InvalidOptionError) as error:
            return _form(desk, request, record, task, typed=form, trouble=error.message)
        note(visit_of(request), "wake", execution_id=record.execution_id)
        return RedirectResponse(visit_of(request).url(f"/executions/{record.execution_id}"), 303)

    return [
        Route(_PATH, ask, methods=["GET"]),
        Route(_PATH, wake, methods=["POST"]),
    ]


async def _sleeper(
    executor: DurableExecutor, execution_id: str
) -> tuple[ExecutionRecord, SleepingTask[object]]:
    record = await stored(executor, execution_id)
    if not record.is_sleeping:
        raise InvalidInputError(f"Execution {execution_id} does not sleep")
    task = executor.tasks.get(record.task_id)
    if not isinstance(task, SleepingTask):
        raise InvalidInputError(
            f"Task {record.task_id} is not registered on this executor, which therefore does not "
            "know what its output may be: wake it up through one that has the task"
        )
    return record, task


async def _woken(
    executor: DurableExecutor, record: ExecutionRecord, task: SleepingTask[object], form: Form
) -> None:
    unique_id = record.sleeping_task_unique_id or ""
    match form.one("ending"):
        case "completed":
            output = _output(task, form.one("output"))
            await executor.wakeup_sleeping_task_execution(task, unique_id, output=output)
        case "failed":
            error = form.one("error").strip()[:_LONGEST_ERROR]
            if not error:
                raise InvalidInputError("Say why it fails")
            await executor.wakeup_sleeping_task_execution(
                task, unique_id, status="failed", error=error
            )
        case _:
            raise InvalidInputError("Choose how it ends")


def _output(task: SleepingTask[object], text: str) -> object:
    """Read an output that was typed as JSON; what the task's type makes of it counts.

    Raises:
        InvalidInputError: It is no JSON, or does not fit the type.
    """
    try:
        value: object = msgspec.json.decode(text.strip() or "null")
        payload = dumps(value)
    except (msgspec.DecodeError, RecursionError, EncodeError) as error:
        raise InvalidInputError(f"The output is not JSON: {error}") from error
    return task.load_output(payload)


def _form(
    desk: Desk,
    request: Request,
    record: ExecutionRecord,
    task: SleepingTask[object],
    *,
    typed: Form | None = None,
    trouble: str | None = None,
) -> Response:
    facts = {
        "record": record,
        "is_over": record.is_finished,
        "output_type": repr(task.output_schema).removeprefix("Schema(").removesuffix(")"),
        "trouble": trouble,
        "ending": "completed" if typed is None else typed.one("ending"),
        "output": "" if typed is None else typed.one("output"),
        "error": "" if typed is None else typed.one("error"),
    }
    return desk.show(request, "wake.html", facts, 200 if trouble is None else 400)
