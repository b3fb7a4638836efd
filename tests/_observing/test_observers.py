from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from durable_execution._observing import Fact, TasksEnqueued, told_to

if TYPE_CHECKING:
    import pytest


def test_without_observers_there_is_nobody_to_make_facts_for() -> None:
    assert told_to(()) is None


def test_observer_that_raises_is_logged_once_and_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Fact] = []

    def broken(fact: Fact) -> None:
        raise RuntimeError("broken")

    tell = told_to((broken, heard.append))
    assert tell is not None
    with caplog.at_level(logging.ERROR):
        tell(TasksEnqueued("task", 1))
        tell(TasksEnqueued("task", 2))
    assert heard == [TasksEnqueued("task", 1), TasksEnqueued("task", 2)]
    assert [record.message for record in caplog.records] == ["an observer failed"]
