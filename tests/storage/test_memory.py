from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from durable_execution._core import transitions as law
from durable_execution._core.offspring import Label
from durable_execution.errors import DuplicateSleepingIdError, StorageError
from durable_execution.storage.memory import InMemoryStorage
from durable_execution.storage.protocol import Beat
from durable_execution.storage.search import Search
from durable_execution.testing.records import RecordBuilder
from durable_execution.testing.storage_suite import Harness

if TYPE_CHECKING:
    from tests.storage.hands import HandClock


async def _never() -> InMemoryStorage:
    raise AssertionError("there is no second storage here")


def _harness(clock: HandClock, prefix: str = "x") -> Harness:
    harness = Harness(InMemoryStorage(clock=clock), advance=clock.advance, open_second=_never)
    harness.records = RecordBuilder(prefix)
    return harness


async def _saved_scene(clock: HandClock) -> tuple[Harness, bytes]:
    old = _harness(clock)
    await old.running(2)
    (row,) = await old.running()
    await old.waiting(2)
    await old.storage.insert([old.records.sleeper(clock(), "bell", timeout_ms=500)])
    await old.apply_all(law.spawn(row, run_output=b"", children=(), now=clock()))
    return old, old.storage.save()


async def test_load_brings_back_every_row(clock: HandClock) -> None:
    old, saved = await _saved_scene(clock)
    new = _harness(clock)
    await new.insert_roots(1)
    new.storage.load(saved)
    await new.expect(*old.storage._shelf.rows())
    assert len(list(new.storage._shelf.rows())) == 7


async def test_load_rebuilds_every_index(clock: HandClock) -> None:
    old, saved = await _saved_scene(clock)
    new = _harness(clock, "y")
    new.storage.load(saved)
    await clock.advance(500)
    assert (
        await new.storage.joinable(frozenset({"task"}), 9)
        == await old.storage.joinable(frozenset({"task"}), 9)
        != []
    )
    sleeping = await old.storage.get_by_sleeping_unique_id("bell")
    assert (await new.storage.expired_sleepers(9)).records == (sleeping,)
    with pytest.raises(DuplicateSleepingIdError):
        await new.storage.insert([new.records.sleeper(clock(), "bell")])
    await new.register("fresh")
    claimed = await new.claim(executor_id="fresh")
    assert len(claimed.records) == 2
    parent_id = claimed.records[0].parent_execution_id
    assert parent_id is not None
    assert await new.storage.children_of([parent_id]) == list(claimed.records)


async def test_loaded_running_rows_are_orphans_of_the_dead(clock: HandClock) -> None:
    old, saved = await _saved_scene(clock)
    new = _harness(clock)
    new.storage.load(saved)
    orphans = await new.storage.orphans(10)
    assert [row.execution_id for row in orphans] == ["x00000001", "x00000002"]
    assert await old.storage.orphans(10) == []
    await new.apply_all(*[law.rescue(row, now=clock()) for row in orphans])
    assert await new.storage.orphans(10) == []


async def test_save_and_load_can_be_repeated(clock: HandClock) -> None:
    _, saved = await _saved_scene(clock)
    new = _harness(clock)
    new.storage.load(saved)
    second = _harness(clock)
    second.storage.load(new.storage.save())
    assert list(second.storage._shelf.rows()) == list(new.storage._shelf.rows())


@pytest.mark.parametrize(
    "damaged", [b"", b"\x00", b"not saved", b"\x80", msgspec.msgpack.encode({"version": 1})]
)
async def test_load_refuses_other_bytes_and_changes_nothing(
    clock: HandClock, damaged: bytes
) -> None:
    new = _harness(clock)
    rows = await new.insert_roots(1)
    with pytest.raises(StorageError, match="not saved executions"):
        new.storage.load(damaged)
    await new.expect(*rows)


async def test_load_refuses_a_newer_version(clock: HandClock) -> None:
    newer = msgspec.msgpack.encode({"version": 2, "rows": "of another shape"})
    with pytest.raises(StorageError, match=r"version 2.*version 1"):
        InMemoryStorage(clock=clock).load(newer)


async def test_cancelled_ready_rows_leave_the_heap(clock: HandClock) -> None:
    harness = _harness(clock)
    for _ in range(50):
        rows = await harness.insert_roots(20)
        await harness.cancel(*rows)
    kept = await harness.insert_roots(1)
    assert sum(len(heap._entries) for heap in harness.storage._shelf._ready.values()) <= 64
    await harness.register()
    assert [row.execution_id for row in (await harness.claim()).records] == [kept[0].execution_id]


async def test_default_clock_is_the_wall_clock() -> None:
    pulse = await InMemoryStorage().heartbeat(Beat(executor_id="e", lease_ms=1))
    assert pulse.now > 1_700_000_000_000


async def test_load_brings_back_keys_tags_and_what_may_be_deleted(clock: HandClock) -> None:
    old = _harness(clock)
    label = Label(idempotency_key="order", tags=(("tenant", "acme"),))
    row = old.records.root(clock(), label=label)
    await old.storage.insert([row])
    await old.cancel(row)
    new = _harness(clock, "y")
    assert isinstance(old.storage, InMemoryStorage)
    assert isinstance(new.storage, InMemoryStorage)
    new.storage.load(old.storage.save())
    again = new.records.root(clock(), label=label)
    assert await new.storage.insert([again]) == [await old.read(row)]
    found = await new.storage.search(Search(tags=label.tags))
    assert [each.execution_id for each in found.records] == [row.execution_id]
    assert await new.storage.delete_finished(clock() + 1, 10, id_before="~") == 1
    assert await new.storage.insert([again]) == [None]
