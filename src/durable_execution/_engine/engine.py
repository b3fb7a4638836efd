"""The engine: the services wired together, what they tell one another, and their order of life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Token
from typing import Any, Final

from durable_execution._core.offspring import in_trace
from durable_execution._core.patch import Finish, Patch, Transition, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import WAITING
from durable_execution._core.task import Task
from durable_execution._engine.attempt import AttemptRunner
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits, Listeners
from durable_execution._engine.compose import parent_result
from durable_execution._engine.crew import Crew
from durable_execution._engine.deadlines import Deadlines
from durable_execution._engine.eager import EagerStart
from durable_execution._engine.ids import NewIds, new_executor_id
from durable_execution._engine.observed_storage import observed
from durable_execution._engine.options import ExecutorOptions, seconds
from durable_execution._engine.pace import Pace
from durable_execution._engine.reports import Reports
from durable_execution._engine.running import Attempt, Running
from durable_execution._engine.services.chore import Chore
from durable_execution._engine.services.chores import TURN_TIMEOUT, Chores
from durable_execution._engine.services.claimer import Claimer
from durable_execution._engine.services.expirer import Expirer
from durable_execution._engine.services.finishes import Finishes
from durable_execution._engine.services.heart import Heart, Told
from durable_execution._engine.services.joiner import Joiner
from durable_execution._engine.services.lookout import Lookout
from durable_execution._engine.services.pruner import Pruner
from durable_execution._engine.services.reporter import Reporter
from durable_execution._engine.services.rescuer import Rescuer
from durable_execution._engine.services.watches import Watches
from durable_execution._engine.signals import OneShot
from durable_execution._engine.spawning import Spawning
from durable_execution._engine.storage_metrics import StorageMetrics
from durable_execution._engine.successors import Joins
from durable_execution._engine.surroundings import MACHINE, Surroundings
from durable_execution._engine.telling import tell_finished
from durable_execution._observing import (
    EnqueueTasks,
    current_baggage,
    current_trace,
    told_to,
    traced,
)
from durable_execution.errors import (
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    StorageError,
)
from durable_execution.storage.protocol import Reopened, Storage

logger = logging.getLogger(__name__)

LAST_WORDS: Final = 1.0
"""Seconds that threads get to see their cancel signal before nobody waits for them any more."""


class Engine:
    """One life of an executor, from `start` to `stop`."""

    def __init__(
        self,
        storage: Storage,
        tasks: Mapping[str, Task[Any, Any]],
        options: ExecutorOptions,
        surroundings: Surroundings = MACHINE,
    ) -> None:
        self.executor_id = new_executor_id(surroundings.random_bytes)
        self.clock = Clock(surroundings.steady_clock())
        self.options = options
        self.tracer = options.tracer
        self._tasks = tasks
        tell = self.tell = told_to(options.observers)
        self.storage_metrics = StorageMetrics() if options.enable_storage_metrics else None
        listeners = [*options.observers, *filter(None, [self.storage_metrics])]
        tell_of_storage = told_to(listeners)
        if tell_of_storage is not None:
            storage = observed(storage, tell_of_storage, surroundings.monotonic)
        self.storage = storage
        self.commits = Commits(storage, jitter=surroundings.jitter, tell=tell)
        self.running = Running(
            capacity=options.max_concurrent_task_executions,
            threads=options.max_threads,
            on_room=lambda: self._claimer.wakeup.set(),
            new_threads=surroundings.new_threads,
        )
        self._deadlines = Deadlines()
        pace = Pace(storage, seconds(options.poll_interval), surroundings.monotonic)
        self.finishes = Finishes(storage, executor_id=self.executor_id, pace=pace)
        self.watches = Watches(storage, pace=pace)
        self._reporter = Reporter()
        self.reports = Reports(
            storage,
            self.clock,
            needed=self._reporter.announce,
            written=self._reported,
        )
        self._shutdown_signal = OneShot()
        self._surroundings = surroundings
        self._new_id = NewIds(surroundings.random_bytes)
        spawning = Spawning(tasks, options, self.clock, self.new_id)
        self._runner = AttemptRunner(
            running=self.running,
            commits=self.commits,
            deadlines=self._deadlines,
            spawning=spawning,
            joins=Joins(tasks, spawning, max_output_size=options.max_serialized_output_size),
            clock=self.clock,
            options=options,
            shutdown_signal=self._shutdown_signal,
            on_progress=self.reports.take,
            finalize_input=self._finalize_input,
            tell=tell,
        )
        self._crew = Crew(self._runner.run, on_wait=self._runner.bound)
        self._rescuer = Rescuer(
            storage,
            self.commits,
            self.clock,
            max_crash_recoveries=options.max_crash_recoveries,
            tell=tell,
        )
        self._claimer = Claimer(
            storage,
            tasks,
            self.running,
            self.clock,
            executor_id=self.executor_id,
            start=self._start_attempt,
            starts_landed=lambda: self._eager.landed(),
            rescue=self._rescuer.rescue,
            lease_term=lambda: self.heart.lease_term,
            pace=pace,
        )
        self._eager = EagerStart(
            tasks,
            self.running,
            self.clock,
            executor_id=self.executor_id,
            is_caught_up=lambda: self._claimer.is_caught_up,
            lease_term=lambda: self.heart.lease_term,
            start=self._start_attempt,
            doubt=self._claimer.doubt,
        )
        self._joiner = Joiner(storage, tasks, self.commits, spawning, self.clock, options)
        self._expirer = Expirer(storage, self.commits, self.clock)
        self.heart = Heart(
            storage,
            self.running,
            self.clock,
            Told(self._lost, self._lost_all, self._found_dead, self._claimer.reclaim),
            executor_id=self.executor_id,
            task_ids=self.task_ids,
            lease_ms=options.lease_ms,
            loop_stall_timeout=seconds(options.loop_stall_timeout),
            rhythm=surroundings.new_rhythm(),
            monotonic=surroundings.monotonic,
            tell=tell,
        )
        self._chores = Chores(
            (
                self._claimer,
                self._joiner,
                self._expirer,
                self._rescuer,
                self.finishes,
                self.watches,
                self._reporter,
                *self._asked_for(),
            ),
            self.commits.pumps(),
            jitter=surroundings.jitter,
        )
        self._life: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] | None = None

    def _asked_for(self) -> Iterator[Chore]:
        """Make the chores that not every executor has."""
        options, surroundings = self.options, self._surroundings
        if options.retention_ms is not None:
            yield Pruner(
                self.storage,
                self.clock,
                retention_ms=options.retention_ms,
                jitter=surroundings.jitter,
            )
        if self.tell is not None:
            yield Lookout(
                self.storage,
                self.running,
                self.clock,
                executor_id=self.executor_id,
                capacity=options.max_concurrent_task_executions,
                tell=self.tell,
            )

    @property
    def is_alive(self) -> bool:
        """Whether all services run and the lease is held."""
        return self._life is not None and not self._life.done() and self.heart.is_beating

    def task_ids(self) -> frozenset[str]:
        """Return what runs here. From any thread: the set of a dict's keys is made at once."""
        does_run = self.options.max_concurrent_task_executions > 0
        return frozenset(self._tasks if does_run else ())

    def look_for_new_tasks(self) -> None:
        """Tasks were added: find what waits for them here, and tell others that they run here."""
        self._claimer.wakeup.set()
        self._joiner.sweep_soon()
        self.heart.beat_now()

    def new_id(self, now: int | None = None) -> str:
        """Return the id of a new execution, of this instant or of that one."""
        return self._new_id(self.clock.now() if now is None else now)

    @contextmanager
    def enqueuing(self, records: Sequence[ExecutionRecord]) -> Iterator[list[ExecutionRecord]]:
        """Make records part of the current trace, and a span around their enqueue if asked for."""
        parent, tracer = current_trace.get(), self.tracer
        if tracer is None or not records:
            yield [in_trace(record, parent) for record in records]
            return
        task_ids = {record.task_id for record in records}
        activity = EnqueueTasks(
            task_id=task_ids.pop() if len(task_ids) == 1 else None,
            execution_id=records[0].execution_id if len(records) == 1 else None,
            count=len(records),
        )
        with traced(tracer, activity, parent) as trace:
            yield [in_trace(record, trace) for record in records]

    async def start(self) -> None:
        """Open the storage, take the lease and start every service.

        What is started here runs for everybody: it is no part of the trace of who starts it.
        """
        outside = current_trace.set(None), current_baggage.set(None)
        try:
            await self._start()
        except Exception:
            _go_back(*outside)
            raise
        # Not in a `finally`: what is closed where it never ran has another context to leave.
        _go_back(*outside)

    async def _start(self) -> None:
        await self.storage.open()
        self.commits.tell(
            Listeners(
                inserted=self._inserted,
                requeued=self._claimer.announce,
                moved=self._moved,
                parked=self._expirer.announce,
                finished=self._finished,
                cascaded=self._cascaded,
                joinable=self._joiner.announce,
                doubted=self._doubted,
            ),
            self._eager,
            self.reports,
        )
        self._reporter.begin(self.reports)
        await self.heart.start()
        self._stop_listening = self.storage.listen(self._changed)
        is_started = asyncio.Event()
        self._life = asyncio.create_task(
            self._chores.run(is_started), name="durable-execution-engine"
        )
        self._life.add_done_callback(self._died)
        await is_started.wait()

    async def stop(self) -> None:
        """Shut down, in an order in which every step leaves rows that others can go on from."""
        self._eager.stop()
        await self._chores.stop("claimer")
        await self._find_lost_claims()
        self._shutdown_signal.set()
        patience = seconds(self.options.shutdown_timeout)
        if len(self.running):
            facts = {"count": len(self.running), "seconds": patience}
            logger.info("shutting down once what runs has ended", extra=facts)
        await self._drain(patience)
        self.running.stop_all("shutdown")
        await self._drain(LAST_WORDS)
        if any(attempt.has_ended for attempt in self.running.attempts()):
            await self._drain(TURN_TIMEOUT)  # outcomes that the storage has not taken yet
        left = self.running.abandon_all()
        for name in (
            "lookout",
            "pruner",
            "joiner",
            "expirer",
            "rescuer",
            "finishes",
            "watches",
            "reporter",
        ):
            await self._chores.stop(name)
        await self._flush()
        self._chores.finish()
        if self._life is not None:
            await asyncio.wait({self._life})
        await self.heart.stop()
        if not left:
            await self._sign_off()
        if self._stop_listening is not None:
            self._stop_listening()
        self._fail_all(ExecutorShutDownError("Executor was shut down"))
        self._deadlines.close()
        self.running.threads.close()
        await self.storage.close()

    async def cancel(self, record: ExecutionRecord, transition: Transition) -> bool:
        """Apply a cancellation; what runs here stops at once, what runs elsewhere with its beat."""
        matched = await self.commits.apply(record, transition)
        if matched:
            self.running.stop(record.execution_id, "cancelled")
        return matched

    def reopened(self, tree: Reopened) -> None:
        """Take note of a tree that was reopened, perhaps by a call whose answer was lost."""
        for row in tree.rows:
            self.finishes.forget(row.execution_id)
            if row.is_sleeping and row.expires_at is not None:
                self._expirer.announce(row.expires_at)
        if tree.root is not None and not tree.root.is_finished:
            self._joiner.sweep_soon()
            self._changed()

    def _died(self, life: asyncio.Task[None]) -> None:
        if life.cancelled() or life.exception() is None:
            return
        logger.critical("the engine stopped because of a bug", exc_info=life.exception())
        self.running.stop_all("lost")
        self.heart.give_up()
        self._fail_all(ExecutorShutDownError("Executor stopped because of a bug; see log"))

    def _fail_all(self, error: ExecutorShutDownError) -> None:
        self.finishes.fail_all(error)
        self.watches.fail_all(error)

    async def _find_lost_claims(self) -> None:
        """Take up what a claim took whose answer was lost, to hand it back like the rest."""
        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                await self._eager.landed()
                await self._claimer.settle()
        except (StorageError, TimeoutError) as error:
            logger.warning("a claim's answer stays lost", extra={"error": str(error)})

    async def _drain(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.running.drained()

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                await self.commits.drained()
        except TimeoutError:
            logger.error("storage unavailable at shutdown; unwritten outcomes will be recovered")

    async def _sign_off(self) -> None:
        try:
            await self.storage.sign_off(self.executor_id)
        except StorageError as error:
            logger.warning(
                "could not sign off; the lease will run out", extra={"error": str(error)}
            )

    def _start_attempt(self, attempt: Attempt) -> None:
        if self.watches.is_needed:
            self.watches.announce(attempt.record)
        self.running.add(attempt)
        self._crew.start(attempt)

    def _inserted(self, records: Sequence[ExecutionRecord]) -> None:
        first_start_at: int | None = None
        for record in records:
            if record.sleeping_unique_id is not None:
                if record.expires_at is not None:
                    self._expirer.announce(record.expires_at)
            elif first_start_at is None or record.start_at < first_start_at:
                first_start_at = record.start_at
        if first_start_at is not None:
            # The claim that follows finds out when to look for the others.
            self._claimer.announce(first_start_at)

    def _moved(self, record: ExecutionRecord, patch: Patch) -> None:
        if self.watches.is_watched(record.execution_id):
            self.watches.announce(patched(record, patch))

    def _finished(self, finished: Sequence[tuple[ExecutionRecord, Finish]]) -> None:
        self.finishes.tell_all(finished)
        if self.tell is not None:
            tell_finished(self.tell, finished)
        if self.watches.is_needed:
            for record, finish in finished:
                # Who cancels may have read a waiting row some steps ago: `_cascaded` looks again.
                if finish.status != "cancelled" or record.status not in WAITING:
                    self._moved(record, finish)

    def _reported(self, execution_ids: Iterable[str]) -> None:
        for execution_id in execution_ids:
            self.watches.announce_progress(execution_id)

    def _announce_change(self) -> None:
        self.finishes.announce_change()
        self.watches.announce_change()

    def _cascaded(self) -> None:
        self.heart.beat_now()
        self._announce_change()

    def _doubted(self) -> None:
        self._joiner.sweep_soon()
        self._claimer.wakeup.set()
        self._announce_change()
        self.heart.beat_now()

    def _changed(self) -> None:
        self._claimer.wakeup.set()
        self._joiner.announce_change()
        self._announce_change()

    def _lost(self, held: Iterable[tuple[str, int]]) -> None:
        stopped = self.running.stop_lost(held)
        if stopped:
            logger.info("stopped attempts that are no longer ours", extra={"count": stopped})

    def _lost_all(self) -> None:
        self.running.stop_all("lost")

    def _found_dead(self) -> None:
        self._rescuer.wakeup.set()
        self._joiner.sweep_soon()

    async def _finalize_input(self, attempt: Attempt) -> bytes:
        parent_id = attempt.record.parent_execution_id
        if attempt.parent is None and parent_id is not None:
            attempt.parent = await self.commits.get(parent_id, tries=None)
        parent = attempt.parent
        if parent is None:
            raise DurableExecutionNotFoundError(
                f"Task execution not found [executionId={parent_id}]"
            )
        return parent_result(parent, await self.commits.children_of(parent.execution_id))


def _go_back(trace: Token[str | None], baggage: Token[str | None]) -> None:
    current_baggage.reset(baggage)
    current_trace.reset(trace)
