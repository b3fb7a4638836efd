"""The smallest engine over the law: from plans to records, outcomes and joins. It holds no state
that matters: whatever it forgets, the rows know.
"""

from __future__ import annotations

import itertools
from typing import Literal, assert_never

from durable_execution._core import joining, transitions
from durable_execution._core.decisions import HandedBack, Outcome, Parked, Raised, Returned, Spawned
from durable_execution._core.offspring import Place, Seed, child_record, root_record
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import new_finalize_index
from durable_execution._core.retry import RetryPolicy
from durable_execution.errors import StoredError
from tests._core.plans import Chain, Fan, Loop, Plan, Sleeper, Work

Choice = Literal[
    "return", "be_done", "raise", "raise_retryable", "time_out", "cancel", "hand_back", "park"
]

TIMEOUT_MS = 60_000
LEASE_MS = 25_000
DONE = b"!"
"""The end of the output of a turn after which its loop is done."""

_ERRORS: dict[str, StoredError] = {
    "raise": StoredError(message="no"),
    "raise_retryable": StoredError(message="not yet", is_retryable=True),
    "time_out": StoredError(error_type="timed_out", message="too slow", is_retryable=True),
    "cancel": StoredError(error_type="cancelled", message="gave up"),
}


class ModelEngine:
    """Knows which plan a task id stands for, as every executor of a deployment does."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}
        self._task_ids: dict[Plan, str] = {}
        self._ids = itertools.count()

    def root(self, plan: Plan, now: int) -> ExecutionRecord:
        """Build the record of an enqueued plan."""
        return root_record(self._seed(plan, b"input"), now=now)

    def run(self, record: ExecutionRecord, choice: Choice, now: int) -> Outcome:
        """Run a claimed record and end as chosen; a parent that returns spawns its children."""
        if choice == "hand_back":
            return HandedBack()
        if choice in _ERRORS:
            return Raised(_ERRORS[choice])
        output = signature(record)
        plan = self.plans[record.task_id]
        if isinstance(plan, Work):
            if choice == "park":
                return Parked(LEASE_MS)
            return Returned(output + DONE if choice == "be_done" else output)
        return Spawned(output, self._first_children(record, plan, now))

    def join(
        self, parent: ExecutionRecord, children: list[ExecutionRecord], now: int
    ) -> Transition:
        """Join a parent that was joinable when it was read; its children were read after it."""
        plan = self.plans[parent.task_id]
        match self._verdict(parent, children, plan):
            case joining.RunStep(index, encoded_input):
                place = Place(index=index)
                step = plan.steps[index] if isinstance(plan, Chain) else _turn_of(plan)
                child = child_record(self._seed(step, encoded_input), parent, place, now=now)
                return transitions.advance(parent, child=child, now=now)
            case joining.RunFinalize():
                seed = self._seed(_finalize_of(plan), b"settled")
                place = Place(index=new_finalize_index(parent), is_finalize=True)
                child = child_record(seed, parent, place, now=now)
                return transitions.finalize(parent, child=child, now=now)
            case joining.Complete(output):
                return transitions.join(parent, output=output, now=now)
            case joining.CompleteWithChildren():
                return transitions.join(parent, output=b"settled", now=now)
            case joining.GiveUp():
                return transitions.join(parent, output=b"gave up", now=now)
            case joining.FailToJoin(error):
                return transitions.fail_to_join(parent, error=error, now=now)
            case verdict:
                assert_never(verdict)

    def _verdict(
        self, parent: ExecutionRecord, children: list[ExecutionRecord], plan: Plan
    ) -> joining.Verdict:
        if isinstance(plan, Fan):
            finalize_child = next((each for each in reversed(children) if each.is_finalize), None)
            has_finalize = plan.finalize is not None
            return joining.join_parent(parent, finalize_child, has_finalize=has_finalize)
        last = joining.last_of(children)
        if isinstance(plan, Chain):
            return joining.join_sequence(parent, last, steps=len(plan.steps))
        assert isinstance(plan, Loop)
        turn = None
        if last.status == "completed" and last.output is not None:
            turn = joining.Turn(last.output if last.output.endswith(DONE) else None)
        return joining.join_loop(last, turn, max_attempts=plan.max_attempts)

    def _first_children(
        self, parent: ExecutionRecord, plan: Plan, now: int
    ) -> tuple[ExecutionRecord, ...]:
        match plan:
            case Fan(children):
                first: tuple[Plan, ...] = children
            case Chain(steps):
                first = steps[:1]
            case Loop(turn):
                first = (turn,)
            case Work() | Sleeper():
                raise AssertionError(f"{plan} has no children")
            case _:
                assert_never(plan)
        only = isinstance(plan, Fan) and len(first) == 1
        return tuple(
            child_record(
                self._seed(child, parent.input),
                parent,
                Place(index=index, is_only_child=only),
                now=now,
            )
            for index, child in enumerate(first)
        )

    def _seed(self, plan: Plan, encoded_input: bytes) -> Seed:
        task_id = self._task_ids.setdefault(plan, f"task{len(self._task_ids)}")
        self.plans[task_id] = plan
        execution_id = f"te_{next(self._ids)}"
        retries = plan.retries if isinstance(plan, Work | Fan) else 1
        return Seed(
            execution_id=execution_id,
            task_id=task_id,
            input=encoded_input,
            timeout_ms=TIMEOUT_MS,
            retry=RetryPolicy(max_retries=retries, base_delay_ms=100),
            sleeping_unique_id=f"bed of {execution_id}" if isinstance(plan, Sleeper) else None,
            are_children_sequential=isinstance(plan, Chain),
        )


def signature(record: ExecutionRecord) -> bytes:
    """Return what an attempt writes, such that a row shows whose write it carries."""
    return f"{record.execution_id}#{record.fence}@{record.executor_id}".encode()


def _turn_of(plan: Plan) -> Plan:
    assert isinstance(plan, Loop)
    return plan.turn


def _finalize_of(plan: Plan) -> Plan:
    assert isinstance(plan, Fan)
    assert plan.finalize is not None
    return plan.finalize
