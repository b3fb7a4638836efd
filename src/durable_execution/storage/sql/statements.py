"""Every statement of the storage, built once for each dialect.

The compiled text is kept in `tests/storage/golden`, so that a review reads real SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Integer,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from durable_execution._core.status import ERRORED, WAITING
from durable_execution.storage.sql.driver import SqlDialect, Statement
from durable_execution.storage.sql.new_rows import (
    CHILD,
    CLAIMED_CHILD,
    ROOT,
    TRACED_CHILD,
    TRACED_CLAIMED_CHILD,
    TRACED_ROOT,
)
from durable_execution.storage.sql.oversight import oversight
from durable_execution.storage.sql.past import past_of, with_one_attempt_more
from durable_execution.storage.sql.rows import (
    EXECUTOR,
    FIELDS,
    FIELDS_BUT_PAYLOADS,
    PROGRESS,
    REOPEN,
)
from durable_execution.storage.sql.schema import (
    IS_HELD,
    IS_JOINABLE,
    IS_READY,
    IS_RUNNING,
    IS_SLEEPING,
    executions,
    executors,
    has_lease,
    progress,
    schema_version,
    status_in,
)

_E: Final = executions.c
_COLUMNS: Final = tuple(executions.c[name] for name in FIELDS)
_ZERO: Final = literal_column("0", BigInteger)
_AT: Final = bindparam("at", type_=BigInteger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The storage's statements in the words of one dialect. Rows of executions are `FIELDS`."""

    insert: Statement
    insert_root: Statement
    insert_claimed: Statement
    insert_child: Statement
    insert_claimed_child: Statement
    insert_root_traced: Statement
    insert_claimed_traced: Statement
    insert_child_traced: Statement
    insert_claimed_child_traced: Statement
    insert_keyed: Statement
    insert_tag: Statement
    present: Statement
    key_holders: Statement
    get: Statement
    glance: Statement
    past_of: Statement
    held_rows: Statement
    put_progress: Statement
    get_by_sleeping_unique_id: Statement
    taken_sleeping_ids: Statement
    children_of: Statement
    children_without_payloads: Statement
    last_children_of: Statement
    claim: Statement
    next_start_at: Statement
    finish: Statement
    complete: Statement
    requeue: Statement
    wait: Statement
    park: Statement
    count_off: Statement
    cancel_descendants: Statement
    hold_finished: Statement
    failed_children: Statement
    children_counts: Statement
    reopen: Statement
    joinable_among: Statement
    joinable: Statement
    earliest_ready: Statement
    expired_sleepers: Statement
    first_expires_at: Statement
    next_expires_at: Statement
    leases_seen: Statement
    register: Statement
    extend_lease: Statement
    tell_tasks: Statement
    known_tasks: Statement
    executors: Statement
    backlog_ready: Statement
    backlog_failed: Statement
    backlog_sleeping: Statement
    backlog_created: Statement
    still_held: Statement
    sign_off: Statement
    dead_executors: Statement
    held_by: Statement
    forget_executor: Statement
    counts: Statement
    counts_of_tasks: Statement
    finished_roots: Statement
    children_ids: Statement
    delete_finished: Statement
    delete_tag: Statement
    delete_progress: Statement
    read_version: Statement
    insert_version: Statement
    update_version: Statement
    has_lease: Statement
    """Returns a row if the executor has a lease, which it keeps as long as a write needs it."""
    lock_trees: Statement | None = None
    """Locks rows and all that is unfinished below them; None where one transaction writes."""
    lock_executors: Statement | None = None
    """Makes claims under way of these executors end, and keeps others from beginning."""
    find_trees: Statement | None = None
    """Finds what is unfinished below some rows, where `lock_trees` locks only rows it is told."""
    hold_lease: Statement | None = None
    """Returns a row if the executor has a lease, which then stays until the transaction ends."""
    claim_locked: Statement | None = None
    """Claims rows that `claim` locked, where that cannot claim and return rows at once."""
    peek: Statement | None = None
    """Returns the earliest start of what is ready, and the time; None where a claim is as cheap."""
    lock_finished: Statement | None = None
    """Returns what `delete_finished` is about to delete, where that cannot return it itself."""


def build_statements(dialect: SqlDialect) -> Statements:
    """Build and compile all statements for a dialect."""
    parts = {
        **_rows(dialect),
        **_moves(dialect),
        **_reopenings(dialect),
        **_sweeps(dialect),
        **_leases(dialect),
        **oversight(dialect),
        **_versions(),
    }
    adapted = dialect.adapted(parts)
    return Statements(**{name: compiled(part, dialect) for name, part in adapted.items()})


