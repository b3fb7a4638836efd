from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest

from durable_execution._core import transitions as law
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import (
    StorageError,
    StorageUnavailableError,
)
from durable_execution.storage import open_storage
from durable_execution.storage.protocol import Beat, Claimed
from durable_execution.storage.sql.mysql import MySqlDialect
from durable_execution.storage.sql.mysql_connection import (
    MySqlConnection,
    has_row_alias,
    with_row_alias,
)
from durable_execution.storage.sql.mysql_transaction import _parts
from durable_execution.storage.sql.statements import build_statements
from durable_execution.testing.records import RecordBuilder
from durable_execution.testing.storage_suite import Harness
from tests.servers.mariadb import MariaDbServer
from tests.storage.on_mysql import aside, url
from tests.storage.on_server import harness, statements

__all__ = ["aside", "harness", "statements", "url"]

TABLE = "durable_task_executions"
LATER = 0.05
CANCELLED = law.StoredError(error_type="cancelled", message="cancelled by a test")


async def test_database_clock_decides(harness: Harness, aside: MySqlConnection) -> None:
    query = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
    ((before,),) = (await aside.run([query]))[0].rows
    (row,) = await harness.running(1)
    ((after,),) = (await aside.run([query]))[0].rows
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert before <= (row.started_at or 0) <= after
    assert row.expires_at == (row.started_at or 0) + row.timeout_ms
    await harness.expect(row)


@pytest.mark.parametrize("number", [1, 400])
async def test_batch_of_any_size_takes_as_many_trips(
    harness: Harness, statements: list[str], number: int
) -> None:
    await harness.register()
    statements.clear()
    await harness.insert_roots(number)
    claimed = await harness.claim(limit=number)
    await harness.complete(*claimed.records)
    assert len(claimed.records) == number
    written = [text.split()[0] for text in statements]
    assert written.count("INSERT") == 1
    assert written.count("SELECT") == 2  # the lease, and the rows
    assert written.count("UPDATE") == 2


async def test_claim_after_one_that_found_nothing_is_one_look(
    harness: Harness, statements: list[str]
) -> None:
    await harness.register()
    assert (await harness.claim()).records == ()
    statements.clear()
    assert await harness.claim() == Claimed(records=())
    assert [text.split()[0] for text in statements] == ["SELECT"]
    later = await harness.storage.now() + 60_000
    await harness.storage.insert([harness.records.root(later)])
    statements.clear()
    assert await harness.claim() == Claimed(records=(), next_start_at=later)
    assert len(statements) == 1
    await harness.insert_roots(1)
    assert len((await harness.claim()).records) == 1


async def test_look_before_a_claim_tells_nothing_to_whose_lease_is_over(harness: Harness) -> None:
    await harness.register(lease_ms=200)
    assert (await harness.claim()).records == ()
    later = await harness.storage.now() + 60_000
    await harness.storage.insert([harness.records.root(later)])
    assert (await harness.claim()).next_start_at == later
    await harness.advance(250)
    assert await harness.claim() == Claimed(records=())


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("10.11.6-MariaDB-0+deb12u1", False),
        ("5.5.5-10.6.12-MariaDB", False),
        ("8.0.16", False),
        ("8.0.19", True),
        ("8.0.36-0ubuntu0.22.04.1", True),
        ("8.4.0", True),
        ("9.1.0-commercial", True),
    ],
)
def test_upserts_name_their_row_where_the_server_can(version: str, expected: bool) -> None:
    assert has_row_alias(version) == expected


def test_upsert_with_a_named_row_is_the_same_upsert() -> None:
    dialect = MySqlDialect()
    statements = build_statements(dialect)
    registered = with_row_alias(statements.register.text)
    assert (
        " AS new_row ON DUPLICATE KEY UPDATE lease_expires_at = new_row.lease_expires_at,"
        in registered
    )
    assert "VALUES(" not in registered
    keyed = with_row_alias(statements.insert_keyed.text)
    assert "VALUES(" not in keyed
    assert keyed.count("new_row.") == 3
    assert with_row_alias(statements.get.text) == statements.get.text
    head, row, tail = _parts(keyed)
    assert head.endswith(" VALUES ")
    assert row.startswith("(%s")
    assert tail.startswith(" AS new_row ON DUPLICATE KEY UPDATE fence = ")


async def test_storage_says_that_it_cannot_notify(harness: Harness) -> None:
    assert not harness.storage.can_notify


async def test_texts_and_payloads_come_back_whatever_they_hold(harness: Harness) -> None:
    odd = "'\\\"; DROP TABLE x -- %s %% \0\n\r\x1a 🦉 "
    row = msgspec.structs.replace(
        harness.records.root(1),
        idempotency_key=odd,
        input=bytes(range(256)) * 3,
        tags=((odd, odd),),
    )
    await harness.storage.insert([row])
    await harness.expect(row)
    assert await harness.storage.get([odd]) == [None]


