"""What comes into being with a change and may start with it: children, steps, finalize tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from durable_execution._core.patch import Finish, Transition, Wait, counted_off, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import Task
from durable_execution._core.transitions import joining
from durable_execution._engine.eager import NewRow
from durable_execution._engine.joins import join
from durable_execution._engine.running import Attempt
from durable_execution._engine.spawning import Spawning
from durable_execution.storage.protocol import Applied


class Change(msgspec.Struct, frozen=True, gc=False):
    """A transition, the record that it was decided on, and the attempt that it ends, if any."""

    record: ExecutionRecord
    transition: Transition
    attempt: Attempt | None = None

    def rows(self) -> tuple[str, ...]:
        """Return which rows are guarded, those that are changed otherwise left out."""
        joins = self.transition.joins
        own = self.transition.guard.execution_id
        return (own,) if joins is None else (own, joins.guard.execution_id)

    def moves(self) -> Iterator[tuple[ExecutionRecord, Transition]]:
        """Return its transitions, with the records that they were decided on."""
        yield self.record, self.transition
        joins = self.transition.joins
        if joins is not None and self.attempt is not None and self.attempt.parent is not None:
            yield self.attempt.parent, joins


class Joins:
    """Decides what a parent does at the moment in which the only child it waits for ends.

    It is known before the child has ended what that is, so that the end of a step and the
    beginning of the next are one transaction, without a look at the rows in between.
    """

    def __init__(
        self, tasks: Mapping[str, Task[Any, Any]], spawning: Spawning, *, max_output_size: int
    ) -> None:
        self._tasks = tasks
        self._spawning = spawning
        self._max_output_size = max_output_size

    def with_join(self, attempt: Attempt, transition: Transition) -> Transition:
        """Return the end of an attempt, with what its parent does then, as far as that is known."""
        parent, patch = attempt.parent, transition.patch
        if parent is None or not isinstance(patch, Finish):
            return transition
        task = self._tasks.get(parent.task_id)
        if task is None:
            return transition
        joins = join(
            counted_off(parent, 1, patch.finished_at),
            task,
            [patched(attempt.record, patch)],
            self._spawning,
            max_output_size=self._max_output_size,
            now=patch.finished_at,
        )
        return transition if joins is None else joining(transition, joins)


def new_rows(changes: Sequence[Change]) -> list[NewRow]:
    """Return the children that these changes are to insert, each with its parent if it knows it.

    A parent is known to a child that is the only one it waits for.
    """
    rows: list[NewRow] = []
    for change in changes:
        if not change.transition.children and change.transition.joins is None:
            continue
        for record, move in change.moves():
            if not move.children:
                continue
            patch = move.patch
            is_alone = isinstance(patch, Wait) and patch.active_children_count == 1
            parent = patched(record, patch) if is_alone else None
            rows += [NewRow(child, may_start=True, parent=parent) for child in move.children]
    return rows


def with_claimed(
    changes: Sequence[Change], claimed: Mapping[str, ExecutionRecord]
) -> list[Transition]:
    """Return the transitions of the changes, those of their children claimed that are named."""
    return [_with_claimed(change.transition, claimed) for change in changes]


def not_inserted(changes: Sequence[Change], applied: Applied) -> Collection[str]:
    """Return the children that were not inserted, because a guard did not hold."""
    left_out: set[str] = set()
    for place, change in enumerate(changes):
        transition = change.transition
        if not applied.matched[place]:
            left_out.update(child.execution_id for child in transition.children)
        joins = transition.joins
        if joins is not None and not (applied.joined and applied.joined[place]):
            left_out.update(child.execution_id for child in joins.children)
    return left_out


def _with_claimed(transition: Transition, claimed: Mapping[str, ExecutionRecord]) -> Transition:
    joins = transition.joins
    if joins is not None:
        joins = _with_claimed(joins, claimed)
    children = transition.children
    if any(child.execution_id in claimed for child in children):
        children = tuple(claimed.get(child.execution_id, child) for child in children)
    if joins is transition.joins and children is transition.children:
        return transition
    return msgspec.structs.replace(transition, children=children, joins=joins)