def compiled(statement: ClauseElement, dialect: SqlDialect) -> Statement:
    """Compile a statement for a dialect, with the names of its tables."""
    sql = dialect.compiler.statement_compiler(dialect.compiler, statement)
    return Statement(dialect.tables.renamed(str(sql)), tuple(sql.positiontup or ()))


def _rows(dialect: SqlDialect) -> dict[str, ClauseElement]:
    return {
        "insert": dialect.insert(),
        "insert_root": dialect.insert_root(ROOT),
        "insert_claimed": dialect.insert_claimed(ROOT),
        "insert_child": dialect.insert_child(CHILD),
        "insert_claimed_child": dialect.insert_claimed(CLAIMED_CHILD),
        "insert_root_traced": dialect.insert_root(TRACED_ROOT),
        "insert_claimed_traced": dialect.insert_claimed(TRACED_ROOT),
        "insert_child_traced": dialect.insert_child(TRACED_CHILD),
        "insert_claimed_child_traced": dialect.insert_claimed(TRACED_CLAIMED_CHILD),
        "insert_keyed": dialect.insert_keyed(),
        "insert_tag": dialect.insert_tag(),
        "present": select(_E.execution_id).where(
            dialect.is_any_of(_E.execution_id, "execution_ids")
        ),
        # May find a key with the task of another: the caller looks again.
        "key_holders": select(*_COLUMNS).where(
            dialect.is_any_of(_E.task_id, "task_ids"),
            dialect.is_any_of(_E.idempotency_key, "idempotency_keys"),
        ),
        "get": select(*_COLUMNS).where(dialect.is_any_of(_E.execution_id, "execution_ids")),
        "glance": select(
            _E.execution_id, _E.status, _E.fence, *[progress.c[name] for name in PROGRESS[1:]]
        )
        .select_from(executions.outerjoin(progress, progress.c.execution_id == _E.execution_id))
        .where(dialect.is_any_of(_E.execution_id, "execution_ids")),
        "past_of": past_of(dialect),
        "held_rows": select(_E.execution_id, _E.fence).where(
            dialect.is_any_of(_E.execution_id, "execution_ids"), IS_RUNNING
        ),
        "put_progress": dialect.put_progress(),
        "get_by_sleeping_unique_id": select(*_COLUMNS).where(
            _E.sleeping_unique_id == bindparam("sleeping_unique_id")
        ),
        "taken_sleeping_ids": select(_E.sleeping_unique_id, _E.execution_id).where(
            dialect.is_any_of(_E.sleeping_unique_id, "sleeping_unique_ids")
        ),
        "children_of": _children_of(dialect, _COLUMNS),
        "children_without_payloads": _children_of(
            dialect, tuple(_E[name] for name in FIELDS_BUT_PAYLOADS)
        ),
        "last_children_of": _last_children_of(dialect),
        "claim": dialect.claim(),
        "next_start_at": select(func.min(_E.start_at)).where(
            IS_READY,
            _E.start_at > dialect.now(),
            dialect.is_any_of(_E.task_id, "task_ids"),
            has_lease(dialect.now()),
        ),
    }


def _children_of(dialect: SqlDialect, columns: Sequence[Column[Any]]) -> ClauseElement:
    return (
        select(*columns)
        .where(dialect.is_any_of(_E.parent_execution_id, "parent_execution_ids"))
        .order_by(_E.parent_execution_id, _E.is_finalize, _E.index_in_parent)
    )


def _last_children_of(dialect: SqlDialect) -> ClauseElement:
    # One step from the end of the index for each parent, however many children it has.
    parents = dialect.listed("parent_execution_ids")
    child = executions.alias("child")
    last = (
        select(child.c.execution_id)
        .where(child.c.parent_execution_id == parents.c.value)
        .order_by(child.c.is_finalize.desc(), child.c.index_in_parent.desc())
        .limit(literal_column("1"))
        .correlate(parents)
        .scalar_subquery()
    )
    return select(*_COLUMNS).where(_E.execution_id.in_(select(last).select_from(parents)))


