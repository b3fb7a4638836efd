"""How long an app keeps an attempt: leases, and the heartbeats that renew them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_execution import (
    AttemptOverError,
    DurableExecutionError,
    DurableExecutionTimedOutError,
    RetryOptions,
    Storage,
    TaskExecutionHandle,
)
from durable_execution.client import CallbackRequest, callback_answer
from durable_execution.orpc import ORPCError
from tests.remote.callbacks.lab import RETRY, answering, started, until


async def test_the_app_is_told_when_its_lease_ends() -> None:
    async with started(lease=7) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        row = await lab.parked(handle)

        told = int(request.expires_at.timestamp() * 1000)
        assert row.expires_at is not None
        assert told <= row.expires_at <= told + 2_000


async def test_a_lost_request_is_repeated_once_its_lease_is_over() -> None:
    async with started(losses=1, lease=1, retry=RETRY) as lab:
        handle = await lab.enqueue()
        first, second = await lab.app.request(0), await lab.app.request(1)
        with pytest.raises(AttemptOverError, match="another one follows"):
            await lab.callbacks.complete(first.token, "late")
        await lab.callbacks.complete(second.token, "right")

        assert await handle.result() == "right"
        assert (first.execution_id, first.attempt) == (second.execution_id, 0)
        assert second.attempt == 1


async def test_a_lease_that_ends_uses_up_the_retries_and_says_so(storage: Storage) -> None:
    options = {"lease": 0.1, "retry": RetryOptions(max_retries=1)}
    async with started(storage=storage, **options) as lab:
        handle = await lab.enqueue()
        with pytest.raises(DurableExecutionError, match="neither ended it nor sent a heartbeat"):
            await handle.result()

        assert len(lab.app.asked) == 2
        with pytest.raises(AttemptOverError, match="has ended as failed"):
            await lab.callbacks.heartbeat(lab.app.asked[1].token)


async def test_heartbeats_keep_an_attempt_beyond_its_lease(storage: Storage) -> None:
    async with started(storage=storage, lease=2) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.parked(handle)
        for _ in range(10):
            before = datetime.now(UTC)
            expires_at = await lab.callbacks.heartbeat(request.token)
            assert timedelta(seconds=1.8) < expires_at - before < timedelta(seconds=20)
            await asyncio.sleep(0.25)  # longer than the lease, all in all
        await lab.callbacks.complete(request.token, "at last")

        assert await handle.result() == "at last"
        assert len(lab.app.asked) == 1


async def test_heartbeats_tell_those_who_watch_how_far_it_is(storage: Storage) -> None:
    async with started(storage=storage) as lab:
        handle = await lab.enqueue()
        changes: list[object] = []
        listening = asyncio.create_task(listen(handle, changes))
        request = await lab.app.request()
        await lab.parked(handle)
        await until(lambda: "running" in changes)
        await lab.callbacks.heartbeat(request.token, 0.25)
        await lab.callbacks.heartbeat(request.token, 0.5, "half")
        await until(lambda: (0.5, "half") in changes)
        await lab.callbacks.complete(request.token, 1)

        await listening
    assert [each for each in changes if isinstance(each, str)] == ["running", "completed"]


@pytest.mark.parametrize("progress", [{"fraction": 1.5}, {"fraction": "half"}, {}, 7])
async def test_progress_out_of_bounds_is_refused(progress: object) -> None:
    async with started() as lab:
        await lab.enqueue()
        token = (await lab.app.request()).token
        with pytest.raises(ORPCError) as refusal:
            await lab.client.heartbeatTask({"token": token, "progress": progress})
    assert refusal.value.status == 400


async def test_no_heartbeat_keeps_an_attempt_beyond_its_time() -> None:
    async with started(lease=20, timeout=0.5) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        row = await lab.parked(handle)
        expires_at = await lab.callbacks.heartbeat(request.token)
        assert int(expires_at.timestamp() * 1000) == row.attempt_ends_at
        with pytest.raises(DurableExecutionTimedOutError, match=r"timed out after 0\.5 s"):
            await handle.result()

        with pytest.raises(AttemptOverError, match="timed_out"):
            await lab.callbacks.heartbeat(request.token)


async def test_a_heartbeat_before_the_accepting_is_answered_and_takes_nothing_away() -> None:
    async def beat_and_answer(request: CallbackRequest[Any]) -> Any:
        await lab.callbacks.heartbeat(request.token)
        assert (await lab.storage.get([request.execution_id]))[0].executor_id  # type: ignore[union-attr]
        return await answering(200, callback_answer("whole"))(request)

    async with started(beat_and_answer) as lab:
        assert await (await lab.enqueue()).result() == "whole"


async def listen(handle: TaskExecutionHandle[Any], told: list[object]) -> None:
    """Note all that is told of an execution but `ready`, which may be over too soon to be seen."""
    async for change in handle.watch():
        if change.type == "progress":
            told.append((change.progress.fraction, change.progress.message))
        elif change.execution.status != "ready":
            told.append(change.execution.status)
