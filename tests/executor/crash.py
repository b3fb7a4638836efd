"""The death of an executor, without the death of the process that tests it."""

from __future__ import annotations

import asyncio

from durable_execution import DurableExecutor


async def crash(executor: DurableExecutor) -> None:
    """Stop everything that an executor does at once: no outcome, no beat, nothing handed back."""
    engine = executor._engine
    assert engine is not None
    assert engine._life is not None
    executor._engine = None
    executor._has_shut_down = True
    jobs = [attempt.job for attempt in engine.running.attempts() if attempt.job is not None]
    engine._life.cancel()
    engine.running.abandon_all()
    await asyncio.wait({engine._life, *jobs})
    await engine.heart.stop()
    assert engine._stop_listening is not None
    engine._stop_listening()
    await engine.storage.close()
