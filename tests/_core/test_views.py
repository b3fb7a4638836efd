from __future__ import annotations

from dataclasses import fields
from typing import get_args, get_origin

from durable_execution._core.status import FINISHED, STATUSES
from durable_execution._core.views import FinishedTaskExecution, TaskExecution


def test_every_status_has_one_view_that_tells_it_apart() -> None:
    assert sorted(_statuses_of(TaskExecution)) == sorted(STATUSES)


def test_the_finished_views_are_those_of_the_final_statuses() -> None:
    assert sorted(_statuses_of(FinishedTaskExecution)) == sorted(FINISHED)


def _statuses_of(union: object) -> list[str]:
    views = [get_origin(member) or member for member in get_args(union)]
    return [
        str(field.default) for view in views for field in fields(view) if field.name == "status"
    ]