def _moves(dialect: SqlDialect) -> dict[str, ClauseElement]:
    return {
        "finish": update(executions)
        .ordered_values(
            (_E.status, bindparam("status")),
            (_E.output, bindparam("output")),
            (_E.error, bindparam("error")),
            (_E.finished_at, bindparam("finished_at")),
            (_E.updated_at, bindparam("finished_at")),
            (_E.active_children_count, _ZERO),
        )
        .where(*_guard(may_advance=True)),
        "complete": update(executions)
        .ordered_values(
            (_E.status, literal_column("'completed'")),
            (_E.output, bindparam("output")),
            (_E.error, literal_column("NULL")),
            (_E.finished_at, bindparam("finished_at")),
            (_E.updated_at, bindparam("finished_at")),
        )
        .where(
            _E.execution_id == bindparam("guard_id"),
            _E.status == literal_column("'running'"),
            _E.fence == bindparam("guard_fence"),
        ),
        "requeue": update(executions)
        .ordered_values(
            (_E.status, literal_column("'ready'")),
            (_E.executor_id, literal_column("NULL")),
            (_E.started_at, literal_column("NULL")),
            (_E.expires_at, literal_column("NULL")),
            (_E.sleeping_unique_id, literal_column("NULL")),
            (_E.start_at, bindparam("start_at")),
            (_E.updated_at, bindparam("updated_at")),
            (_E.attempt, bindparam("attempt")),
            (_E.crash_count, bindparam("crash_count")),
            (_E.error, bindparam("error")),
            *with_one_attempt_more(dialect),
        )
        .where(*_guard()),
        "wait": update(executions)
        .ordered_values(
            (_E.status, bindparam("status")),
            (_E.fence, _E.fence + literal_column("1", BigInteger)),
            (_E.error, literal_column("NULL")),
            (_E.run_output, bindparam("run_output")),
            (_E.children_count, bindparam("children_count")),
            (_E.active_children_count, bindparam("active_children_count")),
            (_E.waiting_for_children_at, bindparam("waiting_for_children_at")),
            (_E.waiting_for_finalize_at, bindparam("waiting_for_finalize_at")),
            (_E.updated_at, bindparam("updated_at")),
        )
        .where(*_guard()),
        "park": update(executions)
        .ordered_values(
            # First, because MySQL reads what is already assigned.
            (_E.expires_at, _extended()),
            (_E.executor_id, literal_column("NULL")),
            (_E.sleeping_unique_id, bindparam("sleeping_unique_id")),
            (_E.updated_at, bindparam("updated_at")),
        )
        .where(*_guard()),
        "count_off": _count_off(),
        "cancel_descendants": _cancel_descendants(),
    }


def _extended() -> ColumnElement[int]:
    """Return the expiry that a row is to have, which that of a parked one is not before."""
    asked = bindparam("expires_at", type_=BigInteger)
    # Of a row that is held it is the end of the attempt, which may be brought forward.
    before = case((_E.sleeping_unique_id.is_not(None), _E.expires_at), else_=_ZERO)
    return case((before > asked, before), else_=asked)


def _guard(*, may_advance: bool = False) -> tuple[ColumnElement[bool], ...]:
    fence: ColumnElement[int] = bindparam("guard_fence", type_=BigInteger)
    if may_advance:
        before = bindparam("guard_children_count", type_=Integer)
        fence = fence + func.coalesce(_E.children_count - before, _ZERO)
    return (
        _E.execution_id == bindparam("guard_id"),
        _E.status == bindparam("guard_status"),
        _E.fence == fence,
        _E.active_children_count <= bindparam("at_most_active", type_=Integer),
        # In one place of the text, as every parameter; NULL asks for nothing.
        func.coalesce(bindparam("guard_expires_at", type_=BigInteger), _E.expires_at, _ZERO)
        == func.coalesce(_E.expires_at, _ZERO),
    )


def _count_off() -> ClauseElement:
    finished = bindparam("finished", type_=BigInteger)
    left = case(
        (_E.active_children_count > finished, _E.active_children_count - finished), else_=_ZERO
    )
    return (
        update(executions)
        .ordered_values((_E.active_children_count, left), (_E.updated_at, _AT))
        .where(_E.execution_id == bindparam("parent_id"), status_in(WAITING))
    )


def _cancel_descendants() -> ClauseElement:
    # Unfinished rows only, on the way down too: below a finished row nothing is unfinished.
    children = (
        select(_E.execution_id)
        .where(_E.parent_execution_id == bindparam("ancestor_id"), _E.finished_at.is_(None))
        .cte("descendants", recursive=True)
    )
    below = executions.alias("below")
    descendants = children.union_all(
        select(below.c.execution_id).where(
            below.c.parent_execution_id == children.c.execution_id, below.c.finished_at.is_(None)
        )
    )
    return (
        update(executions)
        .ordered_values(
            (_E.status, literal_column("'cancelled'")),
            (_E.error, bindparam("error")),
            (_E.finished_at, _AT),
            (_E.updated_at, _AT),
            (_E.active_children_count, _ZERO),
        )
        .where(_E.execution_id.in_(select(descendants.c.execution_id)))
    )


