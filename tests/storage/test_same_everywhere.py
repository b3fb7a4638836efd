"""Random lives, led by every storage at once: all answers and all rows must be the same."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from durable_execution._core import decisions
from durable_execution._core import transitions as law
from durable_execution._core.offspring import Label
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import new_finalize_index
from durable_execution._core.status import ERRORED
from durable_execution.errors import DuplicateSleepingIdError
from durable_execution.storage import Storage, open_storage
from durable_execution.storage.protocol import Applied, Beat, Claim, Reopened
from durable_execution.storage.search import Page, Search
from durable_execution.testing.records import RecordBuilder
from durable_execution.testing.storage_suite.harness import CANCELLED, FAILED
from tests.servers.fixtures import Postgres
from tests.servers.mariadb_fixtures import MariaDb
from tests.storage.hands import HandClock

STEPS = 300
TASKS = frozenset({"task", "other"})


class Life:
    """Several storages that live the same life."""

    def __init__(self, storages: list[Storage], clock: HandClock, seed: int) -> None:
        self.storages = storages
        self.clock = clock
        self.random = random.Random(seed)
        self.records = RecordBuilder()
        self.ids: list[str] = []
        self.kinds: set[str] = set()
        self.statuses: set[str] = set()
        self.deleted = 0
        self.reopened = 0

    async def same(self, call: str, *arguments: object) -> object:
        answers = [_plain(await _answer(storage, call, arguments)) for storage in self.storages]
        assert all(answer == answers[0] for answer in answers), (call, answers)
        return answers[0]

    async def rows(self) -> list[ExecutionRecord]:
        found = await self.same("get", self.ids)
        assert isinstance(found, list)
        rows = [row for row in found if row is not None]
        self.statuses |= {row.status for row in rows}
        return rows

    async def step(self) -> None:
        await self.clock.advance(self.random.choice([0, 1, 400, 2_000]))
        often = [self.enqueue, self.claim, self.claim, self.move, self.move]
        seldom = [self.beat, self.sweep, self.look, self.delete, self.reopen]
        await self.random.choice([*often, *seldom])()

    async def enqueue(self) -> None:
        now = self.clock()
        new = [
            self.records.root(
                now,
                task_id=self.random.choice(sorted(TASKS)),
                sleep_before_run_ms=self.random.choice([0, 0, 900]),
                label=self._label(),
                traceparent=self.random.choice([None, None, f"00-{1:032x}-{2:016x}-01"]),
            )
            for _ in range(self.random.randint(1, 5))
        ]
        unique_id = f"s{self.random.randint(0, 30)}"
        new.append(self.records.sleeper(now, unique_id, timeout_ms=self.random.randint(1, 9_000)))
        self.ids += [row.execution_id for row in new]
        await self.same("insert", new)
        await self.same("get_by_sleeping_unique_id", unique_id)

    async def claim(self) -> None:
        name = self.random.choice(["a", "b"])
        wanted = self.random.choice([TASKS, frozenset({"task"})])
        await self.same("claim", Claim(executor_id=name, task_ids=wanted, limit=1_000))

    async def beat(self) -> None:
        held = tuple((row.execution_id, row.fence) for row in self._some(await self.rows()))
        name = self.random.choice(["a", "b"])
        await self.same(
            "heartbeat",
            Beat(executor_id=name, lease_ms=self.random.choice([3_000, 30_000]), held=held),
        )
        if self.random.random() < 0.1:
            await self.same("sign_off", name)

    async def sweep(self) -> None:
        await self.same("joinable", TASKS, 1_000)
        await self.same("expired_sleepers", 1_000)
        await self.same("orphans", 1_000)
        await self.same("children_of", self._some(self.ids))
        await self.same("last_children_of", self._some(self.ids))

    async def look(self) -> None:
        search = Search(
            statuses=self.random.choice([None, frozenset({"completed", "ready", "cancelled"})]),
            is_root=self.random.choice([None, True, False]),
            tags=self.random.choice([(), (), (("a", "v1"),), (("a", "v1"), ("b", "v2"))]),
            root_execution_id=self.random.choice([None, None, *self.ids[-20:]]),
            created_from=self.random.choice([None, self.clock() - 20_000]),
            order="oldest_first" if self._coin() else "newest_first",
            limit=self.random.choice([3, 1000]),
        )
        page = await self.same("search", search)
        assert isinstance(page, Page)
        if page.next_cursor is not None:
            await self.same("search", msgspec.structs.replace(search, cursor=page.next_cursor))
        await self.same("counts", self.random.choice([None, frozenset({"task"})]))

    async def delete(self) -> None:
        before = self.clock() - self.random.choice([10_000, 60_000])
        deleted = await self.same("delete_finished", before, 10_000)
        assert isinstance(deleted, int)
        self.deleted += deleted

    async def reopen(self) -> None:
        failed = [row for row in await self.rows() if row.status in ERRORED]
        for row in self._some(failed)[:3]:
            answer = await self.same("reopen", row.execution_id, self.clock())
            assert isinstance(answer, Reopened)
            self.reopened += len(answer.rows)

    async def move(self) -> None:
        moves = [self._move(row) for row in self._some(await self.rows()) if not row.is_finished]
        if moves and self.random.random() < 0.3:
            stale = msgspec.structs.replace(moves[0].guard, fence=moves[0].guard.fence + 1)
            moves[0] = msgspec.structs.replace(moves[0], guard=stale)
        self.ids += [child.execution_id for move in moves for child in move.children]
        answer = await self.same("apply", moves)
        if isinstance(answer, Applied):
            self.kinds |= {type(move.patch).__name__ for move in moves}

    def _move(self, row: ExecutionRecord) -> Transition:
        now = self.clock()
        if row.is_joinable and row.status == "waiting_for_children" and self._coin():
            index = new_finalize_index(row)
            child = self.records.child(row, now, index=index, is_finalize=True)
            return law.finalize(row, child=child, now=now)
        if row.is_joinable:
            return law.join(row, output=b"joined", now=now)
        if row.status != "running" or self.random.random() < 0.15:
            return law.cancel(row, error=CANCELLED, now=now)
        if row.is_sleeping:
            return law.wake_up(row, output=b"woken", error=None, now=now)
        return self._parked_move(row, now) if row.is_parked else self._running_move(row, now)

    def _parked_move(self, row: ExecutionRecord, now: int) -> Transition:
        choice = self.random.randint(0, 3)
        if choice == 0:
            return law.extend(row, lease_ms=self.random.randint(1, 90_000), now=now)
        if choice == 1:
            return decisions.expire(row, now=now)
        if choice == 2:
            return law.complete(row, output=b"from outside", now=now)
        return law.retry(row, error=FAILED, start_at=now + 300, now=now)

    def _running_move(self, row: ExecutionRecord, now: int) -> Transition:
        choice = self.random.randint(0, 6)
        if choice == 6:
            return law.park(row, lease_ms=self.random.randint(1, 9_000), now=now)
        if choice == 0:
            return law.complete(row, output=b"done", now=now)
        if choice == 1:
            return law.fail(row, status="failed", error=FAILED, now=now)
        if choice == 2:
            return law.retry(row, error=FAILED, start_at=now + 300, now=now)
        if choice == 3:
            return law.rescue(row, now=now)
        children = self.records.children(row, now, self.random.randint(0, 3))
        return law.spawn(row, run_output=b"spawned", children=children, now=now)

    def _label(self) -> Label:
        key = f"k{self.random.randint(0, 60)}" if self.random.random() < 0.3 else None
        tags = {
            name: f"v{self.random.randint(0, 3)}" for name in "ab" if self.random.random() < 0.3
        }
        return Label(idempotency_key=key, tags=tuple(tags.items()))

    def _coin(self) -> bool:
        return self.random.random() < 0.5

    def _some(self, values: list) -> list:  # type: ignore[type-arg]  # of whatever was given
        return self.random.sample(values, min(len(values), self.random.randint(0, 12)))


async def _answer(storage: Storage, call: str, arguments: tuple[object, ...]) -> object:
    try:
        if call == "delete_finished":
            return await storage.delete_finished(*arguments, id_before="~")  # type: ignore[arg-type]
        return await getattr(storage, call)(*arguments)
    except DuplicateSleepingIdError as error:
        return error.sleeping_unique_id


def _plain(answer: object) -> object:
    """Put rows in one order where the contract leaves the order open."""
    if isinstance(answer, Applied):
        rows = sorted(answer.joinable, key=_by_id)
        return msgspec.structs.replace(answer, joinable=tuple(rows))
    if isinstance(answer, Reopened):
        rows = sorted(answer.rows, key=_by_id)
        return msgspec.structs.replace(answer, rows=tuple(rows))
    if isinstance(answer, Page):
        return answer
    if hasattr(answer, "records"):
        return msgspec.structs.replace(answer, records=tuple(sorted(answer.records, key=_by_id)))
    is_rows = isinstance(answer, list) and all(isinstance(row, ExecutionRecord) for row in answer)
    return sorted(answer, key=_by_id) if is_rows else answer  # type: ignore[call-overload]


def _by_id(row: ExecutionRecord) -> str:
    return row.execution_id


@pytest.fixture
def storages(
    tmp_path: Path, clock: HandClock, postgres: Postgres, mariadb: MariaDb
) -> list[Storage]:
    urls = [
        "memory://",
        "sqlite://",
        f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL",
        postgres.new_url(),
        mariadb.new_url(),
    ]
    return [open_storage(url, clock=clock) for url in urls]


@pytest.mark.parametrize("seed", range(12))
async def test_every_storage_lives_the_same_life(
    storages: list[Storage], clock: HandClock, seed: int
) -> None:
    for storage in storages:
        await storage.open()
    life = Life(storages, clock, seed)
    for _ in range(STEPS):
        await life.step()
    await life.rows()
    assert {"completed", "cancelled", "failed"} <= life.statuses, "the life was too quiet"
    assert life.deleted > 0
    assert life.reopened > 0
    assert life.kinds == {"Finish", "Requeue", "Wait", "Park"}
    for storage in storages:
        await storage.close()
