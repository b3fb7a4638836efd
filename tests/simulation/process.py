"""One simulated operating system process: an executor, its event loops, its clocks, its luck."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from durable_execution import DurableExecutor, ExecutorOptions, StorageUnavailableError
from durable_execution._core.task import Task
from durable_execution._engine.ahead import SOON, Ahead
from durable_execution._engine.running import Running
from durable_execution._engine.surroundings import Surroundings
from durable_execution._engine.threads import Call
from tests.simulation.database import EPOCH_MS
from tests.simulation.link import Link, Side
from tests.simulation.virtual_time import VirtualLoop, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.adversary import Adversary
    from tests.simulation.ledger import Ledger


class Process:
    """Runs a real executor until it is shut down or crashes."""

    def __init__(
        self,
        name: str,
        world: World,
        ledger: Ledger,
        adversary: Adversary,
        tasks: Mapping[str, Task[Any, Any]],
        options: ExecutorOptions,
        skew_ms: int,
    ) -> None:
        self.name = name
        self.world = world
        self.ledger = ledger
        self.adversary = adversary
        self.options = options
        self.skew_ms = skew_ms
        self.calls = 0
        """Statements sent so far."""
        self.is_alive = True
        self.is_running = False
        """Whether it has started and was not told to shut down."""
        self.has_crashed = False
        self.left_threads = False
        """Whether it ended while it still ran what nobody could stop."""
        self.was_disturbed = False
        """Whether its heart may have missed a beat, so that it may lose what it runs."""
        self.stalled_until = -1.0
        """When it goes on, or went on, after its last stall."""
        self.clients: list[asyncio.Task[None]] = []
        self._cuts: dict[Side, int] = {"work": 0, "heart": 0}
        self._listeners: list[Callable[[], None]] = []
        self.main = world.new_loop(self)
        self.main.thread_pause = adversary.duration_in_thread
        self.loops = [self.main]
        # So that some claim ahead of functions that others find too slow for that.
        soon = world.random.choice((SOON, 30.0, 30.0, 30.0))
        surroundings = Surroundings(
            wall_clock=self.wall_clock,
            monotonic=world.time,
            random_bytes=world.random.randbytes,
            jitter=world.random.random,
            new_rhythm=lambda: _Rhythm(self),
            new_threads=lambda most: _Threads(self.main, most, soon=soon),
        )
        self.executor = DurableExecutor(Link(self, "work"), options)
        self.executor._surroundings = surroundings
        self.executor.include(tasks)
        self.tasks = frozenset(tasks)
        self.main.create_task(self._boot())

    @property
    def executor_id(self) -> str | None:
        """The id that its engine gave itself, also after its end."""
        return self._executor_id

    _executor_id: str | None = None

    def wall_clock(self) -> int:
        """Return what this machine takes for the milliseconds since the epoch."""
        return EPOCH_MS + int(self.world.now * 1000) + self.skew_ms

    def new_loop(self) -> VirtualLoop:
        """Return the event loop of another thread."""
        loop = self.world.new_loop(self)
        self.loops.append(loop)
        return loop

    def note(self, *words: object) -> None:
        """Note what happened here."""
        self.ledger.trace.note(self.world.now, self.name, *words)

    def is_cut(self, side: Side) -> bool:
        """Whether that connection, or the database, is gone."""
        return self._cuts[side] > 0 or self.ledger.database.is_down

    def cut(self, side: Side, seconds: float) -> None:
        """Take a connection away for a while."""
        self.note("cut", side, f"{seconds:.2f}")
        self.was_disturbed = self.was_disturbed or side == "heart"
        self._cuts[side] += 1

        def heal() -> None:
            self._cuts[side] -= 1

        self.world.after(seconds, heal)

    def stall(self, seconds: float, *, with_heart: bool) -> None:
        """Let no callback run for a while."""
        self.note("stalls", f"{seconds:.2f}", "with its heart" if with_heart else "")
        self.was_disturbed = True
        self.stalled_until = max(self.stalled_until, self.world.now + seconds)
        self.ledger.note_stall(self)
        for loop in self.loops if with_heart else [self.main]:
            loop.stall(seconds)

    def crash(self, when: str = "") -> None:
        """Die at once: nothing of it runs any more, what it sent is on its way."""
        if not self.is_alive:
            return
        self.note("crashes", when)
        self.has_crashed = True
        self.is_alive = self.is_running = False
        for loop in self.loops:
            loop.kill()
        self.ledger.note_death(self)

    def shut_down(self) -> None:
        """End in an orderly way, if the database lets it."""
        if self.is_running:
            self.note("shuts down")
            self.is_running = False
            self.main.create_task(self._end())

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a client of this process do something."""
        self.clients.append(self.main.create_task(work))

    def hear_of_changes(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Be told of changes that others make, as a database with notifications tells."""
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def tell_of_changes(self) -> None:
        """Deliver one notification."""
        for listener in self._listeners:
            self.main.call_soon_threadsafe(listener)

    def check(self) -> None:
        """Raise what went wrong here: a client's assertion, or what no task caught.

        Raises:
            AssertionError: A client was told something untrue, or something broke quietly.
        """
        for client in self.clients:
            if client.done() and not client.cancelled() and client.exception() is not None:
                raise AssertionError(f"{self.name}: a client failed") from client.exception()
        if self.is_alive:
            for loop in self.loops:
                self.ledger.collect_errors(self, loop)

    async def _boot(self) -> None:
        try:
            await self.executor.start()
        except StorageUnavailableError:
            self.crash("at its start")
            return
        engine = self.executor._engine
        assert engine is not None
        self._executor_id = engine.executor_id
        self.engine = engine
        self._note_who_is_abandoned(engine.running)
        self.note("starts as", engine.executor_id)
        self.is_running = True

    def _note_who_is_abandoned(self, running: Running) -> None:
        abandon_all = running.abandon_all

        def noted() -> int:
            left = abandon_all()
            # A thread that ends afterwards, before the process does, is left all the same.
            self.left_threads = left > 0
            return left

        running.abandon_all = noted  # type: ignore[method-assign]

    async def _end(self) -> None:
        await self.executor.shutdown()
        # What a claim took whose answer was lost, nobody could hand back.
        self.was_disturbed = self.was_disturbed or self.engine._claimer._is_unsure
        self.note("has ended")
        self.is_alive = False
        for loop in self.loops:
            self.ledger.collect_errors(self, loop)
            loop.kill()
        self.ledger.note_death(self)


class _Threads:
    """Threads that are as long at work as the loop says."""

    def __init__(self, loop: VirtualLoop, most: int, *, soon: float) -> None:
        self.ahead = Ahead(most, soon=soon)
        self._loop = loop
        self._most = most
        self._busy = 0
        self._under_way = 0
        self._waiting: deque[tuple[Call, Callable[..., Any], tuple[Any, ...]]] = deque()

    @property
    def is_crowded(self) -> bool:
        return self._under_way > self._most

    def call(self, function: Callable[..., Any], *arguments: Any) -> Call:
        call = Call(self, self._loop.time())
        self._under_way += 1
        self._waiting.append((call, function, arguments))
        self._begin_next()
        return call

    def forget(self, call: Call) -> None:
        self._under_way -= 1

    def close(self) -> None:
        """Nothing to do: nobody is idle."""

    def _begin_next(self) -> None:
        while self._waiting and self._busy < self._most:
            call, function, arguments = self._waiting.popleft()
            began_at = self._loop.time()
            if call.begin(began_at):
                self._busy += 1
                done = self._loop.run_in_executor(None, function, *arguments)
                done.add_done_callback(partial(self._end, call, began_at))

    def _end(self, call: Call, began_at: float, done: asyncio.Future[Any]) -> None:
        self._busy -= 1
        self._under_way -= 1
        self.ahead.note(self._loop.time() - began_at)
        error = done.exception()
        call.end(None if error is not None else done.result(), error)
        self._begin_next()


class _Rhythm:
    """A heart on an event loop of its own, as in its thread."""

    def __init__(self, process: Process) -> None:
        self._loop = process.new_loop()
        self._home = process.main
        self._hastened = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._has_started = False

    def start(self, beating: Callable[[], Coroutine[None, None, None]], *, name: str) -> None:
        self._has_started = True
        self._loop.create_task(self._beat(beating), name=name)

    async def pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hastened.wait()
        except TimeoutError:
            pass
        self._hastened.clear()

    def hasten(self) -> None:
        self._loop.call_soon_threadsafe(self._hastened.set)

    async def ended(self) -> None:
        if self._has_started:
            await self._has_ended.wait()

    async def _beat(self, beating: Callable[[], Coroutine[None, None, None]]) -> None:
        await beating()
        self._home.call_soon_threadsafe(self._has_ended.set)
