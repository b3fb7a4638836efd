"""Progress that tasks reported and that is not written yet: of each execution the newest word."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Final

from durable_execution._core.progress import Progress, Report, check_progress
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.clock import Clock
from durable_execution._engine.running import Attempt
from durable_execution.errors import StorageError, StorageUnavailableError
from durable_execution.storage.protocol import Storage

logger = logging.getLogger(__name__)

REPORT_LIMIT: Final = 1000
NUMBERS_PER_MS: Final = 1000


class Reports:
    """Collects progress from coroutines and threads, and writes it in batches.

    Args:
        storage: Where it is kept.
        clock: Tells when it was said.
        needed: Called in any thread when there is something to write.
        written: Called with the ids of executions whose progress was written.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        *,
        needed: Callable[[], None],
        written: Callable[[Iterable[str]], None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._needed = needed
        self._written = written
        self._number = 0
        self._pending: dict[str, Progress] = {}
        self._guard = threading.Lock()
        """Held by whoever changes what is pending, never for long."""
        self._under_way: frozenset[str] = frozenset()
        self._writing = asyncio.Lock()

    def take(self, attempt: Attempt, fraction: float, message: str | None) -> None:
        """Take the progress of an attempt, unless it is over. From any thread."""
        if attempt.has_ended or not attempt.is_ours:
            return
        self._note(attempt.record, fraction, message)

    async def report(self, record: ExecutionRecord, fraction: float, message: str | None) -> None:
        """Write the progress of an attempt that goes on in another program, as read in its row.

        Raises:
            InvalidOptionError: The fraction or the message is none.
            StorageUnavailableError: The storage could not be reached; it is tried again later.
        """
        check_progress(fraction, message)
        self._note(record, float(fraction), message)
        await self.write([record.execution_id])

    @property
    def is_busy(self) -> bool:
        """Whether any progress is on its way."""
        return bool(self._pending or self._under_way)

    def concern(self, execution_ids: Iterable[str]) -> bool:
        """Whether progress of one of these is on its way."""
        return any(each in self._pending or each in self._under_way for each in execution_ids)

    async def write(self, among: Collection[str] | None = None) -> None:
        """Write what is pending, of these executions or of all. What fails is pending again.

        Raises:
            StorageUnavailableError: The storage could not be reached.
        """
        async with self._writing:
            while batch := self._next_batch(among):
                await self._write(batch)

    def _note(self, record: ExecutionRecord, fraction: float, message: str | None) -> None:
        now = max(self._clock.now(), record.updated_at)
        with self._guard:
            # In the order of time, too: several executors may speak for one that is outside.
            self._number = max(self._number + 1, now * NUMBERS_PER_MS)
            progress = Progress(record.fence, self._number, fraction, message, now)
            is_first = not self._pending
            self._pending[record.execution_id] = progress
        if is_first:
            self._needed()

    def _next_batch(self, among: Collection[str] | None) -> dict[str, Progress]:
        with self._guard:
            ids = self._pending if among is None else filter(self._pending.__contains__, among)
            part = list(islice(ids, REPORT_LIMIT))
            return {each: self._pending.pop(each) for each in part}

    async def _write(self, batch: dict[str, Progress]) -> None:
        self._under_way = frozenset(batch)
        try:
            await self._storage.report_progress([Report(*each) for each in batch.items()])
        except BaseException as error:
            if isinstance(error, StorageError) and not isinstance(error, StorageUnavailableError):
                # It would be refused again, and no outcome must wait for it.
                logger.warning("progress was refused by the storage", extra={"error": str(error)})
                return
            with self._guard:
                self._pending = batch | self._pending
            self._needed()
            raise
        finally:
            self._under_way = frozenset()
        self._written(batch)
