"""Applying a batch of transitions inside one transaction.

The order of the steps is the contract's. Locks are taken children first, which have the higher
ids: all that cascades may reach, from the highest id down; the rows of the batch, and parents, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from durable_execution._core.patch import Finish, Park, Requeue, Transition, Wait
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Applied
from durable_execution.storage.sql.driver import (
    SqlDialect,
    Statement,
    Transaction,
)
from durable_execution.storage.sql.insertion import insert_children
from durable_execution.storage.sql.rows import (
    COMPLETE,
    Row,
    Value,
    complete_row,
    error_text,
    finish_row,
    is_completion,
    park_row,
    requeue_row,
    to_record,
    wait_row,
)
from durable_execution.storage.sql.statements import Statements


async def apply_batch(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    transitions: Sequence[Transition],
    *,
    clock: Callable[[], int],
) -> Applied:
    """Apply the transitions whose guards hold, as `Storage.apply` says.

    `clock` is the caller's, for dialects that use it.
    """
    has_below = await _lock_trees(transaction, statements, dialect, transitions)
    matched = await _patch(transaction, statements, transitions)
    held = [move for move, holds in zip(transitions, matched, strict=True) if holds]
    joined = await _join(transaction, statements, held)
    moved = [*held, *joined.values()]
    children = [row for move in moved for row in move.children]
    has_started = await insert_children(transaction, statements, dialect, children, now=clock)
    left = [move for move in moved if move.guard.execution_id not in joined]
    parent_ids = await _count_off(transaction, statements, left)
    for move in held if has_below else ():
        await _cancel_below(transaction, statements, move)
    candidates = [*parent_ids, *(move.guard.execution_id for move in moved if _is_idle(move))]
    joinable: list[ExecutionRecord] = []
    if candidates:
        among = statements.joinable_among
        values = among.bind(execution_ids=dialect.texts(candidates))
        joinable = [to_record(row) for row in await transaction.fetch(among, values)]
    return Applied(
        matched=tuple(matched),
        joinable=tuple(joinable),
        joined=tuple(move.guard.execution_id in joined for move in transitions) if joined else (),
        has_started=has_started,
    )


def are_completions(transitions: Sequence[Transition]) -> bool:
    """Whether the batch completes rows and does nothing else, as most do."""
    for move in transitions:
        patch = move.patch
        if (
            move.counts_off is not None
            or move.cancels_descendants is not None
            or move.children
            or not isinstance(patch, Finish)
            or not is_completion(move.guard, patch)
        ):
            return False
    return True


async def complete_batch(
    transaction: Transaction, statements: Statements, transitions: Sequence[Transition]
) -> Applied:
    """Do what `apply_batch` does, where all are completions."""
    is_positional = _is_positional(statements)
    rows = [
        complete_row(move.guard, move.patch, is_positional=is_positional)
        for move in transitions
        if isinstance(move.patch, Finish)
    ]
    return Applied(matched=tuple(await transaction.match_each(statements.complete, rows)))


def is_one_statement(transitions: Sequence[Transition]) -> bool:
    """Whether the batch is one update and nothing else."""
    return len({_shape(move) for move in transitions}) == 1 and not any(
        move.children or move.counts_off or move.cancels_descendants or _is_idle(move)
        for move in transitions
    )


async def _lock_trees(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    transitions: Sequence[Transition],
) -> bool:
    """Lock all that a batch with cascades may touch; return whether anything is to be cancelled.

    A row that was not locked yet may have got children until it was, so this looks again until it
    finds no more. Without cascades the order of locks is kept anyway.
    """
    ancestors = [
        move.guard.execution_id for move in transitions if move.cancels_descendants is not None
    ]
    if statements.lock_trees is None or not ancestors:
        return bool(ancestors)
    own = {move.guard.execution_id for move in transitions}
    joins = [move.joins for move in transitions if move.joins is not None]
    moves = [*transitions, *joins]
    known = own | {move.counts_off for move in moves if move.counts_off is not None}
    named = sorted(known)
    has_below = any(move.children for move in moves)
    while True:
        rows = await _lock_found(transaction, statements, dialect, ancestors, named)
        has_below = has_below or any(is_below for _, is_below in rows)
        found = {str(row[0]) for row in rows}
        if found <= known:
            return has_below
        known |= found


async def _lock_found(
    transaction: Transaction,
    statements: Statements,
    dialect: SqlDialect,
    ancestors: Sequence[str],
    named: Sequence[str],
) -> list[Row]:
    """Lock these rows and what is below the ancestors; return each, and whether it is below."""
    find, lock = statements.find_trees, statements.lock_trees
    values: dict[str, Value] = {"ancestor_ids": dialect.texts(ancestors)}
    if lock is None:
        return []
    if find is None:
        values["execution_ids"] = dialect.texts(named)
        return await transaction.fetch(lock, lock.bind(**values))
    below = {str(row[0]) for row in await transaction.fetch(find, find.bind(**values))}
    values["execution_ids"] = dialect.texts(sorted(below.union(named)))
    locked = await transaction.fetch(lock, lock.bind(**values))
    return [(row[0], row[0] in below) for row in locked]


async def _join(
    transaction: Transaction, statements: Statements, held: Sequence[Transition]
) -> dict[str, Transition]:
    """Apply what parents do that go on with a child's move, by the ids of these children."""
    children = [move for move in held if move.joins is not None]
    if not children:
        return {}
    joins = [move.joins for move in children if move.joins is not None]
    matched = await _patch(transaction, statements, joins, counted_off=1)
    return {
        child.guard.execution_id: move
        for child, move, holds in zip(children, joins, matched, strict=True)
        if holds
    }


