"""Making an engine: ours or the floor, on a storage, in a mode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.floors import Engine, Function, Mode
from bench.place import Place
from durable_execution import tune_garbage_collector


async def increment(number: int) -> int:
    """What every task does: next to nothing, so that what is left is the engine."""
    return number + 1


def engine(side: str, place: Place, mode: Mode, function: Function = increment) -> Engine:
    """Return an engine, not yet open. Only what that side needs is imported."""
    if side == "ours":
        from bench.ours import Ours

        return Ours(place, mode, function)
    if place.storage == "memory":
        from bench.floors.memory import MemoryFloor

        return MemoryFloor(function)
    if place.storage == "postgres":
        from bench.floors.postgres import PostgresFloor

        return PostgresFloor(function, mode, place.server, place.schema)
    if place.storage == "mariadb":
        from bench.floors.mariadb import MariaDbFloor

        return MariaDbFloor(function, mode, place.url)
    from bench.floors.sqlite import SqliteFloor

    return SqliteFloor(function, mode, str(place.folder / "floor.db"), place.synchronous)


@asynccontextmanager
async def opened(made: Engine) -> AsyncIterator[Engine]:
    """Open an engine, and close it at the end."""
    await made.open()
    tune_garbage_collector()  # of both sides, as `durable-execution serve` does
    try:
        yield made
    finally:
        await made.close()
