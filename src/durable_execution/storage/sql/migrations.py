"""Creating the tables, and bringing those of an older release up to date.

The database says its version in `durable_execution_schema`. An empty one is created at the newest
version; an older one takes every step in between, all in one transaction under the lock that
`Driver.write` takes, so that several processes may open an empty database at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from durable_execution.errors import StorageError
from durable_execution.storage.sql.driver import SqlDialect, Statement, Transaction
from durable_execution.storage.sql.schema import (
    INDEXES,
    executions,
    executors,
    progress,
    schema_version,
    tags,
)
from durable_execution.storage.sql.statements import Statements

_PROGRESS: Final = {
    "sqlite": (
        """CREATE TABLE durable_task_execution_progress (
    execution_id VARCHAR(64) NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE NOT NULL,
    message TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)
 WITHOUT ROWID""",
    ),
    "postgresql": (
        """CREATE TABLE durable_task_execution_progress (
    execution_id TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE PRECISION NOT NULL,
    message TEXT COLLATE "C",
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)""",
    ),
    "mysql": (
        """CREATE TABLE IF NOT EXISTS durable_task_execution_progress (
    execution_id VARBINARY(256) NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE NOT NULL,
    message LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC""",
    ),
}
# MySQL has no ADD COLUMN IF NOT EXISTS, and forgets nothing of a step that a crash cut short. The
# name of the table stands behind a space in its texts: there it is renamed like any other.
_TRACEPARENT: Final = {
    "sqlite": ("ALTER TABLE durable_task_executions ADD COLUMN traceparent VARCHAR(55)",),
    "postgresql": (
        """ALTER TABLE durable_task_executions ADD COLUMN traceparent TEXT COLLATE "C\"""",
    ),
    "mysql": (
        """SET @our_step = (SELECT IF(
    COUNT(*) = 0,
    'ALTER TABLE durable_task_executions ADD COLUMN traceparent VARBINARY(220)',
    'DO 0'
) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = TRIM(REPLACE(' durable_task_executions', '"', ''))
    AND column_name = 'traceparent')""",
        "PREPARE our_step FROM @our_step",
        "EXECUTE our_step",
        "DEALLOCATE PREPARE our_step",
    ),
}


def _altered_on_mysql(table: str, missing: str, change: str) -> tuple[str, ...]:
    """Return what changes a table that lacks a column, and leaves it alone when repeated."""
    return (
        f"""SET @our_step = (SELECT IF(
    COUNT(*) = 0,
    'ALTER TABLE {table} {change}',
    'DO 0'
) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = TRIM(REPLACE(' {table}', '"', '')) AND column_name = '{missing}')""",  # noqa: S608 - texts of ours
        "PREPARE our_step FROM @our_step",
        "EXECUTE our_step",
        "DEALLOCATE PREPARE our_step",
    )


