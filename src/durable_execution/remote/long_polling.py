"""Waiting for an execution that runs on a server: by one call after the other that waits there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from durable_execution._core.limits import MAX_DURATION_MS, to_ms
from durable_execution._waiting import now
from durable_execution.remote.calls.execution import write_execution_call, write_wait
from durable_execution.remote.calls.names import GET_TASK_EXECUTION, WAIT_TASK_EXECUTION
from durable_execution.remote.polling import WAITED, Waited, poll
from durable_execution.remote.router_calls import MissingProcedureError, RouterCalls

FinishedT = TypeVar("FinishedT")
ViewT = TypeVar("ViewT")

LONGEST_CALL: Final = 25.0
"""Seconds that one call waits at most: some proxies give up after 30."""
GRACE: Final = 10.0
"""Seconds after that in which the answer must have come."""
_SHORTEST_WAIT: Final = 0.5
"""Seconds; a server that answers sooner without a result does not really wait, and gets pauses."""


class LongPolling:
    """Waits for one execution. Servers that cannot be waited at are asked again and again."""

    def __init__(self, calls: RouterCalls, task_key: str, execution_id: str) -> None:
        self._calls = calls
        self._task_key = task_key
        self._execution_id = execution_id

    async def until_finished(
        self,
        read: Callable[[str, object], FinishedT | None],
        *,
        timeout: float | timedelta | None,
        interval: float | timedelta,
    ) -> FinishedT:
        """Wait for the finish.

        Args:
            read: Reads an answer of the named procedure; None says that it has not finished.
            timeout: Seconds or timedelta in all.
            interval: Pause between two questions to a server that cannot wait.

        Raises:
            TimeoutError: It had not finished in time.
            DurableExecutionError: The server refuses, or could not be reached for 30 seconds.
        """

        async def ask() -> FinishedT | Waited | None:
            begun = now()
            try:
                answer = await self.ask_waiting(LONGEST_CALL)
            except MissingProcedureError:
                return read(GET_TASK_EXECUTION, await self.ask_at_once())
            found = read(WAIT_TASK_EXECUTION, answer)
            has_waited = now() - begun >= _SHORTEST_WAIT
            return WAITED if found is None and has_waited else found

        try:
            return await poll(ask, timeout=timeout, interval=interval)
        except TimeoutError as error:
            raise TimeoutError(
                f"Task execution has not finished in time [executionId={self._execution_id}]"
            ) from error

    async def ask_waiting(self, seconds: float) -> object:
        """Ask for the execution once it has finished, or as it is after so many seconds.

        Raises:
            MissingProcedureError: The server cannot be waited at.
            DurableExecutionError: The server refuses, or cannot be reached.
        """
        wait_ms = to_ms("timeout", seconds, 0, MAX_DURATION_MS)
        return await self._calls.call_newer(
            WAIT_TASK_EXECUTION,
            write_wait(self._task_key, self._execution_id, wait_ms),
            timeout=seconds + GRACE,
        )

    async def ask_at_once(self) -> object:
        """Ask for the execution as it is.

        Raises:
            DurableExecutionError: The server refuses, or cannot be reached.
        """
        call = write_execution_call(self._task_key, self._execution_id)
        return await self._calls.call(GET_TASK_EXECUTION, call)