def _reopenings(dialect: SqlDialect) -> dict[str, ClauseElement]:
    is_child = dialect.is_any_of(_E.parent_execution_id, "parent_execution_ids")
    return {
        # Whoever changes a finished tree holds its root.
        "hold_finished": select(_E.execution_id)
        .where(dialect.is_any_of(_E.execution_id, "execution_ids"), _E.finished_at.is_not(None))
        .order_by(_E.execution_id),
        "failed_children": select(*[_E[name] for name in FIELDS_BUT_PAYLOADS])
        .where(is_child, or_(status_in(ERRORED), _E.is_finalize))
        .order_by(_E.parent_execution_id, _E.is_finalize, _E.index_in_parent),
        "children_counts": select(_E.parent_execution_id, func.count())
        .where(is_child, not_(_E.is_finalize))
        .group_by(_E.parent_execution_id),
        "reopen": update(executions)
        .ordered_values(
            (_E.fence, _E.fence + literal_column("1", BigInteger)),
            (_E.attempt, literal_column("0", Integer)),
            (_E.crash_count, literal_column("0", Integer)),
            (_E.finished_at, literal_column("NULL")),
            *((_E[name], bindparam(name)) for name in REOPEN[:-5]),
            *with_one_attempt_more(dialect, bindparam("ended_count", type_=Integer)),
        )
        .where(
            _E.execution_id == bindparam("guard_id"),
            _E.status == bindparam("guard_status"),
            _E.fence == bindparam("guard_fence"),
        ),
    }


def _sweeps(dialect: SqlDialect) -> dict[str, ClauseElement]:
    return {
        "joinable_among": select(*_COLUMNS).where(
            dialect.is_any_of(_E.execution_id, "execution_ids"), IS_JOINABLE
        ),
        "joinable": select(*_COLUMNS)
        .where(IS_JOINABLE, dialect.is_any_of(_E.task_id, "task_ids"))
        .order_by(_E.waiting_for_children_at)
        .limit(bindparam("limit")),
        "earliest_ready": select(func.min(_E.start_at)).where(IS_READY),
        "first_expires_at": select(func.min(_E.expires_at), dialect.now().label("seen_at"))
        .select_from(executions)
        .where(IS_SLEEPING),
        "next_expires_at": select(func.min(_E.expires_at)).where(
            IS_SLEEPING, _E.expires_at > dialect.now()
        ),
        "expired_sleepers": select(*_COLUMNS)
        .where(IS_SLEEPING, _E.expires_at <= dialect.now())
        .order_by(_E.expires_at)
        .limit(bindparam("limit")),
    }


def _leases(dialect: SqlDialect) -> dict[str, ClauseElement]:
    who = executors.c.executor_id == bindparam("who")
    lease_expires_at = dialect.now() + bindparam("lease_ms", type_=BigInteger)
    return {
        "leases_seen": select(
            executors.c.executor_id, executors.c.lease_expires_at, dialect.now().label("seen_at")
        ).where(or_(who, executors.c.lease_expires_at <= dialect.now())),
        "register": insert(executors).values(
            executor_id=bindparam("who"),
            lease_expires_at=lease_expires_at,
            started_at=dialect.now(),
            beat_at=dialect.now(),
            held_count=bindparam("held_count", type_=Integer),
            ended_count=bindparam("ended_count", type_=BigInteger),
        ),
        "extend_lease": update(executors)
        .where(who)
        .values(
            lease_expires_at=lease_expires_at,
            beat_at=dialect.now(),
            held_count=bindparam("held_count", type_=Integer),
            ended_count=bindparam("ended_count", type_=BigInteger),
        ),
        "executors": select(*[executors.c[name] for name in EXECUTOR])
        .order_by(executors.c.lease_expires_at.desc(), executors.c.executor_id)
        .limit(bindparam("limit")),
        "tell_tasks": update(executors).where(who).values(task_ids=bindparam("task_ids")),
        "known_tasks": select(executors.c.task_ids).where(
            executors.c.lease_expires_at > dialect.now(), executors.c.task_ids.is_not(None)
        ),
        "still_held": select(_E.execution_id, _E.fence).where(
            dialect.is_any_of(_E.execution_id, "execution_ids"),
            IS_HELD,
            _E.executor_id == bindparam("who"),
        ),
        "sign_off": update(executors).where(who).values(lease_expires_at=_ZERO),
        "dead_executors": select(executors.c.executor_id, executors.c.lease_expires_at).where(
            executors.c.lease_expires_at <= dialect.now()
        ),
        "held_by": select(*_COLUMNS)
        .where(IS_HELD, dialect.is_any_of(_E.executor_id, "executor_ids"))
        .limit(bindparam("limit")),
        "forget_executor": delete(executors).where(
            who, executors.c.lease_expires_at == bindparam("lease")
        ),
    }


def _versions() -> dict[str, ClauseElement]:
    version = bindparam("version", type_=Integer)
    return {
        "read_version": select(schema_version.c.version),
        "insert_version": insert(schema_version)
        .inline()
        .values(single_row=literal_column("1"), version=version),
        "update_version": update(schema_version).values(version=version),
    }
