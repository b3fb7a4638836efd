"""What a parent does once nothing below it runs any more.

Three rules, one a kind of parent. Each reads the parent and its ended children and answers with a
verdict; the engine turns the verdict into a transition, because only it can encode payloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StoredError


class RunStep(msgspec.Struct, frozen=True):
    """Insert the next child: step or turn `index`, with this encoded input."""

    index: int
    input: bytes


class RunFinalize(msgspec.Struct, frozen=True):
    """Insert the finalize child."""


class Complete(msgspec.Struct, frozen=True):
    """Complete the parent with this encoded output."""

    output: bytes


class CompleteWithChildren(msgspec.Struct, frozen=True):
    """Complete the parent with its own output and what its children came to."""


class GiveUp(msgspec.Struct, frozen=True):
    """Complete a loop that used all its turns without being done."""


class FailToJoin(msgspec.Struct, frozen=True):
    """End the parent as `finalize_failed` with this error."""

    error: StoredError


Verdict: TypeAlias = RunStep | RunFinalize | Complete | CompleteWithChildren | GiveUp | FailToJoin


def join_parent(
    parent: ExecutionRecord, finalize_child: ExecutionRecord | None, *, has_finalize: bool
) -> Verdict:
    """Join a parent task: its finalize task, if any, decides; failed children do not.

    Children are settled, not required: whether a failed child matters is the finalize task's to
    say, and a parent without one completes with failed children in its output.
    """
    if parent.status == "waiting_for_children":
        return RunFinalize() if has_finalize else CompleteWithChildren()
    if finalize_child is None:
        return FailToJoin(StoredError(message="Finalize task execution not found"))
    if finalize_child.status == "completed" and finalize_child.output is not None:
        return Complete(finalize_child.output)
    return FailToJoin(_error_of(finalize_child, "Finalize task failed"))


def join_sequence(parent: ExecutionRecord, last_child: ExecutionRecord, *, steps: int) -> Verdict:
    """Join a sequence: the last step's output is the next one's input, a failed step ends it."""
    if last_child.status != "completed" or last_child.output is None:
        index = last_child.index_in_parent
        prefix = f"Sequential task failed [parentTaskId={parent.task_id}] [index={index}]"
        return FailToJoin(_error_of(last_child, prefix))
    following = last_child.index_in_parent + 1
    if following < steps:
        return RunStep(following, last_child.output)
    return Complete(last_child.output)


class Turn(msgspec.Struct, frozen=True):
    """What a turn of a loop returned: not done, or done with the encoded output of the loop."""

    output: bytes | None


def join_loop(last_child: ExecutionRecord, turn: Turn | None, *, max_attempts: int) -> Verdict:
    """Join a loop: done, another turn with the same input, or out of turns.

    `turn` is the decoded output of the last turn, None if it did not complete.
    """
    if turn is None:
        prefix = f"Iteration task failed [taskId={last_child.task_id}]"
        return FailToJoin(_error_of(last_child, prefix))
    if turn.output is not None:
        return Complete(turn.output)
    following = last_child.index_in_parent + 1
    if following < max_attempts:
        return RunStep(following, last_child.input)
    return GiveUp()


def last_of(children: Sequence[ExecutionRecord]) -> ExecutionRecord:
    """Return the child with the highest index, the finalize child left out."""
    return max(
        (child for child in children if not child.is_finalize),
        key=lambda child: child.index_in_parent,
    )


def _error_of(child: ExecutionRecord, prefix: str) -> StoredError:
    error = child.error or StoredError(message=f"it ended as {child.status}")
    return StoredError(message=f"{prefix}: {error.message}", is_internal=error.is_internal)
