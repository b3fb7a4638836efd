"""An app in the world outside: it is handed attempts, and answers when and as the seed decides.

It knows nothing of processes: what it says reaches one of those that run, or is said again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from durable_execution import (
    AttemptOverError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    RetryOptions,
    StorageUnavailableError,
    declare_task,
)
from durable_execution._codec import dumps
from durable_execution._core.handover import Accepted, Answered, Handover, HandoverAnswer
from durable_execution._core.making import make_callback_task
from durable_execution._core.task import CallbackPlan, Task
from durable_execution._engine.outside import Turn
from tests.simulation.process import Process
from tests.simulation.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from durable_execution._core.record import ExecutionRecord

TASK_ID: Final = "outside"
LEASE_MS: Final = 1500
PAUSE: Final = 0.5
"""Seconds after which something is said again that reached nobody."""
TRIES: Final = 8

Saying = Callable[[Process], Coroutine[Any, Any, None]]


class App:
    """Is handed attempts. A courier, as far as executors know."""

    def __init__(self) -> None:
        self.task: Task[Any, Any] = make_callback_task(
            declare_task(TASK_ID),
            CallbackPlan(self, LEASE_MS),
            timeout=4,
            retry=RetryOptions(max_retries=2, base_delay=0.2),
        )

    async def hand_over(self, handover: Handover) -> HandoverAnswer:
        """Take an attempt: do it, refuse it, go on with it, or forget it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert isinstance(loop.home, Process)
        process = loop.home
        random = process.world.random
        process.note("hands over", handover.execution_id[-6:], f"#{handover.fence}")
        luck = random.random()
        if luck < 0.6:
            self._go_on(process, handover)
        await asyncio.sleep(process.adversary.duration_of_work() * random.random())
        if 0.6 <= luck < 0.7:
            return Answered(output_of(handover.fence))
        if 0.7 <= luck < 0.8:
            raise DurableExecutionError.retryable("busy")
        return Accepted()  # and from 0.8 on nothing more is heard of it

    def _go_on(self, process: Process, handover: Handover) -> None:
        """Work for a while, with a heartbeat now and then, and say how it ended."""
        random, world = process.world.random, process.world
        turn = Turn(handover.execution_id, handover.fence)
        at = random.random() * 0.2
        for _ in range(random.choice((0, 0, 1, 2, 6))):
            at += random.uniform(0.3, 1.7)
            world.after(at, lambda: self._say(process, self._heartbeat(turn)))
        at += random.random() * random.choice((0.5, 4))
        ending = self._complete(turn) if random.random() < 0.7 else self._fail(turn)
        for _ in range(random.choice((1, 1, 1, 2))):  # it may not hear the answer
            world.after(at, lambda: self._say(process, ending))
            at += random.random()

    def _say(self, process: Process, saying: Saying, tries: int = TRIES) -> None:
        running = [each for each in process.ledger.processes if each.is_running]
        if running:
            process.world.random.choice(running).do(self._told(process, saying, tries))
        elif tries:
            process.world.after(PAUSE, lambda: self._say(process, saying, tries - 1))

    async def _told(self, process: Process, saying: Saying, tries: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert isinstance(loop.home, Process)
        try:
            await saying(loop.home)
        except (ExecutorShutDownError, StorageUnavailableError):
            if tries:
                process.world.after(PAUSE, lambda: self._say(process, saying, tries - 1))
        except AttemptOverError:
            loop.home.note("is too late")
        except DurableExecutionNotFoundError:
            pass  # deleted: it had finished

    def _heartbeat(self, turn: Turn) -> Saying:
        async def say(process: Process) -> None:
            expires_at = await process.executor.extend_attempt(self.task, turn)
            row = _row(process, turn)
            is_kept = row.fence > turn.fence or row.is_finished or row.status == "ready"
            assert is_kept or (row.expires_at or 0) >= expires_at - LEASE_MS, row

        return say

    def _complete(self, turn: Turn) -> Saying:
        async def say(process: Process) -> None:
            output = output_of(turn.fence)
            status = await process.executor.complete_attempt(self.task, turn, output)
            row = _row(process, turn)
            assert (status, row.status, row.output) == ("completed", "completed", dumps(output))
            assert row.fence == turn.fence, row

        return say

    def _fail(self, turn: Turn) -> Saying:
        async def say(process: Process) -> None:
            error = DurableExecutionError.retryable("broke down")
            status = await process.executor.fail_attempt(self.task, turn, error)
            row = _row(process, turn)
            assert status in ("ready", "failed"), status
            assert row.is_finished or row.attempt > 0, row

        return say


def output_of(fence: int) -> dict[str, int]:
    """What an attempt gives: by which claim it was."""
    return {"fence": fence}


def is_outside(row: ExecutionRecord) -> bool:
    """Whether an app works on it."""
    return row.task_id == TASK_ID


def _row(process: Process, turn: Turn) -> ExecutionRecord:
    row = process.ledger.database.find(turn.execution_id)
    assert row is not None, f"{turn.execution_id} was lost"
    return row