async def _patch(
    transaction: Transaction,
    statements: Statements,
    transitions: Sequence[Transition],
    *,
    counted_off: int = 0,
) -> list[bool]:
    """Patch the rows whose guards hold, once so many of their children are counted off."""
    completions: list[tuple[int, Row]] = []
    finishes: list[tuple[int, Row]] = []
    requeues: list[tuple[int, Row]] = []
    waits: list[tuple[int, Row]] = []
    parks: list[tuple[int, Row]] = []
    is_positional = _is_positional(statements)
    for place, move in enumerate(transitions):
        match move.patch:
            case Finish() if is_completion(move.guard, move.patch):
                row = complete_row(move.guard, move.patch, is_positional=is_positional)
                completions.append((place, row))
            case Finish():
                finishes.append(
                    (place, finish_row(move.guard, move.patch, counted_off=counted_off))
                )
            case Requeue():
                requeues.append((place, requeue_row(move.guard, move.patch)))
            case Wait():
                waits.append((place, wait_row(move.guard, move.patch, counted_off=counted_off)))
            case Park():
                parks.append((place, park_row(move.guard, move.patch)))
    matched = [False] * len(transitions)
    shapes: tuple[tuple[Statement, list[tuple[int, Row]]], ...] = (
        (statements.complete, completions),
        (statements.finish, finishes),
        (statements.requeue, requeues),
        (statements.wait, waits),
        (statements.park, parks),
    )
    for statement, placed in shapes:
        if placed:
            answers = await transaction.match_each(statement, [row for _, row in placed])
            for (place, _), holds in zip(placed, answers, strict=True):
                matched[place] = holds
    return matched


async def _count_off(
    transaction: Transaction, statements: Statements, held: Sequence[Transition]
) -> list[str]:
    finished: Counter[str] = Counter()
    latest: dict[str, int] = {}
    for move in held:
        parent_id = move.counts_off
        if parent_id is not None:
            finished[parent_id] += 1
            latest[parent_id] = max(latest.get(parent_id, 0), _instant(move))
    parent_ids = sorted(finished, reverse=True)
    if parent_ids:
        count_off = statements.count_off
        rows = [
            count_off.bind(parent_id=parent_id, finished=finished[parent_id], at=latest[parent_id])
            for parent_id in parent_ids
        ]
        await transaction.execute_many(count_off, rows)
    return parent_ids


async def _cancel_below(transaction: Transaction, statements: Statements, move: Transition) -> None:
    if move.cancels_descendants is None:
        return
    cancel = statements.cancel_descendants
    values = cancel.bind(
        ancestor_id=move.guard.execution_id,
        error=error_text(move.cancels_descendants),
        at=_instant(move),
    )
    await transaction.execute(cancel, values)


def _is_positional(statements: Statements) -> bool:
    return len(statements.complete.names) > len(COMPLETE)


def _instant(move: Transition) -> int:
    return move.patch.finished_at if isinstance(move.patch, Finish) else move.patch.updated_at


def _shape(move: Transition) -> object:
    patch = move.patch
    if isinstance(patch, Finish):
        return is_completion(move.guard, patch)
    return type(patch)


def _is_idle(move: Transition) -> bool:
    return isinstance(move.patch, Wait) and move.patch.active_children_count == 0
