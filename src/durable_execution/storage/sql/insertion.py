"""Inserting rows inside one transaction: those without a key, those with one, and their tags."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from durable_execution._core.labels import check_same_input
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.transitions import unclaimed
from durable_execution.errors import IdempotencyConflictError, StorageUnavailableError
from durable_execution.storage.sql.driver import (
    KeyConflictError,
    SleepingIdConflictError,
    SqlDialect,
    StartRefusedError,
    Statement,
    Transaction,
)
from durable_execution.storage.sql.new_rows import (
    are_traced,
    is_claimed_child,
    is_new_child,
    is_new_root,
    to_child_row,
    to_claimed_child_row,
    to_root_row,
    to_traced_child_row,
    to_traced_claimed_child_row,
    to_traced_root_row,
)
from durable_execution.storage.sql.rows import to_record, to_row
from durable_execution.storage.sql.statements import Statements

Answers = list[ExecutionRecord | None]


async def insert_rows(
    transaction: Transaction, statements: Statements, records: Sequence[ExecutionRecord]
) -> None:
    """Insert new rows that have no key and no tags.

    Raises:
        SleepingIdConflictError: With the records.
    """
    try:
        if records and all(map(is_new_child, records)):
            await _insert_children(transaction, statements, records)
        else:
            await _insert(transaction, statements.insert, records)
    except SleepingIdConflictError as conflict:
        conflict.records = records
        raise


async def insert_children(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    records: Sequence[ExecutionRecord],
    *,
    now: Callable[[], int],
) -> bool:
    """Insert new children, claimed ones as such while their executor has a lease.

    `now` is the caller's clock, for dialects that use it. Return whether they were inserted so.

    Raises:
        SleepingIdConflictError: With the records.
    """
    started = [record for record in records if is_claimed_child(record)]
    if not started:
        await insert_rows(transaction, statements, records)
        return True
    rest = [record for record in records if not is_claimed_child(record)]
    has_started = await _insert_claimed_children(transaction, statements, dialect, started, now())
    if not has_started:
        rest += map(unclaimed, started)
    if rest:
        await insert_rows(transaction, statements, rest)
    return has_started


async def insert_roots(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    records: Sequence[ExecutionRecord],
    strict_ids: Collection[str] = (),
) -> Answers:
    """Insert new rows, as `Storage.insert` says.

    Raises:
        SleepingIdConflictError: With the records.
        KeyConflictError: A strict row's key was used with another input.
    """
    keyed = [record for record in records if record.idempotency_key is not None]
    plain = [record for record in records if record.idempotency_key is None] if keyed else records
    try:
        await _insert(transaction, statements.insert_keyed, keyed)
        if all(map(is_new_root, plain)):
            if plain:
                await _insert_ready(transaction, statements, plain)
        else:
            await _insert(transaction, statements.insert, plain)
    except SleepingIdConflictError as conflict:
        conflict.records = records
        raise
    holders = await _holders(transaction, statements, dialect, keyed) if keyed else {}
    answers = [holders.get(record.execution_id) for record in records]
    for record, holder in zip(records, answers, strict=True):
        if holder is not None and record.execution_id in strict_ids:
            _check_same_input(record, holder)
    inserted = [row for row, holder in zip(records, answers, strict=True) if holder is None]
    await _insert_tags(transaction, statements, inserted)
    return answers


async def insert_claimed(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    records: Sequence[ExecutionRecord],
    *,
    now: int,
) -> None:
    """Insert rows that are claimed already, as `Storage.insert_claimed` says.

    `now` is the caller's clock, for dialects that use it.

    Raises:
        StartRefusedError: The executor has no lease, or a key is held. Some may be written: roll
            back.
    """
    keyed = [record for record in records if record.idempotency_key is not None]
    plain = records
    if keyed:
        plain = [record for record in records if record.idempotency_key is None]
        lease = statements.has_lease
        values = lease.bind(executor_id=keyed[0].executor_id, now=now)
        if not await transaction.fetch(lease, values):
            raise StartRefusedError
        await _insert(transaction, statements.insert_keyed, keyed)
        ids = dialect.texts([record.execution_id for record in keyed])
        values = statements.present.bind(execution_ids=ids)
        if len(await transaction.fetch(statements.present, values)) < len(keyed):
            raise StartRefusedError
    if plain and not await _insert_claimed(transaction, statements, dialect, plain, now):
        raise StartRefusedError


async def _insert_claimed(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    records: Sequence[ExecutionRecord],
    now: int,
) -> bool:
    """Insert such rows without keys, if their executor has a lease."""
    insert, rows = statements.insert_claimed, list(map(to_root_row, records))
    if are_traced(records):
        insert, rows = statements.insert_claimed_traced, list(map(to_traced_root_row, records))
    if dialect.does_insert_look_for_lease:
        return await transaction.insert_new(insert, rows, (now,) if "now" in insert.names else ())
    values = statements.has_lease.bind(executor_id=records[0].executor_id, now=now)
    return await transaction.insert_while((statements.has_lease, values), insert, rows)


async def _insert_claimed_children(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    records: Sequence[ExecutionRecord],
    now: int,
) -> bool:
    """Insert children that are claimed already, if their executor has a lease."""
    insert, to_narrow = statements.insert_claimed_child, to_claimed_child_row
    if are_traced(records):
        insert, to_narrow = statements.insert_claimed_child_traced, to_traced_claimed_child_row
    rows = list(map(to_narrow, records))
    if dialect.does_insert_look_for_lease:
        return await transaction.insert_new(insert, rows, (now,) if "now" in insert.names else ())
    lease = statements.has_lease
    values = lease.bind(executor_id=records[0].executor_id, now=now)
    if not await transaction.fetch(lease, values):
        return False
    return await transaction.insert_new(insert, rows)


async def _insert_ready(
    transaction: Transaction, statements: Statements, records: Sequence[ExecutionRecord]
) -> None:
    if are_traced(records):
        rows = list(map(to_traced_root_row, records))
        await transaction.insert_new(statements.insert_root_traced, rows)
    else:
        await transaction.insert_new(statements.insert_root, list(map(to_root_row, records)))


async def _insert_children(
    transaction: Transaction, statements: Statements, records: Sequence[ExecutionRecord]
) -> None:
    if are_traced(records):
        rows = list(map(to_traced_child_row, records))
        await transaction.insert_new(statements.insert_child_traced, rows)
    else:
        await transaction.insert_new(statements.insert_child, list(map(to_child_row, records)))


def _check_same_input(record: ExecutionRecord, holder: ExecutionRecord) -> None:
    try:
        check_same_input(record, holder)
    except IdempotencyConflictError as error:
        raise KeyConflictError(error) from error


async def _insert(
    transaction: Transaction, statement: Statement, records: Sequence[ExecutionRecord]
) -> None:
    if records:
        await transaction.execute_many(statement, [to_row(record) for record in records])


async def _insert_tags(
    transaction: Transaction, statements: Statements, records: Sequence[ExecutionRecord]
) -> None:
    insert = statements.insert_tag
    rows = [
        insert.bind(name=name, value=value, execution_id=record.execution_id)
        for record in records
        for name, value in record.tags
    ]
    if rows:
        await transaction.execute_many(insert, rows)


async def _holders(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    keyed: Sequence[ExecutionRecord],
) -> dict[str, ExecutionRecord]:
    """Return who holds the keys of the rows that were left out, by the ids of those rows."""
    ids = dialect.texts([record.execution_id for record in keyed])
    present = await transaction.fetch(
        statements.present, statements.present.bind(execution_ids=ids)
    )
    stored = {row[0] for row in present}
    left_out = [record for record in keyed if record.execution_id not in stored]
    if not left_out:
        return {}
    values = statements.key_holders.bind(
        task_ids=dialect.texts(sorted({record.task_id for record in left_out})),
        idempotency_keys=dialect.texts(sorted({_key(record)[1] for record in left_out})),
    )
    found = map(to_record, await transaction.fetch(statements.key_holders, values))
    by_key = {_key(holder): holder for holder in found}
    try:
        return {record.execution_id: by_key[_key(record)] for record in left_out}
    except KeyError as error:
        # Deleted between two statements, where statements do not share a snapshot.
        raise StorageUnavailableError(
            f"the execution with the idempotency key {error.args[0][1]!r} was just deleted"
        ) from None


def _key(record: ExecutionRecord) -> tuple[str, str]:
    return record.task_id, record.idempotency_key or ""
