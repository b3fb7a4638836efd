"""What is different about the SQL of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLCompiler, MySQLDialect

from durable_execution.storage.sql.mysql_clock import CLOCK, NOW
from durable_execution.storage.sql.mysql_schema import (
    ASLEEP_UNTIL,
    FAILED_ID,
    JOINABLE_AT,
    LOCK_SCHEMA,
    READY_AT,
    UNLOCK_SCHEMA,
    DdlCompiler,
    mysql_ddl,
)
from durable_execution.storage.sql.mysql_trees import (
    cancel_descendants,
    find_trees,
    last_children_of,
    lock_trees,
)
from durable_execution.storage.sql.new_rows import constants_beside
from durable_execution.storage.sql.rows import FIELDS, PROGRESS, TAG, Value
from durable_execution.storage.sql.schema import (
    IS_HELD,
    executions,
    executors,
    has_lease,
    is_newer,
    progress,
    tags,
)
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

if TYPE_CHECKING:
    from sqlalchemy import Delete, Index, Select, Table
    from sqlalchemy.engine import Dialect
    from sqlalchemy.schema import ExecutableDDLElement
    from sqlalchemy.sql.selectable import FromClause, GenerativeSelect

_E: Final = executions.c
_COLUMNS: Final = tuple(executions.c[name] for name in FIELDS)
_ONE: Final = literal_column("1", Integer)


class _Compiler(MySQLCompiler):
    def limit_clause(self, select: GenerativeSelect, **options: object) -> str:
        """Leave out the offset of 0 that SQLAlchemy adds as one more parameter."""
        # How SQLAlchemy's own dialects read them.
        parts = {"LIMIT": select._limit_clause, "OFFSET": select._offset_clause}  # noqa: SLF001
        return "".join(
            f"\n {word} {self.process(part, **options)}"
            for word, part in parts.items()
            if part is not None
        )


class MySqlDialect:
    """MySQL 8.0.16 and later, MariaDB 10.6 and later: SKIP LOCKED, checks, recursive CTEs.

    A list is one parameter, which the driver writes out: texts in parentheses.

    Args:
        has_clock: Whether the caller's clock, the parameter `now`, decides instead of the
            database's.
        tables: What the tables are called.
    """

    name = "mysql"
    schema_lock = LOCK_SCHEMA
    schema_unlock = UNLOCK_SCHEMA
    finds_unfinished = False
    does_claim_look_ahead = False
    does_insert_look_for_lease = False

    def __init__(
        self, *, has_clock: bool = False, tables: TaskExecutionTables = DEFAULT_TABLES
    ) -> None:
        self.tables = tables
        self.compiler: Dialect = MySQLDialect(paramstyle="format")
        self.compiler.statement_compiler = _Compiler
        self.compiler.ddl_compiler = DdlCompiler
        self._has_clock = has_clock

    def ddl(  # noqa: D102
        self, tables: Sequence[Table], indexes: Sequence[Index]
    ) -> list[ExecutableDDLElement]:
        return mysql_ddl(tables, indexes)

    def now(self) -> ColumnElement[int]:
        """Return the time at which the transaction began.

        What has just become due is then found either by "until now" or by "from now on".
        """
        if self._has_clock:
            return bindparam("now", type_=BigInteger)
        return literal_column(NOW, BigInteger)

    def failed_id(self) -> ColumnElement[str]:  # noqa: D102
        return FAILED_ID

    def has_failed(self) -> ColumnElement[bool]:  # noqa: D102
        return FAILED_ID.is_not(None)

    def ready_at(self) -> ColumnElement[int]:  # noqa: D102
        return READY_AT

    def is_ready(self) -> ColumnElement[bool]:  # noqa: D102
        return READY_AT.is_not(None)

    def is_any_of(self, column: Column[str], parameter: str) -> ColumnElement[bool]:  # noqa: D102
        return cast("ColumnElement[bool]", column.op("IN")(bindparam(parameter)))

    def listed(self, parameter: str) -> FromClause:
        """Return the ids of those rows that there are: only of rows is anything asked."""
        row = executions.alias("listed_row")
        listed = select(row.c.execution_id.label("value"))
        return listed.where(self.is_any_of(row.c.execution_id, parameter)).subquery(parameter)

    def texts(self, values: Sequence[str]) -> Value:
        """Return the texts without those that no row can have; NULL, which is nothing, for none."""
        return cast("Value", tuple(filter(_is_storable, values)) or (None,))

    def place_of(  # noqa: D102
        self, part: ColumnElement[str], text: ColumnElement[str]
    ) -> ColumnElement[int]:
        return func.instr(text, part)

    def insert(self) -> ClauseElement:  # noqa: D102
        new = _new_row()
        return _unless_same(new, _is_given(new, "execution_id"))

    def insert_root(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return _narrow_row(layout)

    def insert_child(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return _narrow_row(layout)

    def insert_claimed(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return self.insert_root(layout)

    def insert_keyed(self) -> ClauseElement:  # noqa: D102
        new = _new_row()
        has_key = and_(_is_given(new, "task_id"), _is_given(new, "idempotency_key"))
        return _unless_same(new, or_(_is_given(new, "execution_id"), has_key))

    def insert_tag(self) -> ClauseElement:  # noqa: D102
        new = mysql.insert(tags).values({name: bindparam(name) for name in TAG})
        return new.on_duplicate_key_update(execution_id=tags.c.execution_id)

    def put_progress(self) -> ClauseElement:
        """The columns that tell what is newer come last: each sees what those before it left."""
        new = mysql.insert(progress).values({name: bindparam(name) for name in PROGRESS})
        given, kept = new.inserted, progress.c
        newer = is_newer(given)
        return new.on_duplicate_key_update(
            [
                *[
                    (name, func.IF(newer, given[name], kept[name]))
                    for name in ("fraction", "message", "updated_at", "number")
                ],
                ("fence", func.GREATEST(given.fence, kept.fence)),
            ]
        )

    def claim(self) -> ClauseElement:
        """Lock due rows and return them as they were, with the instant of the claim.

        Rows that others hold locked are passed over. By the index of what is due and no other,
        so that nothing is locked beyond the limit.
        """
        return (
            select(*_COLUMNS, self.now().label("claimed_at"))
            .with_hint(executions, "FORCE INDEX (durable_ready)", "mysql")
            .where(self.now() >= READY_AT, self.is_any_of(_E.task_id, "task_ids"))
            .order_by(READY_AT)
            .limit(bindparam("limit"))
            .with_for_update(skip_locked=True)
        )

    def adapted(self, statements: dict[str, ClauseElement]) -> dict[str, ClauseElement]:
        """Return the shared statements as this database runs them best."""
        forget = cast("Delete", statements["forget_executor"]).where(not_(_holds_a_row()))
        beat = self._beat()
        return {
            **statements,
            "last_children_of": last_children_of(self.listed("parent_execution_ids")),
            "has_lease": self._hold_lease(self._instant()),
            "hold_lease": self._hold_lease(self.now()),
            "claim_locked": self._claim_locked(),
            "next_start_at": select(func.min(READY_AT))
            .select_from(executions)
            .where(
                self.now() < READY_AT,
                self.is_any_of(_E.task_id, "task_ids"),
                has_lease(self.now()),
            ),
            "peek": select(READY_AT, self._instant().label("seen_at"))
            .select_from(executions)
            .with_hint(executions, "FORCE INDEX (durable_ready)", "mysql")
            .where(
                READY_AT.is_not(None),
                self.is_any_of(_E.task_id, "task_ids"),
                has_lease(self._instant()),
            )
            .order_by(READY_AT)
            .limit(_ONE),
            "cancel_descendants": cancel_descendants(),
            # Held, so that the row cannot be deleted before its progress is there to go with it.
            "held_rows": cast("Select[Any]", statements["held_rows"])
            .order_by(_E.execution_id.desc())
            .with_for_update(read=True),
            "hold_finished": cast("Select[Any]", statements["hold_finished"]).with_for_update(),
            "find_trees": find_trees(self.is_any_of(_E.parent_execution_id, "ancestor_ids")),
            "lock_trees": lock_trees(self.is_any_of(_E.execution_id, "execution_ids")),
            # An idle executor's beat is two statements, without a transaction.
            "leases_seen": self._leases_seen(),
            "register": beat,
            "extend_lease": beat,
            "forget_executor": forget,
            "known_tasks": select(executors.c.task_ids).where(
                executors.c.lease_expires_at > self._instant(), executors.c.task_ids.is_not(None)
            ),
            "lock_executors": select(executors.c.executor_id)
            .where(self.is_any_of(executors.c.executor_id, "executor_ids"))
            .order_by(executors.c.executor_id)
            .with_for_update(),
            "joinable": _scan(JOINABLE_AT).where(
                JOINABLE_AT.is_not(None), self.is_any_of(_E.task_id, "task_ids")
            ),
            "backlog_sleeping": select(func.count()).select_from(
                select(_E.execution_id)
                .where(ASLEEP_UNTIL.is_not(None))
                .limit(bindparam("limit"))
                .subquery("sleeping")
            ),
            "expired_sleepers": _scan(ASLEEP_UNTIL).where(self.now() >= ASLEEP_UNTIL),
            "earliest_ready": select(func.min(READY_AT))
            .select_from(executions)
            .where(READY_AT.is_not(None)),
            "first_expires_at": select(func.min(ASLEEP_UNTIL), self._instant().label("seen_at"))
            .select_from(executions)
            .where(ASLEEP_UNTIL.is_not(None)),
            "next_expires_at": select(func.min(ASLEEP_UNTIL))
            .select_from(executions)
            .where(self.now() < ASLEEP_UNTIL),
            "finished_roots": cast("Select[Any]", statements["finished_roots"]).with_hint(
                executions, "FORCE INDEX (PRIMARY)", "mysql"
            ),
            "lock_finished": select(_E.execution_id, _E.tags)
            .where(self.is_any_of(_E.execution_id, "execution_ids"), _E.finished_at.is_not(None))
            .order_by(_E.execution_id.desc())
            .with_for_update(),
            "delete_finished": delete(executions).where(
                self.is_any_of(_E.execution_id, "execution_ids")
            ),
        }

    def _instant(self) -> ColumnElement[int]:
        """Return the time, for a statement that no transaction has begun for."""
        return self.now() if self._has_clock else literal_column(CLOCK, BigInteger)

    def _hold_lease(self, now: ColumnElement[int]) -> ClauseElement:
        """Whoever forgets the executor waits for the claim, or the claim for it."""
        return (
            select(executors.c.executor_id)
            .where(
                executors.c.executor_id == bindparam("executor_id"),
                executors.c.lease_expires_at > now,
            )
            .with_for_update()
        )

    def _leases_seen(self) -> ClauseElement:
        now = self._instant()
        is_own = executors.c.executor_id == bindparam("who")
        return select(
            executors.c.executor_id, executors.c.lease_expires_at, now.label("seen_at")
        ).where(or_(is_own, executors.c.lease_expires_at <= now))

    def _claim_locked(self) -> ClauseElement:
        at = bindparam("claimed_at", type_=BigInteger)
        return (
            update(executions)
            .ordered_values(
                (_E.status, literal_column("'running'")),
                (_E.executor_id, bindparam("executor_id")),
                (_E.fence, _E.fence + literal_column("1", BigInteger)),
                (_E.started_at, at),
                (_E.expires_at, at + _E.timeout_ms),
                (_E.updated_at, at),
            )
            .where(self.is_any_of(_E.execution_id, "execution_ids"))
        )

    def _beat(self) -> ClauseElement:
        now = self._instant()
        lease = now + bindparam("lease_ms", type_=BigInteger)
        new = mysql.insert(executors).values(
            executor_id=bindparam("who"),
            lease_expires_at=lease,
            started_at=now,
            beat_at=now,
            held_count=bindparam("held_count", type_=Integer),
            ended_count=bindparam("ended_count", type_=BigInteger),
        )
        told = ("lease_expires_at", "beat_at", "held_count", "ended_count")
        return new.on_duplicate_key_update({name: new.inserted[name] for name in told})


def _narrow_row(names: Sequence[str]) -> ClauseElement:
    given: dict[str, ColumnElement[Any]] = {name: bindparam(name) for name in names}
    new = mysql.insert(executions).values(given | constants_beside(names))
    return _unless_same(new, _is_given(new, "execution_id"))


def _new_row() -> mysql.Insert:
    return mysql.insert(executions).values({name: bindparam(name) for name in FIELDS})


def _is_given(new: mysql.Insert, name: str) -> ColumnElement[bool]:
    return _E[name] == new.inserted[name]


def _unless_same(new: mysql.Insert, is_same: ColumnElement[bool]) -> ClauseElement:
    """Let the insert change nothing in a row that is the same.

    Any other row that is in the way has the sleeping id, and would break a constraint.
    """
    broken = literal_column("-1", BigInteger)
    return new.on_duplicate_key_update(fence=func.IF(is_same, _E.fence, broken))


def _holds_a_row() -> ColumnElement[bool]:
    # A claim may have ended since its executor's rows were looked for.
    return exists().where(IS_HELD, _E.executor_id == executors.c.executor_id)


def _scan(at: ColumnElement[int]) -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).order_by(at).limit(bindparam("limit"))


def _is_storable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
