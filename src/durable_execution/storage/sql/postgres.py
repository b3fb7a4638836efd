"""What is different about PostgreSQL's SQL.

Batches are set-based: a statement that the others run for each row takes one array for each of
its parameters, and `unnest` makes rows of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    Column,
    ColumnElement,
    Integer,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    select,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect

from durable_execution.storage.sql.postgres_batches import TEXTS, for_each, rows_of
from durable_execution.storage.sql.postgres_new_rows import (
    insert_children,
    insert_claimed,
    insert_ready,
)
from durable_execution.storage.sql.postgres_schema import (
    ASLEEP_UNTIL,
    FAILED_ID,
    JOINABLE_AT,
    LOCK_SCHEMA,
    READY_AT,
    postgres_ddl,
)
from durable_execution.storage.sql.rows import (
    COMPLETE,
    FIELDS,
    FINISH,
    PARK,
    PROGRESS,
    REOPEN,
    REQUEUE,
    TAG,
    WAIT,
    Value,
)
from durable_execution.storage.sql.schema import (
    HAS_KEY,
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
    from sqlalchemy import Delete, Index, Select, Table, Update
    from sqlalchemy.engine import Dialect
    from sqlalchemy.schema import ExecutableDDLElement
    from sqlalchemy.sql.selectable import FromClause

_E: Final = executions.c
_COLUMNS: Final = tuple(executions.c[name] for name in FIELDS)
_CLOCK: Final = "CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT)"


class PostgresDialect:
    """PostgreSQL 12 and later.

    Args:
        has_clock: Whether the caller's clock, the parameter `now`, decides instead of the
            database's.
        tables: What the tables are called.
    """

    name = "postgresql"
    schema_lock = LOCK_SCHEMA
    schema_unlock = None
    finds_unfinished = False
    does_claim_look_ahead = True
    does_insert_look_for_lease = True

    def __init__(
        self, *, has_clock: bool = False, tables: TaskExecutionTables = DEFAULT_TABLES
    ) -> None:
        self.tables = tables
        self.compiler: Dialect = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        self._has_clock = has_clock

    def ddl(  # noqa: D102
        self, tables: Sequence[Table], indexes: Sequence[Index]
    ) -> list[ExecutableDDLElement]:
        return postgres_ddl(tables, indexes)

    def now(self) -> ColumnElement[int]:
        """Return the time at which the transaction began, one instant for all its statements.

        What has just become due is then found either by "until now" or by "from now on". The
        moving `clock_timestamp()` could besides not be looked up in an index.
        """
        if self._has_clock:
            return sql_cast(bindparam("now"), BigInteger)
        return literal_column(_CLOCK, BigInteger)

    def failed_id(self) -> ColumnElement[str]:  # noqa: D102
        return FAILED_ID

    def has_failed(self) -> ColumnElement[bool]:  # noqa: D102
        return FAILED_ID.is_not(None)

    def ready_at(self) -> ColumnElement[int]:  # noqa: D102
        return READY_AT

    def is_ready(self) -> ColumnElement[bool]:  # noqa: D102
        return READY_AT.is_not(None)

    def is_any_of(self, column: Column[str], parameter: str) -> ColumnElement[bool]:  # noqa: D102
        return column == func.any(sql_cast(bindparam(parameter), TEXTS))

    def listed(self, parameter: str) -> FromClause:  # noqa: D102
        listed = func.unnest(sql_cast(bindparam(parameter), TEXTS)).table_valued("value")
        return listed.render_derived(name=parameter)

    def texts(self, values: Sequence[str]) -> Value:
        """Return the texts without those that no row can have."""
        return cast("Value", [value for value in values if _is_storable(value)])

    def place_of(  # noqa: D102
        self, part: ColumnElement[str], text: ColumnElement[str]
    ) -> ColumnElement[int]:
        return func.strpos(text, part)

    def insert(self) -> ClauseElement:  # noqa: D102
        rows = rows_of(executions, FIELDS)
        new = postgresql.insert(executions).from_select(FIELDS, select(*rows.c))
        return new.on_conflict_do_nothing(index_elements=[_E.execution_id])

    def insert_root(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return insert_ready(layout)

    def insert_child(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return insert_children(layout)

    def insert_claimed(self, layout: Sequence[str]) -> ClauseElement:
        """All rows or none: the lease is looked for in the same statement, and held."""
        return insert_claimed(layout, self._lease(sql_cast(bindparam("executor_id"), Text)))

    def insert_keyed(self) -> ClauseElement:
        """A statement can pass over one kind of conflict only, so the ids are looked up."""
        rows = rows_of(executions, FIELDS)
        is_there = exists().where(_E.execution_id == rows.c.execution_id)
        wanted = select(*rows.c).where(not_(is_there))
        new = postgresql.insert(executions).from_select(FIELDS, wanted)
        return new.on_conflict_do_nothing(
            index_elements=[_E.task_id, _E.idempotency_key], index_where=HAS_KEY
        )

    def insert_tag(self) -> ClauseElement:  # noqa: D102
        rows = rows_of(tags, TAG)
        return postgresql.insert(tags).from_select(TAG, select(*rows.c)).on_conflict_do_nothing()

    def put_progress(self) -> ClauseElement:  # noqa: D102
        rows = rows_of(progress, PROGRESS)
        new = postgresql.insert(progress).from_select(PROGRESS, select(*rows.c))
        return new.on_conflict_do_update(
            index_elements=[progress.c.execution_id],
            set_={name: new.excluded[name] for name in PROGRESS[1:]},
            where=is_newer(new.excluded),
        )

    def claim(self) -> ClauseElement:
        """Rows that others hold locked are passed over; the executor's own row is held.

        Whoever forgets the executor waits for the claim, or the claim finds the row locked and
        takes nothing: no row is given to an executor of whom nobody knows any more. Found by
        place (`ctid`), so that the limit holds whatever plan is made.

        The last column is the next start, in a row of its own where nothing was claimed: asked by
        a second statement, it would miss what becomes due between the two.
        """
        leased = self._lease(bindparam("executor_id"))
        picked = executions.alias("picked")
        ready_at = literal_column("picked.ready_at", BigInteger)
        due = (
            select(literal_column("picked.ctid", Text))
            .select_from(picked)
            .where(
                ready_at <= self.now(),
                self.is_any_of(picked.c.task_id, "task_ids"),
                leased.exists(),
            )
            .order_by(ready_at)
            .limit(bindparam("limit"))
            .with_for_update(skip_locked=True, key_share=True, of=picked)
        )
        claimed = (
            update(executions)
            .ordered_values(
                (_E.status, literal_column("'running'")),
                (_E.executor_id, bindparam("executor_id")),
                (_E.fence, _E.fence + literal_column("1", BigInteger)),
                (_E.started_at, self.now()),
                (_E.expires_at, self.now() + _E.timeout_ms),
                (_E.updated_at, self.now()),
            )
            .where(literal_column("ctid") == func.any(func.array(due.scalar_subquery())))
            .returning(*_COLUMNS)
            .cte("claimed")
        )
        ahead = self._next_start_at().subquery("ahead")
        return select(*claimed.c, *ahead.c).select_from(
            ahead.outerjoin(claimed, literal_column("true", Boolean))
        )

    def adapted(self, statements: dict[str, ClauseElement]) -> dict[str, ClauseElement]:
        """Return the shared statements as this database runs them best."""
        moves = {
            name: for_each(cast("Update", statements[name]), layout).returning(_E.execution_id)
            for name, layout in (
                ("finish", FINISH),
                ("complete", COMPLETE),
                ("requeue", REQUEUE),
                ("wait", WAIT),
                ("park", PARK),
            )
        }
        forget = cast("Delete", statements["forget_executor"]).where(not_(_holds_a_row()))
        beat = self._beat()
        return {
            **statements,
            **moves,
            "count_off": for_each(cast("Update", statements["count_off"])),
            "delete_tag": for_each(cast("Delete", statements["delete_tag"])),
            "forget_executor": for_each(forget),
            "register": beat,
            "extend_lease": beat,
            "has_lease": self._lease(sql_cast(bindparam("executor_id"), Text)),
            "next_start_at": self._next_start_at(),
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
            "first_expires_at": select(func.min(ASLEEP_UNTIL), self.now().label("seen_at"))
            .select_from(executions)
            .where(ASLEEP_UNTIL.is_not(None)),
            "next_expires_at": select(func.min(ASLEEP_UNTIL))
            .select_from(executions)
            .where(self.now() < ASLEEP_UNTIL),
            "lock_trees": _lock_trees(),
            # Held, so that the row cannot be deleted before its progress is there to go with it.
            "held_rows": cast("Select[Any]", statements["held_rows"])
            .order_by(_E.execution_id.desc())
            .with_for_update(read=True, key_share=True),
            "reopen": for_each(cast("Update", statements["reopen"]), REOPEN).returning(
                _E.execution_id
            ),
            "hold_finished": cast("Select[Any]", statements["hold_finished"]).with_for_update(
                key_share=True
            ),
            "lock_executors": select(executors.c.executor_id)
            .where(self.is_any_of(executors.c.executor_id, "executor_ids"))
            .order_by(executors.c.executor_id)
            .with_for_update(),
        }

    def _lease(self, executor_id: ColumnElement[Any]) -> Select[int]:
        """Select a row if the executor has a lease, and hold it until the transaction ends."""
        return (
            select(literal_column("1", Integer))
            .select_from(executors)
            .where(
                executors.c.executor_id == executor_id,
                executors.c.lease_expires_at > self.now(),
            )
            .with_for_update(read=True, key_share=True, skip_locked=True)
        )

    def _next_start_at(self) -> Select[int]:
        return select(func.min(READY_AT).label("next_start_at")).where(
            self.now() < READY_AT,
            self.is_any_of(_E.task_id, "task_ids"),
            has_lease(self.now()),
        )

    def _beat(self) -> ClauseElement:
        """An executor that is forgotten at this moment is registered anew."""
        lease = self.now() + bindparam("lease_ms", type_=BigInteger)
        new = postgresql.insert(executors).values(
            executor_id=bindparam("who"),
            lease_expires_at=lease,
            started_at=self.now(),
            beat_at=self.now(),
            held_count=bindparam("held_count", type_=Integer),
            ended_count=bindparam("ended_count", type_=BigInteger),
        )
        told = ("lease_expires_at", "beat_at", "held_count", "ended_count")
        return new.on_conflict_do_update(
            index_elements=[executors.c.executor_id],
            set_={name: new.excluded[name] for name in told},
        )


def _holds_a_row() -> ColumnElement[bool]:
    # A claim may have ended since its executor's rows were looked for.
    return exists().where(IS_HELD, _E.executor_id == executors.c.executor_id)


def _scan(at: ColumnElement[int]) -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).order_by(at).limit(bindparam("limit"))


def _lock_trees() -> ClauseElement:
    """Lock these rows and all unfinished rows below some of them, and tell which are below.

    Children first. A child that ends locks itself and then its parent; a cascade that began with
    the parent would wait for it in a circle.
    """
    children = (
        select(_E.execution_id)
        .where(
            _E.parent_execution_id == func.any(sql_cast(bindparam("ancestor_ids"), TEXTS)),
            _E.finished_at.is_(None),
        )
        .cte("descendants", recursive=True)
    )
    below = executions.alias("below")
    descendants = children.union_all(
        select(below.c.execution_id).where(
            below.c.parent_execution_id == children.c.execution_id, below.c.finished_at.is_(None)
        )
    )
    named = func.unnest(sql_cast(bindparam("execution_ids"), TEXTS)).table_valued("value")
    ids = select(descendants.c.execution_id).union(
        select(named.render_derived(name="named").c.value)
    )
    is_below = _E.execution_id == func.any(
        func.array(select(descendants.c.execution_id).scalar_subquery())
    )
    return (
        select(_E.execution_id, is_below.label("is_below"))
        .where(
            _E.execution_id == func.any(func.array(ids.scalar_subquery())),
            _E.finished_at.is_(None),
        )
        .order_by(_E.execution_id.desc())
        .with_for_update(key_share=True)
    )


def _is_storable(value: str) -> bool:
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
