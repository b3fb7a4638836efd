from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_execution._engine.services.chore import keep_doing
from durable_execution._engine.wakeups import Wakeup
from durable_execution.errors import StorageUnavailableError

if TYPE_CHECKING:
    import pytest


class Script:
    """A chore whose turns are told beforehand; after the last one it stops itself."""

    name = "script"

    def __init__(self, *turns: Callable[[], bool]) -> None:
        self.wakeup = Wakeup()
        self.stop = asyncio.Event()
        self.turns = list(turns)
        self.pauses = 0

    async def run_once(self) -> bool:
        turn = self.turns.pop(0)
        if not self.turns:
            self.stop.set()
        return turn()

    def pause(self) -> float:
        self.pauses += 1
        return 0.001


def _raise(error: Exception) -> Callable[[], bool]:
    def turn() -> bool:
        raise error

    return turn


async def test_a_chore_pauses_only_when_there_is_no_more() -> None:
    script = Script(lambda: True, lambda: True, lambda: False, lambda: True)
    await keep_doing(script, script.stop)
    assert (script.turns, script.pauses) == ([], 1)


async def test_a_failing_turn_is_logged_once_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    away, bug = StorageUnavailableError("away"), ValueError("bug")
    script = Script(_raise(away), _raise(away), lambda: True, _raise(bug), lambda: True)
    await keep_doing(script, script.stop)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["chore failed, trying again", "chore works again"] * 2
    assert caplog.records[0].exc_info is None
    assert caplog.records[2].exc_info is not None


async def test_a_wake_up_ends_the_pause_and_none_is_lost() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(wakeup.wait(60), 1)
    begun = loop.time()
    await wakeup.wait(0.02)
    assert loop.time() - begun >= 0.015
    wakeup.set_after(0.001)
    await asyncio.wait_for(wakeup.wait(60), 1)