async def test_ids_that_differ_in_case_or_spaces_are_different(harness: Harness) -> None:
    rows = [
        msgspec.structs.replace(harness.records.root(1), execution_id=each)
        for each in ("id", "ID", "id ", "ïd")
    ]
    await harness.storage.insert(rows)
    await harness.expect(*rows)


async def test_row_larger_than_a_packet_is_refused_and_says_why(
    harness: Harness, aside: MySqlConnection
) -> None:
    row = msgspec.structs.replace(harness.records.root(1), input=b"x" * aside.max_packet)
    with pytest.raises(StorageError, match="larger than the server's max_allowed_packet") as raised:
        await harness.storage.insert([row])
    assert not isinstance(raised.value, StorageUnavailableError)
    await harness.insert_roots(1)


async def test_large_rows_travel_apart(harness: Harness) -> None:
    large = b"\\" * (3 << 20)
    rows = [msgspec.structs.replace(harness.records.root(1), input=large) for _ in range(8)]
    await harness.storage.insert(rows)
    await harness.expect(*rows)


async def test_cascades_and_children_that_end_leave_every_tree_finished(harness: Harness) -> None:
    second = await harness.second()
    for _ in range(10):
        families = [await harness.spawn(parent, 6) for parent in await harness.running(4)]
        children = sorted((await harness.claim()).records, key=lambda row: row.execution_id)
        now = await harness.storage.now()
        # As nobody in particular would order them; two at a time, so that a batch counts off
        # several parents.
        random.Random(1).shuffle(children)
        pairs = [children[at : at + 2] for at in range(0, len(children), 2)]
        finishes = [[law.complete(row, output=b"", now=now) for row in pair] for pair in pairs]
        cancels = [law.cancel(parent, error=CANCELLED, now=now) for parent, _ in families]
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


async def test_deadlock_with_somebody_else_is_tried_again(
    harness: Harness, aside: MySqlConnection
) -> None:
    high, low = reversed(await harness.running(2))

    def lock(row: ExecutionRecord) -> str:
        return f"SELECT 1 FROM {TABLE} WHERE execution_id = '{row.execution_id}' FOR UPDATE"

    # Whoever has written less is the one to give way: that is the storage.
    writes = f"UPDATE {TABLE} SET updated_at = updated_at + 1 WHERE execution_id = "
    others = await harness.insert_roots(20)
    await aside.run(["START TRANSACTION", *[f"{writes}'{row.execution_id}'" for row in others]])
    await aside.run([lock(low)])
    applying = asyncio.create_task(harness.complete(high, low))
    await asyncio.sleep(LATER)  # until it waits; if it does not yet, there is no deadlock
    await aside.run([lock(high)])
    await aside.run(["ROLLBACK"])
    assert (await applying).matched == (True, True)


async def test_claim_passes_over_rows_that_are_locked(
    harness: Harness, aside: MySqlConnection
) -> None:
    await harness.register()
    first, second = await harness.insert_roots(2)
    await aside.run(["START TRANSACTION"])
    await aside.run(
        [f"SELECT 1 FROM {TABLE} WHERE execution_id = '{first.execution_id}' FOR UPDATE"]
    )
    claimed = await harness.claim()
    assert [row.execution_id for row in claimed.records] == [second.execution_id]
    await aside.run(["ROLLBACK"])


async def test_eager_start_waits_for_who_holds_its_lease(
    harness: Harness, aside: MySqlConnection
) -> None:
    """Whoever forgets the executor locks it, and must see the rows of those that came before."""
    await harness.register("eager")
    await aside.run(
        [
            "START TRANSACTION",
            "DELETE FROM durable_executors WHERE executor_id = 'eager'",
        ]
    )
    now = await harness.storage.now()
    rows = [law.claimed(row, executor_id="eager", now=now) for row in harness.records.roots(now, 2)]
    starting = asyncio.create_task(harness.storage.insert_claimed(rows))
    await asyncio.sleep(LATER)  # until it waits; if it does not yet, it finds no lease either
    assert not starting.done()
    await aside.run(["COMMIT"])
    assert not await starting
    assert await harness.storage.get([row.execution_id for row in rows]) == [None, None]
    await harness.register("eager")
    assert await harness.storage.insert_claimed(rows)
    await harness.expect(*rows)


async def test_task_takes_two_trips_where_it_starts_with_its_insert(
    harness: Harness, statements: list[str]
) -> None:
    await harness.register("eager")
    now = await harness.storage.now()
    row = law.claimed(harness.records.root(now), executor_id="eager", now=now)
    statements.clear()
    assert await harness.storage.insert_claimed([row])
    assert [text.split()[0] for text in statements] == ["INSERT"]
    statements.clear()
    await harness.storage.apply(_completions([row]))
    assert [text.split()[0] for text in statements] == ["UPDATE"]


