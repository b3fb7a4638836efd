"""What a check is given: a storage, a way to let time pass, and shorthands to set a scene.

The shorthands use only the protocol, so a scene is what an engine would have left behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StoredError
from durable_execution.storage.protocol import Applied, Beat, Claim, Claimed, Storage
from durable_execution.testing.records import RecordBuilder

LEASE_MS = 15_000
"""The lease that `Harness.register` gives, unless another is asked for."""
EXECUTOR = "executor-1"
CANCELLED = StoredError(error_type="cancelled", message="cancelled by a check")
FAILED = StoredError(message="failed by a check", is_retryable=True)


class Harness:
    """One empty, open storage under test.

    Args:
        storage: The storage, open and without rows.
        advance: Lets that many milliseconds pass on the storage's clock.
        open_second: Returns an open storage on the same data, as another process would have it.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        advance: Callable[[int], Awaitable[None]],
        open_second: Callable[[], Awaitable[Storage]],
    ) -> None:
        self.storage = storage
        self.advance = advance
        self.second = open_second
        self.records = RecordBuilder()

    async def register(self, executor_id: str = EXECUTOR, *, lease_ms: int = LEASE_MS) -> None:
        """Register an executor, or extend its lease."""
        await self.storage.heartbeat(Beat(executor_id=executor_id, lease_ms=lease_ms))

    async def claim(
        self, *task_ids: str, limit: int = 1000, executor_id: str = EXECUTOR
    ) -> Claimed:
        """Claim rows of these tasks (of "task" without any)."""
        return await self.storage.claim(
            Claim(executor_id=executor_id, task_ids=frozenset(task_ids or ("task",)), limit=limit)
        )

    async def insert_roots(self, number: int = 1, **options: str) -> list[ExecutionRecord]:
        """Enqueue that many executions."""
        rows = self.records.roots(await self.storage.now(), number, **options)
        await self.storage.insert(rows)
        return rows

    async def running(
        self, number: int = 1, *, executor_id: str = EXECUTOR
    ) -> list[ExecutionRecord]:
        """Enqueue that many executions and claim them; returns them running."""
        wanted = {row.execution_id for row in await self.insert_roots(number)}
        await self.register(executor_id)
        claimed = await self.claim(executor_id=executor_id, limit=number)
        check({row.execution_id for row in claimed.records} == wanted, "the scene was not empty")
        return sorted(claimed.records, key=lambda row: row.execution_id)

    async def waiting(self, number: int = 2) -> tuple[ExecutionRecord, list[ExecutionRecord]]:
        """Make a parent that waits for that many ready children; returns both."""
        (parent,) = await self.running()
        return await self.spawn(parent, number)

    async def spawn(
        self, parent: ExecutionRecord, number: int
    ) -> tuple[ExecutionRecord, list[ExecutionRecord]]:
        """Give children to a running row; returns it waiting, and them ready."""
        now = await self.storage.now()
        children = self.records.children(parent, now, number)
        move = law.spawn(parent, run_output=b"[1]", children=children, now=now)
        await self.apply_all(move)
        return await self.read(parent), [await self.read(child) for child in children]

    async def complete(self, *rows: ExecutionRecord, output: bytes = b"[]") -> Applied:
        """Complete running rows in one batch."""
        now = await self.storage.now()
        return await self.apply_all(*[law.complete(row, output=output, now=now) for row in rows])

    async def cancel(self, *rows: ExecutionRecord) -> Applied:
        """Cancel unfinished rows in one batch."""
        now = await self.storage.now()
        return await self.apply_all(*[law.cancel(row, error=CANCELLED, now=now) for row in rows])

    async def apply_all(self, *moves: Transition) -> Applied:
        """Apply a batch, all of whose guards hold."""
        applied = await self.storage.apply(moves)
        check(all(applied.matched), f"guards that hold were not matched: {applied.matched}")
        check(len(applied.matched) == len(moves), "the answer is as long as the batch")
        return applied

    async def read(self, row: ExecutionRecord | str) -> ExecutionRecord:
        """Return the row as it is now; it must exist."""
        execution_id = row if isinstance(row, str) else row.execution_id
        (found,) = await self.storage.get([execution_id])
        if found is None:
            raise AssertionError(f"row {execution_id} does not exist")
        return found

    async def expect(self, *rows: ExecutionRecord) -> None:
        """Check that these rows are stored exactly like this, on every field."""
        found = await self.storage.get([row.execution_id for row in rows])
        for actual, expected in zip(found, rows, strict=True):
            check_same(actual, expected)


def check(condition: object, message: str) -> None:
    """Raise AssertionError with the message unless the condition is true."""
    if not condition:
        raise AssertionError(message)


def check_same(actual: ExecutionRecord | None, expected: ExecutionRecord) -> None:
    """Raise AssertionError that names the fields in which the rows differ."""
    if actual is None:
        raise AssertionError(f"row {expected.execution_id} does not exist")
    have, want = msgspec.structs.asdict(actual), msgspec.structs.asdict(expected)
    wrong = [
        f"{name} is {_short(have[name])}, expected {_short(value)}"
        for name, value in want.items()
        if have[name] != value or type(have[name]) is not type(value)
    ]
    check(not wrong, f"row {expected.execution_id}: " + "; ".join(wrong))


def ids(rows: Sequence[ExecutionRecord]) -> list[str]:
    """Return the execution ids of the rows, in their order."""
    return [row.execution_id for row in rows]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}… ({len(text)} characters)"
