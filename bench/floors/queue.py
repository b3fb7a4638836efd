"""The life of a task in a floor that claims: inserted, claimed, run, finished, told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from bench.floors import Function, Mode
from bench.floors.group import Group
from bench.floors.work import decoded, encoded, new_id, run

CLAIM_LIMIT = 500
INSERT_LIMIT = 1000
IN_FLIGHT = 2000
KeyT = TypeVar("KeyT")
Rows = Sequence[tuple[Any, bytes]]


class QueueFloor:
    """What floors have in common; how to write, claim and read is each storage's own."""

    to_key: Callable[[Any], Any] = staticmethod(lambda task_id: task_id)
    """Turns a UUID into what the database keeps."""

    def __init__(self, function: Function, mode: Mode) -> None:
        self.function = function
        self.mode = mode
        self._inserts = Group(self.insert, INSERT_LIMIT)
        self._finishes = Group(self.finish, INSERT_LIMIT)
        self._results: dict[Any, asyncio.Future[bytes]] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._runs: set[asyncio.Task[None]] = set()
        self.has_work = asyncio.Event()
        self.has_results = asyncio.Event()

    # Of the storage.
    async def connect(self) -> None:
        raise NotImplementedError

    async def disconnect(self) -> None:
        raise NotImplementedError

    async def insert(self, rows: Rows) -> None:
        raise NotImplementedError

    async def claim(self) -> Rows:
        raise NotImplementedError

    async def finish(self, rows: Rows) -> None:
        raise NotImplementedError

    async def read_results(self, keys: Sequence[Any]) -> Rows:
        raise NotImplementedError

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait until somebody says that there is something, wherever that was."""
        await event.wait()

    # Of every floor.
    async def open(self) -> None:
        await self.connect()
        if self.mode in ("queue", "worker"):
            self._start(self._keep_claiming())
        if self.mode == "client":
            self._start(self._keep_reading())

    async def close(self) -> None:
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops)
        if self._runs:
            await asyncio.wait(self._runs)
        await self.disconnect()

    async def call(self, input: Any) -> Any:
        key, payload = self.to_key(new_id()), encoded(input)
        if self.mode == "eager":
            await self._inserts.add((key, payload))
            output = await run(self.function, payload)
            await self._finishes.add((key, output))
            return decoded(output)
        result = self._results[key] = asyncio.get_running_loop().create_future()
        await self._inserts.add((key, payload))
        self.has_work.set()
        return decoded(await result)

    async def enqueue(self, input: Any) -> None:
        await self._inserts.add((self.to_key(new_id()), encoded(input)))

    def _start(self, loop: Coroutine[None, None, None]) -> None:
        self._loops.append(asyncio.create_task(loop))

    async def _keep_claiming(self) -> None:
        while True:
            rows = await self.claim() if len(self._runs) < IN_FLIGHT else ()
            for key, payload in rows:
                each = asyncio.create_task(self._run(key, payload))
                self._runs.add(each)
                each.add_done_callback(self._runs.discard)
            if len(self._runs) >= IN_FLIGHT:
                await asyncio.wait(self._runs, return_when=asyncio.FIRST_COMPLETED)
            elif not rows:
                await self.wait_for(self.has_work)
                self.has_work.clear()

    async def _run(self, key: Any, payload: bytes) -> None:
        output = await run(self.function, payload)
        await self._finishes.add((key, output))
        result = self._results.pop(key, None)
        if result is not None:
            result.set_result(output)

    async def _keep_reading(self) -> None:
        while True:
            await self.wait_for(self.has_results)
            self.has_results.clear()
            while keys := list(self._results)[:CLAIM_LIMIT]:
                rows = await self.read_results(keys)
                for key, output in rows:
                    self._results.pop(key).set_result(output)
                if len(rows) < CLAIM_LIMIT:
                    break
