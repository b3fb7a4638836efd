"""Progress on its way: the newest word, in batches, as long as the storage is away or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence

import pytest

from durable_execution._core.progress import Report
from durable_execution._engine.clock import Clock
from durable_execution._engine.reports import REPORT_LIMIT, Reports
from durable_execution._engine.running import Attempt
from durable_execution.errors import InvalidOptionError, StorageError, StorageUnavailableError
from tests._core.records import record_in
from tests._engine.attempts import on_the_loop


class Kept:
    """The part of a storage that takes progress."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, float]]] = []
        self.numbers: list[int] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def report_progress(self, reports: Sequence[Report]) -> list[bool]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.numbers += [each.progress.number for each in reports]
        self.batches.append([(each.execution_id, each.progress.fraction) for each in reports])
        return [True] * len(reports)


class Scene:
    def __init__(self, now: int = 9_000) -> None:
        self.kept = Kept()
        self.needs = 0
        self.told: list[str] = []
        clock = Clock(lambda: now)
        self.reports = Reports(self.kept, clock, needed=self._need, written=self._tell)  # type: ignore[arg-type]

    def _need(self) -> None:
        self.needs += 1

    def _tell(self, execution_ids: Iterable[str]) -> None:
        self.told += execution_ids


@pytest.fixture
async def scene() -> Scene:
    return Scene()


def attempt_of(execution_id: str, fence: int = 1) -> Attempt:
    return Attempt(record_in("running", execution_id=execution_id, fence=fence), on_the_loop)


async def test_only_the_newest_word_is_written(scene: Scene) -> None:
    one, other = attempt_of("te_1"), attempt_of("te_2")
    assert not scene.reports.is_busy
    for place in range(100):
        scene.reports.take(one, place / 100, None)
    scene.reports.take(other, 1.0, "done")
    assert scene.needs == 1
    assert scene.reports.is_busy
    await scene.reports.write()
    assert scene.kept.batches == [[("te_1", 0.99), ("te_2", 1.0)]]
    assert scene.told == ["te_1", "te_2"]
    assert not scene.reports.is_busy
    scene.reports.take(one, 1.0, None)
    assert scene.needs == 2


async def test_batches_are_bounded(scene: Scene) -> None:
    for number in range(REPORT_LIMIT + 1):
        scene.reports.take(attempt_of(f"te_{number}"), 0.5, None)
    await scene.reports.write()
    assert [len(batch) for batch in scene.kept.batches] == [REPORT_LIMIT, 1]


async def test_those_that_end_are_written_alone(scene: Scene) -> None:
    for name in ("te_1", "te_2", "te_3"):
        scene.reports.take(attempt_of(name), 0.5, None)
    assert scene.reports.concern(["te_9", "te_2"])
    assert not scene.reports.concern(["te_9"])
    await scene.reports.write(["te_9", "te_2"])
    assert scene.kept.batches == [[("te_2", 0.5)]]
    assert not scene.reports.concern(["te_2"])


async def test_who_ends_waits_for_a_write_under_way(scene: Scene) -> None:
    scene.kept.gate.clear()
    scene.reports.take(attempt_of("te_1"), 0.5, None)
    writing = asyncio.ensure_future(scene.reports.write())
    await asyncio.sleep(0)
    assert scene.reports.concern(["te_1"])
    ending = asyncio.ensure_future(scene.reports.write(["te_1"]))
    await asyncio.sleep(0)
    assert not ending.done()
    scene.kept.gate.set()
    await asyncio.gather(writing, ending)
    assert scene.kept.batches == [[("te_1", 0.5)]]


async def test_what_was_not_written_is_pending_again_unless_there_is_news(scene: Scene) -> None:
    one, other = attempt_of("te_1"), attempt_of("te_2")
    scene.reports.take(one, 0.1, None)
    scene.reports.take(other, 0.2, None)
    scene.kept.gate.clear()
    scene.kept.error = StorageUnavailableError("away")
    writing = asyncio.ensure_future(scene.reports.write())
    await asyncio.sleep(0)
    scene.reports.take(other, 0.9, None)
    scene.kept.gate.set()
    with pytest.raises(StorageUnavailableError):
        await writing
    assert scene.needs == 3, "whoever writes regularly must hear of it again"
    scene.kept.error = None
    await scene.reports.write()
    assert sorted(scene.kept.batches[0]) == [("te_1", 0.1), ("te_2", 0.9)]


async def test_what_is_refused_is_dropped(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.kept.error = StorageError("no such table")
    scene.reports.take(attempt_of("te_1"), 0.5, None)
    await scene.reports.write()
    assert not scene.reports.is_busy
    assert scene.told == []
    assert "progress was refused" in caplog.text


async def test_an_attempt_that_is_over_reports_nothing(scene: Scene) -> None:
    ended, lost, leaving = (attempt_of(f"te_{number}") for number in range(3))
    ended.has_ended = True
    lost.stop_reason = "lost"
    leaving.stop_reason = "shutdown"
    for each in (ended, lost, leaving):
        scene.reports.take(each, 0.5, None)
    await scene.reports.write()
    assert scene.kept.batches == [[("te_2", 0.5)]]


async def test_what_goes_on_outside_is_written_at_once_in_the_order_of_time(scene: Scene) -> None:
    parked = record_in("running", execution_id="te_1", fence=2)
    elsewhere = Scene(now=9_001)
    for each in (scene, elsewhere):
        for _ in range(5):
            await each.reports.report(parked, 0.5, None)
    numbers = scene.kept.numbers + elsewhere.kept.numbers
    assert numbers == sorted(set(numbers))
    with pytest.raises(InvalidOptionError, match="fraction"):
        await scene.reports.report(parked, 2, None)
    scene.kept.error = StorageUnavailableError("away")
    with pytest.raises(StorageUnavailableError):
        await scene.reports.report(parked, 1, None)
    assert scene.reports.concern(["te_1"])


async def test_threads_may_report_at_once(scene: Scene) -> None:
    attempts = [attempt_of(f"te_{number}") for number in range(8)]

    def report(attempt: Attempt) -> None:
        for place in range(1001):
            scene.reports.take(attempt, place / 1000, None)

    threads = [threading.Thread(target=report, args=(each,)) for each in attempts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        await scene.reports.write()
        await asyncio.sleep(0)
    await scene.reports.write()
    last = dict(pair for batch in scene.kept.batches for pair in batch)
    assert last == {each.record.execution_id: 1.0 for each in attempts}
