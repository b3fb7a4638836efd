from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.chaos.storm import Storm
from tests.processes.arena import Arena, report, until
from tests.processes.database import Database, PostgresSchema
from tests.processes.tasks import unhurried
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.chaos

RESUMED_WITHIN = 15.0
CAPACITY = 20


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A server of this test's own."""
    schema = PostgresSchema(f"{postgres_server.url}?schema=chaos")
    yield schema
    schema.close()


@pytest.mark.parametrize("is_crash", [False, True], ids=["stop", "crash"])
async def test_work_goes_on_within_seconds_of_the_server_being_back(
    arena: Arena, postgres_server: PostgresServer, storm: Storm, is_crash: bool
) -> None:
    for _ in range(2):
        await arena.start(capacity=CAPACITY)
    pauses: list[float] = []

    async def restart() -> None:
        """With a pause for the clients' patience, which enqueue for two seconds and no more."""
        await asyncio.sleep(storm.chance.uniform(0.2, 0.6))
        await asyncio.to_thread(postgres_server.stop, is_crash=is_crash)
        await asyncio.sleep(storm.chance.uniform(0, 0.3))
        await asyncio.to_thread(postgres_server.start)
        pauses.append(await seconds_until_work(arena))

    await storm.rage(arena, restart, pause=0)

    report(f"{len(pauses)} restarts; work again after {min(pauses):.2f} to {max(pauses):.2f} s")
    assert max(pauses) < RESUMED_WITHIN


async def test_a_long_outage_loses_nothing_that_was_enqueued_or_ran(
    arena: Arena, postgres_server: PostgresServer
) -> None:
    async with arena.observer() as observer:
        # Enqueued before anybody works, so that there is work left after the outage.
        handles = await asyncio.gather(
            *(observer.enqueue_task(unhurried, number) for number in range(500))
        )
        await arena.start(capacity=CAPACITY, lease=2)
        await until(lambda: len(arena.effects()) > 50, "the worker works")
        await asyncio.to_thread(postgres_server.stop, is_crash=True)
        await asyncio.sleep(4)  # longer than two leases
        begun = len(arena.effects())
        await asyncio.to_thread(postgres_server.start)
        back_at = time.monotonic()
        await until(lambda: len(arena.effects()) > begun, "work goes on")
        report(f"work again after {time.monotonic() - back_at:.2f} s")
        assert time.monotonic() - back_at < RESUMED_WITHIN
        outputs = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))
    assert outputs == [number + 1 for number in range(500)]


async def test_cut_connections_lose_nothing(arena: Arena, storm: Storm) -> None:
    for _ in range(2):
        await arena.start(capacity=CAPACITY)
    cuts: list[int] = []

    async def cut() -> None:
        found = await asyncio.to_thread(
            arena.database.query,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'durable-execution' AND random() < 0.5",
        )
        cuts.append(len(found))

    await storm.rage(arena, cut, pause=0.15)

    report(f"{sum(cuts)} connections cut")
    assert sum(cuts) > 20


async def test_conflicts_and_deadlocks_lose_nothing(arena: Arena, storm: Storm) -> None:
    for _ in range(2):
        await arena.start(capacity=CAPACITY)
    fail_by_chance(arena.database)
    meddling = Meddler(arena.database)

    await storm.rage(arena, meddling, pause=0.02)

    (failed,) = arena.database.query("SELECT last_value FROM injected")
    report(f"{failed['last_value']} statements failed, {meddling.deadlocks} deadlocks lost")
    assert failed["last_value"] > 10


async def seconds_until_work(arena: Arena) -> float:
    """Return how long it takes until one more attempt begins."""
    begun_at, begun = time.monotonic(), len(arena.effects())
    await until(lambda: len(arena.effects()) > begun, "work goes on")
    return time.monotonic() - begun_at


def fail_by_chance(database: Database) -> None:
    """Let one in ten statements fail as if other transactions had been in its way.

    The sequence counts: what a transaction takes from it is not given back.
    """
    database.query("CREATE SEQUENCE injected MINVALUE 0")
    database.query(
        """CREATE FUNCTION fail_by_chance() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF random() < 0.1 THEN
                PERFORM nextval('injected');
                RAISE EXCEPTION 'injected' USING ERRCODE =
                    CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
            END IF;
            RETURN NULL;
        END $$"""
    )
    database.query(
        "CREATE TRIGGER fail_by_chance BEFORE INSERT OR UPDATE ON durable_task_executions"
        " FOR EACH STATEMENT EXECUTE FUNCTION fail_by_chance()"
    )


class Meddler:
    """Locks unfinished rows parents first, against the engine's order, so that circles form."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.deadlocks = 0

    async def __call__(self) -> None:
        try:
            await asyncio.to_thread(
                self._database.query,
                """WITH locked AS MATERIALIZED (
                    SELECT execution_id, pg_sleep(0.001) FROM (
                        SELECT execution_id FROM durable_task_executions
                        WHERE finished_at IS NULL ORDER BY execution_id LIMIT 50 FOR UPDATE
                    ) AS rows
                ) SELECT count(*) FROM locked""",
            )
        except Exception as error:
            if getattr(error, "sqlstate", None) != "40P01":
                raise
            self.deadlocks += 1
