"""A process's connections to the database, each call of which the adversary may bend or break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from durable_execution.errors import StorageUnavailableError
from tests.simulation.database import VERBS
from tests.simulation.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.process import Process

Side = Literal["work", "heart"]
Ending = Literal["answered", "refused", "answer lost", "dies before", "dies after"]


class Fate(NamedTuple):
    """What becomes of one call: how long it travels, how it ends, how long its answer travels."""

    there: float
    ending: Ending
    back: float


class Link:
    """A `Storage` over the database. The heart's own is its `sibling`.

    A request that has left arrives even when the process dies meanwhile, or nobody waits for it
    any more.
    """

    def __init__(self, process: Process, side: Side) -> None:
        self._process = process
        self._side = side

    def sibling(self) -> Link:
        return Link(self._process, "heart")

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    @property
    def can_notify(self) -> bool:
        return self._process.adversary.can_notify

    @property
    def is_deaf(self) -> bool:
        return False

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        return self._process.hear_of_changes(on_change)

    def __getattr__(self, verb: str) -> Any:
        if verb not in VERBS:
            raise AttributeError(verb)
        return partial(self._call, verb)

    async def _call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert loop in self._process.loops, "a call on another process's loop"
        call = _Call(self._process, self._side, verb, args, kwargs, loop)
        return await call.answer


class _Call:
    def __init__(
        self,
        process: Process,
        side: Side,
        verb: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loop: VirtualLoop,
    ) -> None:
        self._process = process
        self._side = side
        self._verb = verb
        self._args = args
        self._kwargs = kwargs
        self._loop = loop
        self._fate = process.adversary.fate_of(process, side, verb)
        self.answer = loop.create_future()
        process.calls += 1
        loop.world.after(self._fate.there, self._arrive)

    def _arrive(self) -> None:
        ending = self._fate.ending
        process = self._process
        is_cut = process.is_cut(self._side)
        if not process.is_running and (is_cut or ending != "answered" or self._fate.there > 0.5):
            process.was_disturbed = True  # at its end it may fail to hand back what it runs
        if ending == "dies before":
            process.crash(f"before {self._verb}")
        if ending in {"refused", "dies before"} or is_cut:
            process.note(self._side, self._verb, "refused")
            error = StorageUnavailableError("simulated: refused")
            self._loop.world.after(self._fate.back, partial(self._reply, None, error))
            return
        result, failure = process.ledger.execute(process, self._verb, *self._args, **self._kwargs)
        process.note(self._side, self._verb, _shown(self._verb, result, failure), ending)
        if ending == "dies after":
            process.crash(f"after {self._verb}")
        if ending == "answer lost":
            result, failure = None, StorageUnavailableError("simulated: answer lost")
        self._loop.world.after(self._fate.back, partial(self._reply, result, failure))

    def _reply(self, result: Any, error: Exception | None) -> None:
        if self._process.is_cut(self._side) and error is None:
            error = StorageUnavailableError("simulated: cut off before the answer")
        self._loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: Exception | None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)


def _shown(verb: str, result: Any, failure: Exception | None) -> str:
    if failure is not None:
        return type(failure).__name__
    if verb == "claim":
        return ",".join(f"{row.execution_id[-6:]}#{row.fence}" for row in result.records)
    if verb == "apply":
        return "".join("x" if matched else "-" for matched in result.matched)
    if verb == "heartbeat":
        dead = " found dead" if result.found_dead else ""
        return f"lost {len(result.lost)}{dead}"
    if isinstance(result, list):
        return str(len(result))
    return ""
