"""Our engine, as the workloads use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.floors import Function, Mode
from bench.place import Place
from durable_execution import (
    ChildTask,
    Done,
    DurableExecutor,
    ExecutorOptions,
    NotDone,
    ParentTaskOutput,
    TaskContext,
    child_task,
    open_storage,
)

STEPS = 100
TURNS = 1000


class Ours:
    """An executor with the tasks that are measured. As a client it runs none of them."""

    def __init__(
        self, place: Place, mode: Mode, function: Function, retention: float | None = None
    ) -> None:
        most = 0 if mode == "client" else 5000
        options = ExecutorOptions(max_concurrent_task_executions=most, retention=retention)
        self.storage = open_storage(place.url)
        self.executor = DurableExecutor(self.storage, options)
        self._function = function

        @self.executor.task
        async def add_one(_: TaskContext, number: int) -> int:
            result: int = await function(number)
            return result

        @self.executor.task
        async def echo(_: TaskContext, text: str) -> str:
            return text

        self.add_one = add_one
        self._echo = echo

    async def open(self) -> None:
        await self.executor.start()

    async def close(self) -> None:
        await self.executor.shutdown()

    async def call(self, input: Any) -> Any:
        return await (await self.executor.enqueue_task(self.add_one, input)).result()

    async def echo(self, text: str) -> str:
        handle = await self.executor.enqueue_task(self._echo, text)
        return await handle.result()

    async def enqueue(self, input: Any) -> object:
        return await self.executor.enqueue_task(self.add_one, input)


class Trees(Ours):
    """With parents, a sequence and a loop."""

    def __init__(self, place: Place, function: Function) -> None:
        super().__init__(place, "eager", function)
        define, add_one = self.executor, self.add_one

        async def total(_: TaskContext, number: int) -> int:
            return number

        def children(number: int) -> list[ChildTask]:
            return [child_task(add_one, each) for each in range(number)]

        @define.task
        async def count_children(_: TaskContext, result: dict[str, object]) -> int:
            found = result["children"]
            assert isinstance(found, list)
            return len(found)

        @define.parent_task(finalize=count_children)
        async def family(_: TaskContext, number: int) -> ParentTaskOutput[int]:
            return ParentTaskOutput(number, children(number))

        self.family = family
        self.sequence = define.sequential_tasks("sequence", [add_one] * STEPS)
        turns = _turns(TURNS)

        @define.task
        async def turn(_: TaskContext, number: int) -> Done[int] | NotDone:
            return Done(number) if turns() else NotDone()

        self.loop = define.looping_task("loop", turn, TURNS + 1)


def _turns(number: int) -> Callable[[], bool]:
    """Return a function that is true every so many calls."""
    calls = 0

    def is_last() -> bool:
        nonlocal calls
        calls += 1
        return calls % number == 0

    return is_last
