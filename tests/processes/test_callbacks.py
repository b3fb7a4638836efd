from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import Response

from durable_execution.client import AttemptOverError, CallbackRequest
from tests.processes.arena import Arena, until
from tests.processes.outside import REQUEST_LIMIT, App, callbacks_of, outside_at

pytestmark = pytest.mark.processes

LONG = 30.0
IS_PARKED = "status = 'running' AND executor_id IS NULL"


async def accept(request: CallbackRequest[Any]) -> Response:
    return Response(status_code=202)


async def test_an_executor_killed_before_it_hears_the_answer_is_replaced(arena: Arena) -> None:
    app = App(accept)
    async with app.serving(), arena.observer() as observer:
        outside = outside_at(observer, app.url, LONG)
        callbacks = callbacks_of(observer, outside)
        victim = await arena.start(app=app.url, callback_lease=LONG)

        async def kill_who_asks(request: CallbackRequest[Any]) -> Response:
            app.answer = accept
            await victim.kill()
            return Response(status_code=202)  # to nobody

        app.answer = kill_who_asks
        handle = await observer.enqueue_task(outside, 1)
        await until(lambda: not victim.is_alive, "the victim asks")
        arena.end_leases()
        await arena.start(app=app.url, callback_lease=LONG)
        await until(lambda: len(app.asked) == 2, "its heir asks again")
        first, second = app.asked
        with pytest.raises(AttemptOverError):
            await callbacks.complete(first.token, "of the first")
        assert await callbacks.complete(second.token, "of the second") == "completed"
        assert await handle.result(timeout=30) == "of the second"

    assert first.execution_id == second.execution_id
    (row,) = arena.rows()
    assert (row["fence"], row["crash_count"], row["attempt"]) == (2, 1, 0)


async def test_executors_come_and_go_while_the_app_works(arena: Arena) -> None:
    app = App(accept)
    async with app.serving(), arena.observer() as observer:
        outside = outside_at(observer, app.url, LONG)
        callbacks = callbacks_of(observer, outside)
        victim = await arena.start(app=app.url, callback_lease=LONG)
        handle = await observer.enqueue_task(outside, 1)
        await until(lambda: len(arena.rows(IS_PARKED)) == 1, "the app has accepted")
        await victim.kill()
        arena.end_leases()
        heir = await arena.start(app=app.url, callback_lease=LONG)
        await until(lambda: not arena.is_anybody_dead(), "what the victim held is rescued")
        await heir.kill()
        await callbacks.heartbeat(app.asked[0].token)
        assert await callbacks.complete(app.asked[0].token, "done") == "completed"
        assert await handle.result(timeout=30) == "done"

    assert len(app.asked) == 1
    (row,) = arena.rows()
    assert (row["fence"], row["crash_count"], row["attempt"]) == (1, 0, 0)


async def test_a_lease_that_ends_after_its_executor_is_noticed_by_another(arena: Arena) -> None:
    app = App(accept)
    async with app.serving(), arena.observer() as observer:
        outside = outside_at(observer, app.url, LONG)
        callbacks = callbacks_of(observer, outside)
        victim = await arena.start(app=app.url, callback_lease=LONG)
        handle = await observer.enqueue_task(outside, 1)
        await until(lambda: len(arena.rows(IS_PARKED)) == 1, "the app has accepted")
        await victim.kill()
        arena.database.query(f"UPDATE durable_task_executions SET expires_at = 1 WHERE {IS_PARKED}")
        await arena.start(app=app.url, callback_lease=LONG)
        await until(lambda: len(app.asked) == 2, "another one asks again")
        await callbacks.complete(app.asked[1].token, "done")
        assert await handle.result(timeout=30) == "done"

    assert [each.attempt for each in app.asked] == [0, 1]
    (row,) = arena.rows()
    assert (row["fence"], row["crash_count"], row["attempt"]) == (2, 0, 1)


async def test_two_executors_and_an_app_whose_requests_may_take_a_second(arena: Arena) -> None:
    app = App(accept)
    async with app.serving(), arena.observer() as observer:
        outside = outside_at(observer, app.url, LONG)
        callbacks = callbacks_of(observer, outside)

        async def work(request: CallbackRequest[Any]) -> None:
            ends = [await callbacks.heartbeat(request.token)]
            for _ in range(4):  # together longer than a request may take
                await asyncio.sleep(REQUEST_LIMIT / 3)
                ends.append(await callbacks.heartbeat(request.token))
            await callbacks.complete(request.token, request.input + 1)
            assert ends == sorted(set(ends))  # each beat gives it more time

        async def take(request: CallbackRequest[Any]) -> Response:
            app.go_on(work(request))
            return await accept(request)

        app.answer = take
        for _ in range(2):
            await arena.start(app=app.url, callback_lease=LONG)
        handles = [await observer.enqueue_task(outside, number) for number in range(20)]
        outputs = [await handle.result(timeout=30) for handle in handles]
        await app.settled()

    assert outputs == list(range(1, 21))
    assert len(app.asked) == 20
    assert {(row["fence"], row["attempt"]) for row in arena.rows()} == {(1, 0)}
