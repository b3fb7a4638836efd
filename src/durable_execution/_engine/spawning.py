"""The children that a parent gets: those it asks for, the steps of a sequence, turns of a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durable_execution._core.decisions import Spawned
from durable_execution._core.offspring import Place
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import new_finalize_index
from durable_execution._core.task import ChildTask, LoopPlan, ParentTaskOutput, SequencePlan, Task
from durable_execution._engine import compose
from durable_execution._engine.clock import Clock
from durable_execution._engine.inputs import encode_run_output
from durable_execution._engine.options import ExecutorOptions
from durable_execution.errors import DurableExecutionNotFoundError, InvalidInputError


class Spawning:
    """Builds children's records."""

    def __init__(
        self,
        tasks: Mapping[str, Task[Any, Any]],
        options: ExecutorOptions,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._tasks = tasks
        self._options = options
        self._clock = clock
        self._new_id = new_id

    def children(self, parent: ExecutionRecord, task: Task[Any, Any], returned: object) -> Spawned:
        """Turn what a parent's run returned into its children.

        Raises:
            InvalidInputError: It is no `ParentTaskOutput`, has too many children, or the input of
                one does not fit its task.
            DurableExecutionNotFoundError: A child's task is not registered on this executor.
        """
        if not isinstance(returned, ParentTaskOutput):
            raise InvalidInputError(
                f"Parent task {task.id} must return ParentTaskOutput, got {type(returned).__name__}"
            )
        wanted = returned.children
        limit = self._options.max_children_per_task_execution
        if len(wanted) > limit:
            raise InvalidInputError(
                f"Parent task {task.id} returned {len(wanted)} children, "
                f"at most {limit} are allowed: give some of them children of their own"
            )
        for index, child in enumerate(wanted):
            if not isinstance(child, ChildTask):
                raise InvalidInputError(
                    f"Child {index} of parent task {task.id} must be made by child_task(...), "
                    f"got {type(child).__name__}"
                )
            self._check_known(child.task)
        output = encode_run_output(
            task, returned.output, max_size=self._options.max_serialized_output_size
        )
        now = self._clock.now()
        children = tuple(
            compose.new_child(
                child.task,
                child.input,
                child.options,
                parent,
                Place(index=index, is_only_child=len(wanted) == 1),
                execution_id=self._new_id(),
                max_size=self._options.max_serialized_input_size,
                now=now,
            )
            for index, child in enumerate(wanted)
        )
        return Spawned(output, children)

    def first_step(
        self, parent: ExecutionRecord, plan: SequencePlan | LoopPlan, payload: bytes
    ) -> Spawned:
        """Begin a sequence or a loop."""
        return Spawned(compose.NOTHING, (self.step(parent, plan, 0, payload),))

    def step(
        self, parent: ExecutionRecord, plan: SequencePlan | LoopPlan, index: int, payload: bytes
    ) -> ExecutionRecord:
        """Build the child that is step or turn `index`.

        Raises:
            DurableExecutionNotFoundError: Its task is not registered on this executor.
            InvalidInputError: Its task checks its input, and this one does not fit.
        """
        if isinstance(plan, SequencePlan):
            task = plan.steps[index]
            options = task.options
        else:
            task = plan.iteration
            pause = plan.sleep_before_run
            options = task.options.overridden(
                sleep_before_run=pause(index) if callable(pause) else pause
            )
        self._check_known(task)
        return compose.new_step(
            task,
            payload,
            options,
            parent,
            Place(index=index),
            execution_id=self._new_id(),
            max_size=self._options.max_serialized_input_size,
            now=self._clock.now(),
            # A sequence has its first step's check, a loop that of its turns.
            is_validated=index == 0 or isinstance(plan, LoopPlan),
        )

    def finalize(self, parent: ExecutionRecord, task: Task[Any, Any]) -> ExecutionRecord:
        """Build the finalize child. Its input is composed of its siblings when it runs.

        Raises:
            DurableExecutionNotFoundError: Its task is not registered on this executor.
        """
        self._check_known(task)
        return compose.new_step(
            task,
            compose.NOTHING,
            task.options,
            parent,
            Place(index=new_finalize_index(parent), is_finalize=True),
            execution_id=self._new_id(),
            max_size=self._options.max_serialized_input_size,
            now=self._clock.now(),
            is_validated=True,  # when it runs, and there is an input
        )

    def _check_known(self, task: Task[Any, Any]) -> None:
        if self._tasks.get(task.id) is not task:
            raise DurableExecutionNotFoundError(f"Task not found [taskId={task.id}]")
