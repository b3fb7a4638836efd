"""Random trees, random events, random crashes: the law holds after each step, and every tree ends.

A letter is a transition on its way to the database. It may arrive at once, late, or twice (when
its answer was lost and the sender repeats it). A dead executor's attempts may be gone, or may end
later and write as if nothing had happened. Joiners act on what they read some time ago. Programs
outside answer for attempts that were handed to them, whether or not the executor has let go yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import cycle
from typing import Final, Literal, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from durable_execution._core import decisions, transitions
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StoredError
from tests._core.invariants import CRASH_BUDGET, check_guards, check_rows, check_writes
from tests._core.model_database import ModelDatabase
from tests._core.model_engine import LEASE_MS, Choice, ModelEngine
from tests._core.plans import Plan, plans

Item = TypeVar("Item")
Arrival = Literal["now", "now and again", "late"]

MAX_UNFINISHED: Final = 8
MAX_ROUNDS: Final = 1_000
A_DAY_MS: Final = 86_400_000

_PICK = st.integers(0, 1_000)
_ARRIVAL: st.SearchStrategy[Arrival] = st.sampled_from(["now", "now", "now and again", "late"])
_CHOICES: list[Choice] = [
    *("return", "return", "return", "be_done"),
    *("raise", "raise_retryable", "time_out", "cancel", "hand_back", "park"),
]
_CYCLES: st.SearchStrategy[list[Choice]] = st.lists(
    st.sampled_from([choice for choice in _CHOICES if choice != "hand_back"]),
    min_size=1,
    max_size=8,
)
"""How attempts end when no rule says so: again and again in this order."""


class Trees(RuleBasedStateMachine):
    """Executors, joiners, rescuers and people, all acting on one database in any order.

    People cancel, and they retry what has failed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.database = ModelDatabase()
        self.engine = ModelEngine()
        self.executors = ["executor0", "executor1"]
        self.dead: list[str] = []
        self.attempts: list[ExecutionRecord] = []
        self.late_attempts: list[ExecutionRecord] = []
        self.joins: list[tuple[ExecutionRecord, list[ExecutionRecord]]] = []
        self.letters: list[Transition] = []
        self.sent: list[Transition] = []
        self.tokens: list[ExecutionRecord] = []
        """What was handed to programs outside, as it was claimed."""
        self.cancels_left = 0
        self.retries_left = 0
        self.ends_in_a_storm = False
        self.roots: Iterator[Plan] = iter(())
        self.choices: Iterator[Choice] = iter(())

    @initialize(
        roots=st.lists(plans(), min_size=1, max_size=3),
        choices=_CYCLES,
        ends_in_a_storm=st.booleans(),
    )
    def begin(self, roots: list[Plan], choices: list[Choice], ends_in_a_storm: bool) -> None:
        self.ends_in_a_storm = ends_in_a_storm
        self.roots, self.choices = cycle(roots), cycle(choices)

    @rule(plan=plans())
    def enqueue(self, plan: Plan) -> None:
        if len(self.database.unfinished()) < MAX_UNFINISHED:
            self._enqueue(plan)
        else:
            self.work()

    @rule()
    def work(self) -> None:
        """Do the next ordinary thing. Rules that find nothing to act on do this instead."""
        if self.database.joinable():
            self._join_all("now")
        elif self.attempts:
            self._end(self.attempts.pop(), next(self.choices), "now")
        elif self.database.orphans(self.dead):
            self._rescue_all("now")
        elif self.database.ready():
            self._claim(self.executors[0], 2)
        elif self.database.parked():
            self._answer(self.database.parked()[0], next(self.choices), "now")
        elif self.database.sleepers():
            self._expire(self.database.sleepers()[0], "now")
        elif not self.database.unfinished():
            self._enqueue(next(self.roots))

    @rule(executor=st.integers(0, 1), limit=st.integers(1, 4))
    def claim(self, executor: int, limit: int) -> None:
        if self.database.ready():
            self._claim(self.executors[executor], limit)
        else:
            self.work()

    @rule(pick=_PICK, choice=st.sampled_from(_CHOICES), arrival=_ARRIVAL)
    def end_an_attempt(self, pick: int, choice: Choice, arrival: Arrival) -> None:
        if self.attempts:
            self._end(_take(self.attempts, pick), choice, arrival)
        else:
            self.work()

    @rule(pick=_PICK, choice=st.sampled_from(_CHOICES), arrival=_ARRIVAL)
    def end_an_attempt_of_the_dead(self, pick: int, choice: Choice, arrival: Arrival) -> None:
        if self.late_attempts:
            self._end(_take(self.late_attempts, pick), choice, arrival)
        else:
            self.work()

    @rule(pick=_PICK)
    def deliver(self, pick: int) -> None:
        if self.letters:
            self.database.apply(_take(self.letters, pick))
        else:
            self.work()

    @rule(pick=_PICK, is_only_paused=st.booleans())
    def crash(self, pick: int, is_only_paused: bool) -> None:
        owners = {record.executor_id for record in self.attempts}
        busy = [executor for executor in self.executors if executor in owners]
        if busy:
            self._crash(_pick(busy, pick), is_only_paused)
        else:
            self.work()

    @rule(arrival=_ARRIVAL)
    def rescue(self, arrival: Arrival) -> None:
        if self.database.orphans(self.dead):
            self._rescue_all(arrival)
        else:
            self.work()

    @rule(pick=_PICK)
    def read_for_a_join(self, pick: int) -> None:
        if self.database.joinable():
            parent = _pick(self.database.joinable(), pick)
            self.joins.append((parent, self.database.children_of(parent.execution_id)))
        else:
            self.work()

    @rule(pick=_PICK, arrival=_ARRIVAL, reads_children_again=st.booleans())
    def join(self, pick: int, arrival: Arrival, reads_children_again: bool) -> None:
        if self.joins:
            parent, children = _take(self.joins, pick)
            if reads_children_again:
                children = self.database.children_of(parent.execution_id)
            self._send(self.engine.join(parent, children, self.database.now), arrival)
        else:
            self._join_all(arrival)

    @rule(pick=_PICK, arrival=_ARRIVAL)
    def cancel(self, pick: int, arrival: Arrival) -> None:
        unfinished = self.database.unfinished()
        if unfinished and self.cancels_left:
            self.cancels_left -= 1
            error = StoredError(error_type="cancelled", message="stop")
            record = _pick(unfinished, pick)
            self._send(transitions.cancel(record, error=error, now=self.database.now), arrival)
        else:
            self.work()

    @rule(pick=_PICK)
    def retry(self, pick: int) -> None:
        failed = self.database.failed_roots()
        if failed and self.retries_left:
            self.retries_left -= 1
            self.database.now += 1
            self.database.reopen(_pick(failed, pick))
        else:
            self.work()

    @rule(pick=_PICK, is_good=st.booleans(), arrival=_ARRIVAL)
    def wake_up(self, pick: int, is_good: bool, arrival: Arrival) -> None:
        if self.database.sleepers():
            output = b"morning" if is_good else None
            error = None if is_good else StoredError(message="alarm")
            sleeper, now = _pick(self.database.sleepers(), pick), self.database.now
            self._send(transitions.wake_up(sleeper, output=output, error=error, now=now), arrival)
        else:
            self.work()

    @rule(pick=_PICK)
    def hand_over(self, pick: int) -> None:
        """Tell a program outside of an attempt; the executor's park, if any, comes later."""
        if self.attempts:
            self.tokens.append(_pick(self.attempts, pick))
        else:
            self.work()

    @rule(pick=_PICK, choice=st.sampled_from(_CHOICES), arrival=_ARRIVAL)
    def answer(self, pick: int, choice: Choice, arrival: Arrival) -> None:
        """A program outside answers, perhaps again, perhaps for an attempt that is over."""
        if self.tokens:
            self._answer(_pick(self.tokens, pick), choice, arrival)
        else:
            self.work()

    @rule(pick=_PICK, arrival=_ARRIVAL, after_ms=st.integers(0, LEASE_MS))
    def extend(self, pick: int, arrival: Arrival, after_ms: int) -> None:
        if self.database.parked():
            row = _pick(self.database.parked(), pick)
            self.database.now += after_ms
            move = transitions.extend(row, lease_ms=LEASE_MS, now=self.database.now)
            self._send(move, arrival)
        else:
            self.work()

    @rule(pick=_PICK, arrival=_ARRIVAL)
    def expire(self, pick: int, arrival: Arrival) -> None:
        expiring = self.database.sleepers() + self.database.parked()
        if expiring:
            self._expire(_pick(expiring, pick), arrival)
        else:
            self.work()

    @invariant()
    def the_law_holds(self) -> None:
        check_writes(self.database)
        check_guards(self.database)
        check_rows(self.database, self.engine)

    def teardown(self) -> None:
        """Crashes and cancels stop: every tree must end, and stay as it ended."""
        self._settle()
        ended = dict(self.database.rows)
        self.database.now += A_DAY_MS
        matched = [transition for transition in self.sent if self.database.apply(transition)]
        assert not matched, f"applied after the end: {matched}"
        assert self.database.rows == ended

    def _settle(self) -> None:
        for letter in self.letters:
            self.database.apply(letter)
        for record in self.late_attempts:
            self._end(record, "return", "now")
        self.attempts.clear()
        self.dead += self.executors
        if self.ends_in_a_storm:
            self._storm()
        for _ in range(MAX_ROUNDS):
            self.the_law_holds()
            if not self.database.unfinished():
                return
            self._work_off_a_round()
        raise AssertionError(f"never end: {self.database.unfinished()}")

    def _storm(self) -> None:
        """Let whatever is claimed kill its executor: the crash budget must end it."""
        struck = {row.execution_id for row in self.database.ready()}
        for turn in range(CRASH_BUDGET + 1):
            self.database.now += A_DAY_MS
            self.database.claim(f"storm{turn}", MAX_ROUNDS)
            self.dead.append(f"storm{turn}")
            self._rescue_all("now")
            self.the_law_holds()
        survivors = struck & {row.execution_id for row in self.database.unfinished()}
        assert not survivors, f"crash for ever: {survivors}"

    def _work_off_a_round(self) -> None:
        self.database.now += A_DAY_MS
        self._rescue_all("now")
        for record in self.database.claim("the last executor", MAX_ROUNDS):
            self._end(record, next(self.choices), "now")
        self._join_all("now")
        for expiring in self.database.sleepers() + self.database.parked():
            self._expire(expiring, "now")

    def _crash(self, crashed: str, is_only_paused: bool) -> None:
        self.dead.append(crashed)
        self.executors[self.executors.index(crashed)] = f"executor{len(self.dead) + 1}"
        if is_only_paused:
            self.late_attempts += [
                record for record in self.attempts if record.executor_id == crashed
            ]
        self.attempts = [record for record in self.attempts if record.executor_id != crashed]

    def _enqueue(self, plan: Plan) -> None:
        record = self.engine.root(plan, self.database.now)
        self.database.insert(record)
        self.database.insert(record)
        self.cancels_left += 1
        self.retries_left += 2

    def _claim(self, executor_id: str, limit: int) -> None:
        self.database.now = max(self.database.now + 1, self.database.ready()[0].start_at)
        self.attempts += self.database.claim(executor_id, limit)

    def _end(self, record: ExecutionRecord, choice: Choice, arrival: Arrival) -> None:
        outcome = self.engine.run(record, choice, self.database.now)
        self._send(decisions.conclude(record, outcome, now=self.database.now), arrival)
        if choice == "park":
            self.tokens.append(record)

    def _answer(self, token: ExecutionRecord, choice: Choice, arrival: Arrival) -> None:
        """End the attempt of a token from outside, as long as it is the one under way."""
        row = self.database.rows[token.execution_id]
        if (row.status, row.fence) != ("running", token.fence) or choice in {"hand_back", "park"}:
            return
        claim = self.database.claims[row.execution_id][-1]
        outcome = self.engine.run(claim, choice, self.database.now)
        if not row.is_parked or not isinstance(outcome, decisions.Spawned):
            self._send(decisions.conclude(row, outcome, now=self.database.now), arrival)

    def _expire(self, expiring: ExecutionRecord, arrival: Arrival) -> None:
        assert expiring.expires_at is not None
        self.database.now = max(self.database.now, expiring.expires_at)
        self._send(decisions.expire(expiring, now=self.database.now), arrival)

    def _join_all(self, arrival: Arrival) -> None:
        for parent in self.database.joinable():
            children = self.database.children_of(parent.execution_id)
            self._send(self.engine.join(parent, children, self.database.now), arrival)

    def _send(self, transition: Transition, arrival: Arrival) -> None:
        self.sent.append(transition)
        if arrival != "late":
            self.database.apply(transition)
        if arrival != "now":
            self.letters.append(transition)

    def _rescue_all(self, arrival: Arrival) -> None:
        now = self.database.now
        for orphan in self.database.orphans(self.dead):
            self._send(
                decisions.rescue(orphan, max_crash_recoveries=CRASH_BUDGET, now=now), arrival
            )


def _pick(items: list[Item], pick: int) -> Item:
    return items[pick % len(items)]


def _take(items: list[Item], pick: int) -> Item:
    return items.pop(pick % len(items))


_PROFILES: Final = {
    "default": settings(max_examples=400, stateful_step_count=60, deadline=None),
    "thorough": settings(max_examples=3_000, stateful_step_count=100, deadline=None),
}
_PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "default")

TestTrees = pytest.mark.timeout(120 if _PROFILE == "default" else 3_600)(Trees.TestCase)
TestTrees.settings = _PROFILES[_PROFILE]
