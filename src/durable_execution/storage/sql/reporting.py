"""Keeping the progress of a batch of rows inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from durable_execution._core.progress import Report
from durable_execution.storage.sql.driver import SqlDialect, Transaction
from durable_execution.storage.sql.rows import progress_row
from durable_execution.storage.sql.statements import Statements


async def report_progress(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    reports: Sequence[Report],
) -> list[bool]:
    """Keep what is reported of rows that are held as the reports say; tell for each whether."""
    held_rows = statements.held_rows
    ids = dialect.texts([report.execution_id for report in reports])
    held = set(await transaction.fetch(held_rows, held_rows.bind(execution_ids=ids)))
    matched = [(report.execution_id, report.progress.fence) in held for report in reports]
    rows = [progress_row(each) for each, holds in zip(reports, matched, strict=True) if holds]
    if rows:
        # In one order everywhere, so that two batches never wait for each other.
        await transaction.execute_many(statements.put_progress, sorted(rows, key=_id_of))
    return matched


def _id_of(row: tuple[object, ...]) -> str:
    return str(row[0])
