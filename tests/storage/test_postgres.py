from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from durable_execution._core import transitions as law
from durable_execution.errors import StorageError, StorageUnavailableError
from durable_execution.storage import open_storage
from durable_execution.storage.protocol import Beat
from durable_execution.testing.storage_suite import Harness
from tests.servers.fixtures import Postgres
from tests.storage.on_server import harness, statements

__all__ = ["harness", "statements"]

TABLE = "durable_task_executions"


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_url()


@pytest.fixture
async def aside(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else, in the test's schema."""
    plain, _, schema = url.partition("?schema=")
    connection = await asyncpg.connect(plain, server_settings={"search_path": schema})
    yield connection
    await connection.close()


@pytest.mark.parametrize("number", [1, 100])
async def test_batch_of_any_size_is_one_statement(
    harness: Harness, statements: list[str], number: int
) -> None:
    await harness.register()
    statements.clear()
    rows = await harness.insert_roots(number)
    claimed = await harness.claim(limit=number)
    await harness.complete(*claimed.records)
    assert len(claimed.records) == len(rows)
    writes = [text.split()[0] for text in statements if "clock_timestamp" not in text]
    assert writes == ["INSERT", "WITH", "UPDATE"]


async def test_batch_with_stale_rows_is_one_statement(
    harness: Harness, statements: list[str]
) -> None:
    rows = await harness.running(10)
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"", now=now) for row in rows]
    await harness.storage.apply(moves[4:5])
    statements.clear()
    applied = await harness.storage.apply(moves)
    assert applied.matched == (True,) * 4 + (False,) + (True,) * 5
    assert len(statements) == 1


async def test_database_clock_decides(harness: Harness, aside: asyncpg.Connection) -> None:
    query = "SELECT extract(epoch FROM clock_timestamp()) * 1000"
    before = await aside.fetchval(query)
    (row,) = await harness.running(1)
    after = await aside.fetchval(query)
    assert before - 1 <= (row.started_at or 0) <= after
    assert before - 1 <= await harness.storage.now() <= await aside.fetchval(query)


async def test_finish_touches_no_index(harness: Harness, aside: asyncpg.Connection) -> None:
    rows = await harness.running(10)
    await harness.complete(*rows)
    hot = await _hot_updates(harness, aside, of=20)
    assert hot == 10, "a finish wrote to an index: one has a column that a finish changes"


