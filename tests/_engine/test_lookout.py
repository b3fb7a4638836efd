from __future__ import annotations

from durable_execution import InMemoryStorage
from durable_execution._engine.clock import Clock
from durable_execution._engine.running import Running
from durable_execution._engine.services.lookout import LOOK_INTERVAL, Lookout
from durable_execution._observing import ExecutorSeen, Fact
from durable_execution.testing.records import RecordBuilder


async def test_age_of_the_oldest_ready_row_is_told() -> None:
    facts: list[Fact] = []
    now = 1_000_000
    storage = InMemoryStorage(clock=lambda: now)
    lookout = Lookout(
        storage,
        Running(capacity=7, threads=1),
        Clock(lambda: now),
        executor_id="de_1",
        capacity=7,
        tell=facts.append,
    )
    assert not await lookout.run_once()
    await storage.insert([RecordBuilder().root(now, sleep_before_run_ms=1)])
    await lookout.run_once()
    await storage.insert([RecordBuilder("y").root(now, start_at=now - 90_500)])
    await lookout.run_once()
    assert facts == [
        ExecutorSeen("de_1", 0, 7, 0.0),
        ExecutorSeen("de_1", 0, 7, 0.0),
        ExecutorSeen("de_1", 0, 7, 90.5),
    ]
    assert lookout.pause() == LOOK_INTERVAL
