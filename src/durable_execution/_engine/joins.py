"""From a joinable parent and its ended children to the transition that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, assert_never

from durable_execution._codec import DecodeError, Encoded, ValidationFailed, dumps
from durable_execution._core import joining, transitions
from durable_execution._core.joining import (
    Complete,
    CompleteWithChildren,
    FailToJoin,
    GiveUp,
    RunFinalize,
    RunStep,
    Turn,
    Verdict,
)
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.results import Done, LoopGaveUp, LoopSucceeded, TurnReader
from durable_execution._core.task import ANYTHING, LoopPlan, ParentPlan, SequencePlan, Task
from durable_execution._engine.compose import parent_result
from durable_execution._engine.inputs import check_output_size
from durable_execution._engine.spawning import Spawning
from durable_execution.errors import DurableExecutionError, StoredError, to_stored_error

_TURN: Final[TurnReader[Any]] = TurnReader(ANYTHING)
_GAVE_UP: Final = dumps(LoopGaveUp())


def needs_all_children(task: Task[Any, Any]) -> bool:
    """Whether joining reads every child: a parent without finalize puts them into its output."""
    plan = task.plan
    return isinstance(plan, ParentPlan) and plan.finalize is None


def join(
    parent: ExecutionRecord,
    task: Task[Any, Any],
    children: Sequence[ExecutionRecord],
    spawning: Spawning,
    *,
    max_output_size: int,
    now: int,
) -> Transition | None:
    """Decide what a joinable parent does; `children` are all of them, or the last one.

    None means that another joiner was faster: the last child is younger than the parent's row.
    Never raises for what users did: a child that cannot be built, an output that is too large or
    a turn that returned nonsense fails the parent, which would otherwise wait for ever.
    """
    if _is_overtaken(parent, task, children):
        return None
    try:
        verdict = _verdict(parent, task, children)
        return _transition(
            parent, task, verdict, children, spawning, max_output_size=max_output_size, now=now
        )
    except DurableExecutionError as error:
        return transitions.fail_to_join(parent, error=to_stored_error(error), now=now)
    except Exception as error:
        stored = StoredError(message=f"{type(error).__name__}: {error}")
        return transitions.fail_to_join(parent, error=stored, now=now)


def _is_overtaken(
    parent: ExecutionRecord, task: Task[Any, Any], children: Sequence[ExecutionRecord]
) -> bool:
    if not children or not isinstance(task.plan, SequencePlan | LoopPlan):
        return False
    return joining.last_of(children).index_in_parent >= parent.children_count


def _verdict(
    parent: ExecutionRecord, task: Task[Any, Any], children: Sequence[ExecutionRecord]
) -> Verdict:
    plan = task.plan
    if isinstance(plan, ParentPlan):
        # The last of them: after a retry there may be more than one.
        finalize_child = next((child for child in reversed(children) if child.is_finalize), None)
        return joining.join_parent(parent, finalize_child, has_finalize=plan.finalize is not None)
    if not children:
        return FailToJoin(StoredError(message="Child task execution not found"))
    last = joining.last_of(children)
    if isinstance(plan, SequencePlan):
        return joining.join_sequence(parent, last, steps=len(plan.steps))
    if isinstance(plan, LoopPlan):
        return joining.join_loop(last, _turn_of(last), max_attempts=plan.max_attempts)
    message = f"Task {task.id} is now a {task.kind}, which has no children"
    return FailToJoin(StoredError(message=message))


def _transition(
    parent: ExecutionRecord,
    task: Task[Any, Any],
    verdict: Verdict,
    children: Sequence[ExecutionRecord],
    spawning: Spawning,
    *,
    max_output_size: int,
    now: int,
) -> Transition:
    plan = task.plan
    match verdict:
        case RunStep(index, payload):
            assert isinstance(plan, SequencePlan | LoopPlan)  # noqa: S101 - only they have steps
            child = spawning.step(parent, plan, index, payload)
            return transitions.advance(parent, child=child, now=now)
        case RunFinalize():
            assert isinstance(plan, ParentPlan)  # noqa: S101 - only parents
            assert plan.finalize is not None  # noqa: S101 - have it
            child = spawning.finalize(parent, plan.finalize)
            return transitions.finalize(parent, child=child, now=now)
        case Complete(output):
            if isinstance(plan, LoopPlan):
                output = dumps(LoopSucceeded(Encoded(output)))
            return transitions.join(parent, output=output, now=now)
        case GiveUp():
            return transitions.join(parent, output=_GAVE_UP, now=now)
        case CompleteWithChildren():
            output = parent_result(parent, children)
            check_output_size(task, output, max_size=max_output_size)
            return transitions.join(parent, output=output, now=now)
        case FailToJoin(error):
            return transitions.fail_to_join(parent, error=error, now=now)
        case _:
            assert_never(verdict)


def _turn_of(child: ExecutionRecord) -> Turn | None:
    if child.status != "completed" or child.output is None:
        return None
    try:
        turn = _TURN.load(child.output, root="output")
    except (ValidationFailed, DecodeError) as error:
        message = f"Iteration task must return Done or NotDone [taskId={child.task_id}]: {error}"
        raise DurableExecutionError(message) from error
    return Turn(dumps(turn.output)) if isinstance(turn, Done) else Turn(None)