async def test_rows_of_a_page_have_room_to_finish_together(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    rows = await harness.running(500)
    await harness.complete(*rows)
    hot = await _hot_updates(harness, aside, of=1000)
    assert hot > 400, "finishes found no room on their pages"


async def _hot_updates(harness: Harness, aside: asyncpg.Connection, *, of: int) -> int:
    """Return how many of the updates stayed on their pages, and wrote to no index."""
    await harness.storage.close()  # at its end a session tells its statistics
    query = (
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = $1::text::regclass"
    )
    updated = hot = 0
    async with asyncio.timeout(30):
        while updated < of:
            updated, hot = await aside.fetchrow(query, TABLE)
    return hot


async def test_characters_that_the_server_has_not_are_refused(harness: Harness) -> None:
    row = msgspec.structs.replace(harness.records.root(1), task_id="a\0b")
    with pytest.raises(StorageError, match="a value cannot be stored") as raised:
        await harness.storage.insert([row])
    assert not isinstance(raised.value, StorageUnavailableError)


async def test_ids_compare_by_bytes(harness: Harness, aside: asyncpg.Connection) -> None:
    ids = ["a-1", "B-1", "a1", "Z", "_"]
    rows = [harness.records.root(1) for _ in ids]
    await harness.storage.insert(
        [
            msgspec.structs.replace(row, execution_id=each)
            for row, each in zip(rows, ids, strict=True)
        ]
    )
    found = await aside.fetch(f"SELECT execution_id FROM {TABLE} ORDER BY execution_id")
    assert [row[0] for row in found] == sorted(ids)


async def _deadlocks(aside: asyncpg.Connection) -> int:
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    found: int = await aside.fetchval(query)
    return found


async def test_cascades_and_children_that_end_do_not_deadlock(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    before = await _deadlocks(aside)
    second = await harness.second()
    for _ in range(25):
        families = [await harness.spawn(parent, 6) for parent in await harness.running(4)]
        children = sorted((await harness.claim()).records, key=lambda row: row.execution_id)
        now = await harness.storage.now()
        # Highest first, as nobody in particular would order them; two at a time, so that a batch
        # counts off several parents.
        random.Random(1).shuffle(children)
        pairs = [children[at : at + 2] for at in range(0, len(children), 2)]
        finishes = [[law.complete(row, output=b"", now=now) for row in pair] for pair in pairs]
        cancels = [
            law.cancel(parent, error=_CANCELLED, now=now) for parent, _ in reversed(families)
        ]
        await asyncio.gather(
            *[harness.storage.apply(moves) for moves in finishes[::2]],
            second.apply(cancels[:3]),
            *[second.apply(moves) for moves in finishes[1::2]],
            harness.storage.apply(cancels[3:]),
        )
        for parent, expected in families:
            assert (await harness.read(parent)).status == "cancelled"
            for child in expected:
                assert (await harness.read(child)).is_finished
    await second.close()
    await harness.storage.close()  # at its end a session tells its statistics
    assert await _deadlocks(aside) == before


async def test_deadlock_with_somebody_else_is_tried_again(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    high, low = reversed(await harness.running(2))
    lock = f"SELECT 1 FROM {TABLE} WHERE execution_id = $1 FOR UPDATE"
    transaction = aside.transaction()
    await transaction.start()
    await aside.execute(lock, low.execution_id)
    applying = asyncio.create_task(harness.complete(high, low))
    while not await aside.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.01)
    try:
        await aside.execute(lock, high.execution_id)
    except asyncpg.DeadlockDetectedError:
        await transaction.rollback()
    else:
        await transaction.rollback()
    assert (await applying).matched == (True, True)


async def test_cut_connections_are_replaced(harness: Harness, aside: asyncpg.Connection) -> None:
    (row,) = await harness.insert_roots(1)
    await asyncio.gather(*[harness.storage.get([row.execution_id]) for _ in range(20)])
    await aside.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'durable-execution'"
    )
    async with asyncio.timeout(30):
        while True:
            try:
                await harness.expect(row)
            except StorageUnavailableError:
                await asyncio.sleep(0.01)
            else:
                break


async def test_connection_to_what_has_become_a_standby_is_not_kept(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'durable-execution'"
    (row,) = await harness.running(1)
    before = {each["pid"] for each in await aside.fetch(backends)}
    await aside.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'; END $$"
    )
    await aside.execute(f"CREATE TRIGGER refuse BEFORE UPDATE ON {TABLE} EXECUTE FUNCTION refuse()")
    with pytest.raises(StorageUnavailableError, match="is it a standby"):
        await harness.complete(row)
    await aside.execute(f"DROP TRIGGER refuse ON {TABLE}")
    await harness.complete(row)
    after = {each["pid"] for each in await aside.fetch(backends)}
    assert not before & after


async def test_machine_that_is_gone_is_noticed_by_the_kernel(harness: Harness) -> None:
    pool = harness.storage._driver._pool  # type: ignore[attr-defined]
    async with pool.lent() as connection:
        door = connection._transport.get_extra_info("socket")
        assert door.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if sys.platform == "linux":
            option = socket.TCP_USER_TIMEOUT
            assert door.getsockopt(socket.IPPROTO_TCP, option) == 10_000


async def test_server_that_says_nothing_is_passed_over_and_then_asked_last(
    postgres: Postgres,
) -> None:
    asked = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    storage = open_storage(postgres.new_url().replace("@", f"@127.0.0.1:{port},"))
    async with mute:
        await storage.open()
        assert asked == 1
        await asyncio.gather(*[storage.now() for _ in range(5)])
        assert asked == 1
        await storage.close()


async def test_cancelled_call_leaves_a_working_storage(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    (row,) = await harness.running(1)
    async with aside.transaction():
        await aside.execute(f"LOCK TABLE {TABLE}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await harness.complete(row)
    await harness.expect(row)
    await harness.complete(row)


async def test_claim_that_is_late_is_not_forgotten(
    harness: Harness, aside: asyncpg.Connection
) -> None:
    """The claim is under way while others find its executor dead and without rows."""
    await harness.storage.heartbeat(Beat(executor_id="late", lease_ms=150))
    (row,) = await harness.insert_roots(1)
    async with aside.transaction():
        # What a claim does, but slowly.
        await aside.execute(
            "SELECT 1 FROM durable_executors WHERE executor_id = 'late' FOR KEY SHARE"
        )
        await asyncio.sleep(0.2)
        forgetting = asyncio.create_task(harness.storage.orphans(10))
        await asyncio.sleep(0.1)
        assert not forgetting.done()
        await aside.execute(
            f"UPDATE {TABLE} SET status = 'running', executor_id = 'late', fence = 1"
            " WHERE execution_id = $1",
            row.execution_id,
        )
    assert await forgetting == []
    assert [each.execution_id for each in await harness.storage.orphans(10)] == [row.execution_id]


@pytest.mark.parametrize(
    ("end", "message", "may_pass"),
    [
        ("127.0.0.1:1/db", "the connection failed", True),
        ("{host}/nowhere", "there is no such database", False),
    ],
)
async def test_opening_says_what_is_wrong(
    postgres: Postgres, end: str, message: str, may_pass: bool
) -> None:
    host = postgres.url.partition("@")[2].partition("/")[0]
    storage = open_storage(f"postgresql://tester:secret@{end.format(host=host)}")
    with pytest.raises(StorageError, match=message) as raised:
        await storage.open()
    assert isinstance(raised.value, StorageUnavailableError) == may_pass
    assert "secret" not in str(raised.value)


async def test_schema_must_be_the_users_to_create_only_when_it_is_missing(
    harness: Harness, url: str, aside: asyncpg.Connection
) -> None:
    role = f"role_{url.partition('?schema=')[2]}"
    schema = url.partition("?schema=")[2]
    await aside.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}")
    await aside.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}")
    storage = open_storage(url.replace("tester@", f"{role}@"))
    await storage.open()
    await storage.insert([harness.records.root(1)])
    await storage.close()
    stranger = open_storage(url.replace("tester@", f"{role}@") + "_other")
    with pytest.raises(StorageError, match="lacks a privilege"):
        await stranger.open()
    await aside.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


_CANCELLED = law.StoredError(error_type="cancelled", message="cancelled by a test")
