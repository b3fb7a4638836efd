"""No durability at all: a bare `TaskGroup`, with the same encoding and decoding as the others."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.floors import Function
from bench.floors.work import decoded, encoded, run


class MemoryFloor:
    def __init__(self, function: Function) -> None:
        self._function = function
        self._group = asyncio.TaskGroup()

    async def open(self) -> None:
        await self._group.__aenter__()

    async def close(self) -> None:
        await self._group.__aexit__(None, None, None)

    async def call(self, input: Any) -> Any:
        return await self._group.create_task(self._run(input))

    async def enqueue(self, input: Any) -> object:
        return self._group.create_task(self._run(input))

    async def _run(self, input: Any) -> Any:
        return decoded(await run(self._function, encoded(input)))