async def test_claim_that_is_late_is_not_forgotten(
    harness: Harness, aside: MySqlConnection
) -> None:
    """The claim is under way while others find its executor dead and without rows."""
    await harness.storage.heartbeat(Beat(executor_id="late", lease_ms=20))
    (row,) = await harness.insert_roots(1)
    await aside.run(
        [
            "START TRANSACTION",
            "SELECT 1 FROM durable_executors WHERE executor_id = 'late' FOR UPDATE",
        ]
    )
    await asyncio.sleep(LATER)
    forgetting = asyncio.create_task(harness.storage.orphans(10))
    await asyncio.sleep(LATER)
    assert not forgetting.done()
    claim = f"UPDATE {TABLE} SET status = 'running', executor_id = 'late', fence = 1"
    await aside.run([f"{claim} WHERE execution_id = '{row.execution_id}'", "COMMIT"])
    assert await forgetting == []
    assert [each.execution_id for each in await harness.storage.orphans(10)] == [row.execution_id]


async def test_cut_connections_are_replaced(harness: Harness, aside: MySqlConnection) -> None:
    (row,) = await harness.insert_roots(1)
    await asyncio.gather(*[harness.storage.get([row.execution_id]) for _ in range(20)])
    answer = await aside.run(
        ["SELECT id FROM information_schema.processlist WHERE db = DATABASE()"]
    )
    own = aside.get_server_pid()
    for (session,) in answer[0].rows:
        if session != own:
            await aside.run([f"KILL {session}"])
    async with asyncio.timeout(30):
        while True:
            try:
                await harness.expect(row)
            except StorageUnavailableError:
                await asyncio.sleep(0.01)
            else:
                break


async def test_server_that_was_killed_and_came_back_has_everything(
    mariadb_server: MariaDbServer,
) -> None:
    mariadb_server.run("CREATE DATABASE test")
    storage = open_storage(f"{mariadb_server.url}/test")
    await storage.open()
    row = RecordBuilder().root(1)
    await storage.insert([row])
    await asyncio.sleep(1.1)  # this server writes its log once a second
    mariadb_server.stop(is_crash=True)
    with pytest.raises(StorageUnavailableError):
        await storage.get([row.execution_id])
    with pytest.raises(StorageUnavailableError, match="the connection failed"):
        await storage.insert([row])
    mariadb_server.start()
    async with asyncio.timeout(30):
        assert await storage.get([row.execution_id]) == [row]
    await storage.close()


async def test_cancelled_call_leaves_a_working_storage(
    harness: Harness, aside: MySqlConnection
) -> None:
    row, other = await harness.running(2)
    await aside.run(["START TRANSACTION"])
    await aside.run([f"SELECT 1 FROM {TABLE} WHERE execution_id = '{row.execution_id}' FOR UPDATE"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await harness.complete(row, other)
    await aside.run(["ROLLBACK"])
    await harness.expect(row, other)
    await harness.complete(row, other)


async def test_cancelled_call_of_one_statement_may_happen_all_the_same(
    harness: Harness, aside: MySqlConnection
) -> None:
    (row,) = await harness.running(1)
    await aside.run(["START TRANSACTION"])
    await aside.run([f"SELECT 1 FROM {TABLE} WHERE execution_id = '{row.execution_id}' FOR UPDATE"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await harness.complete(row)
    await aside.run(["ROLLBACK"])
    await harness.storage.apply(_completions([row]))  # matches or not: once is enough
    assert (await harness.read(row)).status == "completed"


@pytest.mark.parametrize("number", [1, 2, 600])
async def test_batch_of_finishes_tells_which_of_them_held(harness: Harness, number: int) -> None:
    """The count does not tell: where only some match, they are asked one by one."""
    rows = await harness.running(number)
    await harness.complete(*rows[::2])
    again = await harness.storage.apply(_completions(rows))
    assert again.matched == tuple(place % 2 == 1 for place in range(number))
    once_more = await harness.storage.apply(_completions(rows))
    assert once_more.matched == (False,) * number
    for row in rows:
        assert (await harness.read(row)).status == "completed"


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b'{"json":"\\u0000 \\" \\\\ \\n"}',
        "🦉 % %s ' \" \\ \0 \n".encode(),
        bytes(range(256)),
        b"x" * (1 << 20),
    ],
    ids=["empty", "json", "odd text", "no text", "large"],
)
async def test_outputs_of_a_batch_come_back_whatever_they_hold(
    harness: Harness, output: bytes
) -> None:
    now = await harness.storage.now()
    rows = await harness.running(4)
    error = law.StoredError(error_type="generic", message="odd: ' \" \\ 🦉")
    moves = [law.complete(row, output=output, now=now) for row in rows[:2]]
    fails = [law.fail(row, status="failed", error=error, now=now) for row in rows[2:]]
    applied = await harness.storage.apply([*moves, *fails])
    assert applied.matched == (True,) * 4
    assert [(await harness.read(row)).output for row in rows[:2]] == [output, output]
    assert [(await harness.read(row)).error for row in rows[2:]] == [error, error]


def _completions(rows: Sequence[ExecutionRecord]) -> list[Transition]:
    return [law.complete(row, output=b"[]", now=row.updated_at) for row in rows]