# What failed gets its index by a generated column, for which PostgreSQL and MySQL write the table
# anew: a few seconds for a million rows, and nobody else writes meanwhile.
_LISTS: Final = {
    "sqlite": (
        "ALTER TABLE durable_executors ADD COLUMN started_at BIGINT",
        "ALTER TABLE durable_executors ADD COLUMN beat_at BIGINT",
        "ALTER TABLE durable_executors ADD COLUMN held_count INTEGER",
        "ALTER TABLE durable_executors ADD COLUMN ended_count BIGINT",
        """CREATE INDEX durable_by_task ON durable_task_executions (task_id, execution_id)
    WHERE index_in_parent >= 0""",
        """CREATE INDEX durable_failed ON durable_task_executions (execution_id)
    WHERE status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out')""",
        """CREATE INDEX durable_unfinished ON durable_task_executions (execution_id)
    WHERE finished_at IS NULL""",
    ),
    "postgresql": (
        """ALTER TABLE durable_executors ADD COLUMN started_at BIGINT, ADD COLUMN beat_at BIGINT,
    ADD COLUMN held_count INTEGER, ADD COLUMN ended_count BIGINT""",
        """ALTER TABLE durable_task_executions ADD COLUMN failed_id TEXT COLLATE "C"
    GENERATED ALWAYS AS (
        CASE WHEN status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out')
        THEN execution_id END
    ) STORED""",
        """CREATE INDEX durable_by_task ON durable_task_executions (task_id, execution_id)
    WHERE index_in_parent >= 0""",
        """CREATE INDEX durable_failed ON durable_task_executions (failed_id)
    WHERE failed_id IS NOT NULL""",
    ),
    "mysql": (
        *_altered_on_mysql(
            "durable_executors",
            "started_at",
            "ADD COLUMN started_at BIGINT, ADD COLUMN beat_at BIGINT, "
            "ADD COLUMN held_count INTEGER, ADD COLUMN ended_count BIGINT",
        ),
        *_altered_on_mysql(
            "durable_task_executions",
            "failed_id",
            "ADD COLUMN failed_id VARBINARY(256) GENERATED ALWAYS AS (CASE WHEN status IN "
            "(''cancelled'', ''failed'', ''finalize_failed'', ''timed_out'') "
            "THEN execution_id END) STORED, "
            "ADD KEY durable_by_task (task_id, execution_id), ADD KEY durable_failed (failed_id)",
        ),
    ),
}
# Room for a `tracestate` behind the `traceparent`: the others mind no length. May be repeated.
_TRACESTATE: Final = {
    "sqlite": (),
    "postgresql": (),
    "mysql": ("ALTER TABLE durable_task_executions MODIFY COLUMN traceparent VARBINARY(568)",),
}
# NULL in every row: none of these databases writes a row for that.
_PAST: Final = {
    "sqlite": (
        "ALTER TABLE durable_task_executions ADD COLUMN past_attempts TEXT",
        "ALTER TABLE durable_task_executions ADD COLUMN past_attempts_count INTEGER",
    ),
    "postgresql": (
        """ALTER TABLE durable_task_executions ADD COLUMN past_attempts TEXT COLLATE "C",
    ADD COLUMN past_attempts_count INTEGER""",
    ),
    "mysql": _altered_on_mysql(
        "durable_task_executions",
        "past_attempts",
        "ADD COLUMN past_attempts LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, "
        "ADD COLUMN past_attempts_count INTEGER",
    ),
}
# Room for a finish beside every row of a page that is written from now on: a note, no row is moved.
_ROOM: Final = {
    "sqlite": (),
    "postgresql": ("ALTER TABLE durable_task_executions SET (fillfactor = 50)",),
    "mysql": (),
}
STEPS: Final[tuple[Mapping[str, Sequence[str]], ...]] = (
    _PROGRESS,
    _TRACEPARENT,
    _LISTS,
    _TRACESTATE,
    _PAST,
    _ROOM,
)
"""The step from version n to n + 1 at position n - 1: DDL by dialect name, frozen once released."""


async def migrate(
    transaction: Transaction,
    dialect: SqlDialect,
    statements: Statements,
    steps: Sequence[Mapping[str, Sequence[str]]] = STEPS,
) -> None:
    """Create the schema, or bring it to the version of this release.

    Raises:
        StorageError: The database was written by a newer release.
    """
    if dialect.schema_lock is not None:
        await transaction.execute(Statement(dialect.schema_lock, ()))
    await _bring_up_to_date(transaction, dialect, statements, steps)
    if dialect.schema_unlock is not None:
        await transaction.execute(Statement(dialect.schema_unlock, ()))


async def _bring_up_to_date(
    transaction: Transaction,
    dialect: SqlDialect,
    statements: Statements,
    steps: Sequence[Mapping[str, Sequence[str]]],
) -> None:
    newest = len(steps) + 1
    # The version's own table is made first and apart: it must exist to be asked.
    version_table = CreateTable(schema_version, if_not_exists=True)
    await transaction.execute(Statement(_text(version_table, dialect), ()))
    rows = await transaction.fetch(statements.read_version)
    if not rows:
        for ddl in schema_ddl(dialect):
            await transaction.execute(Statement(ddl, ()))
        await transaction.execute(
            statements.insert_version, statements.insert_version.bind(version=newest)
        )
        return
    found = rows[0][0]
    if not isinstance(found, int) or not 1 <= found <= newest:
        raise unknown_version(found, newest)
    if found == newest:
        return
    for step in steps[found - 1 :]:
        for ddl in step[dialect.name]:
            await transaction.execute(Statement(dialect.tables.renamed(ddl), ()))
    await transaction.execute(
        statements.update_version, statements.update_version.bind(version=newest)
    )


def unknown_version(found: object, newest: int) -> StorageError:
    """Return the error for a database that another release has changed."""
    return StorageError(
        f"the database has schema version {found!r}, this release knows 1 to {newest}: "
        "use the release that wrote it, or a newer one"
    )


def schema_ddl(dialect: SqlDialect) -> list[str]:
    """Return the statements that create the newest schema, the version's table left out."""
    elements = dialect.ddl((executions, tags, progress, executors), INDEXES)
    return [_text(element, dialect) for element in elements]


def _text(element: ExecutableDDLElement, dialect: SqlDialect) -> str:
    return dialect.tables.renamed(str(element.compile(dialect=dialect.compiler)).strip())
