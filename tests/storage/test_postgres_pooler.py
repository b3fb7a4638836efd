from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext
from durable_execution.storage import Storage, open_storage
from durable_execution.testing.storage_suite import CHECKS, Check, Harness, check_name
from tests.servers.fixtures import Postgres
from tests.servers.pgbouncer import pgbouncer_before
from tests.servers.pooler import Pooler
from tests.storage.hands import HandClock

SOME = ("claims_at_once_share_the_rows", "count_offs_at_once_are_all_counted", "cascade_is_deep")


@pytest.fixture
async def pooler(postgres: Postgres) -> AsyncIterator[Pooler]:
    pooler = Pooler(urlsplit(postgres.url).port or 5432)
    yield pooler
    await pooler.stop()


@pytest.fixture
async def stand_in(pooler: Pooler, postgres: Postgres) -> str:
    direct = urlsplit(postgres.new_url())
    return direct._replace(netloc=f"tester@127.0.0.1:{await pooler.start()}").geturl()


@pytest.fixture
def pgbouncer(postgres: Postgres) -> Iterator[str]:
    with pgbouncer_before(postgres.new_url()) as pooler:
        yield pooler.url


@pytest.fixture(params=["stand_in", "pgbouncer"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


async def test_pooler_is_noticed_before_it_lends_one_server_after_another(
    stand_in: str, pooler: Pooler
) -> None:
    storage = open_storage(stand_in)
    await storage.open()
    assert pooler.refusals == 1
    assert pooler.switches > 0
    await storage.close()


async def test_pooler_is_noticed_and_nothing_is_left_to_a_session(url: str) -> None:
    storage = open_storage(url)
    await storage.open()
    assert not storage.can_notify
    assert await storage.now() > 0
    assert await storage.get(["x"]) == [None]
    storage.listen(lambda: pytest.fail("nobody can listen here"))()
    await storage.close()


async def test_pooler_that_is_named_is_not_tried(stand_in: str, pooler: Pooler) -> None:
    storage = open_storage(f"{stand_in}&pgbouncer=true")
    await storage.open()
    assert pooler.refusals == 0
    await storage.close()


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check_name(check) in SOME], ids=check_name
)
async def test_storage_works_behind_a_pooler(url: str, clock: HandClock, check: Check) -> None:
    opened: list[Storage] = []

    async def open_one() -> Storage:
        storage = open_storage(url, clock=clock)
        await storage.open()
        opened.append(storage)
        return storage

    await check(Harness(await open_one(), advance=clock.advance, open_second=open_one))
    for storage in opened:
        await storage.close()


async def test_executor_works_behind_a_pooler_by_polling(url: str) -> None:
    options = ExecutorOptions(poll_interval=0.1, shutdown_timeout=2)
    async with DurableExecutor(open_storage(url), options) as executor:

        @executor.task
        async def double(ctx: TaskContext, number: int) -> int:
            return 2 * number

        handles = [await executor.enqueue_task(double, number) for number in range(20)]
        assert executor.hearing == "polls"
        async with asyncio.timeout(30):
            assert [await handle.result() for handle in handles] == [2 * n for n in range(20)]
