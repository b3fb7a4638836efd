"""The one database of a run: the in-memory storage, every change of a row noted and judged."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final

from durable_execution import InMemoryStorage
from durable_execution._core.past import NO_PAST, Past
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage._shelf import Shelf
from tests.simulation.virtual_time import World

EPOCH_MS: Final = 1_900_000_000_000

Write = tuple[ExecutionRecord | None, ExecutionRecord]

VERBS: Final = frozenset(
    name for name, _ in inspect.getmembers(InMemoryStorage, inspect.iscoroutinefunction)
)


class Database:
    """Rows that survive every executor.

    `writes` holds the changes since somebody last cleared it.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._storage = InMemoryStorage(clock=self.now)
        self.writes: list[Write] = []
        self.deleted: dict[str, ExecutionRecord] = {}
        """What was deleted, as it was then."""
        self.shelf = _WatchedShelf(self.writes, self.deleted)
        self._storage._shelf = self.shelf
        self.is_down = False

    def now(self) -> int:
        """Return the milliseconds since the epoch: the clock that decides."""
        return EPOCH_MS + int(self._world.now * 1000)

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """Run one verb of the storage to its end, atomically."""
        call: Callable[..., Coroutine[Any, Any, Any]] = getattr(self._storage, verb)
        coroutine = call(*args, **kwargs)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError(f"the in-memory storage waited in {verb}")

    def rows(self) -> list[ExecutionRecord]:
        """Return all rows."""
        return list(self.shelf.rows())

    def past_of(self, row: ExecutionRecord) -> Past:
        """Return the attempts of a row before the last one."""
        return self._storage._past.get(row.execution_id, NO_PAST)

    def find(self, execution_id: str) -> ExecutionRecord | None:
        """Return a row, as it was last if it was deleted."""
        return self.shelf.get(execution_id) or self.deleted.get(execution_id)

    def unfinished(self) -> list[ExecutionRecord]:
        """Return the rows that have not ended."""
        return [row for row in self.shelf.rows() if not row.is_finished]


class _WatchedShelf(Shelf):
    def __init__(self, writes: list[Write], deleted: dict[str, ExecutionRecord]) -> None:
        super().__init__()
        self._writes = writes
        self._deleted = deleted

    def put(self, record: ExecutionRecord) -> None:
        before = self.get(record.execution_id)
        if before != record:
            self._writes.append((before, record))
        super().put(record)

    def remove(self, record: ExecutionRecord) -> None:
        self._deleted[record.execution_id] = record
        super().remove(record)
