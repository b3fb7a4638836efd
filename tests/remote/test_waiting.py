from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from durable_execution.orpc import Event, EventStream, ORPCClient
from tests.remote.lab import Lab
from tests.remote.refusals import paths_of, refusal_of


def naming(key: str, execution_id: str, **more: object) -> dict[str, object]:
    return {"taskId": key, "executionId": execution_id, **more}


async def watching(
    client: ORPCClient, key: str, execution_id: str, after: str | None = None
) -> EventStream[Any]:
    stream: EventStream[Any] = await client.watchTaskExecution(
        naming(key, execution_id), last_event_id=after
    )
    return stream


async def is_running(client: ORPCClient, key: str, execution_id: str) -> None:
    while (await client.getTaskExecution(naming(key, execution_id)))["status"] != "running":
        await asyncio.sleep(0.001)  # a client can only ask


async def test_wait_is_answered_when_the_execution_finishes(lab: Lab, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    waiting = asyncio.create_task(client.waitTaskExecution(naming("held", execution_id)))
    await is_running(client, "held", execution_id)
    assert not waiting.done()

    lab.gate.set()

    view = await asyncio.wait_for(waiting, 5)
    assert (view["status"], view["output"]) == ("completed", "let go")
    assert view == await client.getTaskExecution(naming("held", execution_id))


async def test_wait_for_a_finished_execution_is_answered_at_once(
    lab: Lab, client: ORPCClient
) -> None:
    lab.gate.set()
    execution_id = await client.enqueueTask({"taskId": "held"})
    await client.waitTaskExecution(naming("held", execution_id))

    view = await client.waitTaskExecution(naming("held", execution_id, timeoutMs=0))

    assert view["status"] == "completed"


async def test_wait_shows_the_execution_as_it_is_at_its_deadline(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})

    view = await client.waitTaskExecution(naming("held", execution_id, timeoutMs=30))

    assert view["status"] in {"ready", "running"}


async def test_wait_for_too_long_is_no_error(lab: Lab, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    lab.gate.set()

    view = await client.waitTaskExecution(naming("held", execution_id, timeoutMs=10**15))

    assert view["status"] == "completed"


@pytest.mark.parametrize("timeout", [-1, "soon", 1.5, True], ids=repr)
async def test_unusable_deadline_is_refused_with_its_path(
    timeout: object, client: ORPCClient
) -> None:
    call = client.waitTaskExecution(naming("held", "te_1", timeoutMs=timeout))

    error = await refusal_of(call)

    assert (error.status, paths_of(error)) == (400, [["timeoutMs"]])


@pytest.mark.parametrize("procedure", ["waitTaskExecution", "watchTaskExecution"])
async def test_what_does_not_exist_is_not_found_before_anything_is_streamed(
    procedure: str, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})

    for call in (naming("held", "te_nobody"), naming("echo", execution_id), naming("no", "te_1")):
        error = await refusal_of(client[procedure](call))
        assert (error.code, error.status) == ("NOT_FOUND", 404)


async def test_announced_shutdown_lets_go_of_those_who_wait_and_watch_while_tasks_go_on(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    await is_running(client, "held", execution_id)
    waiting = asyncio.create_task(client.waitTaskExecution(naming("held", execution_id)))
    async with await watching(client, "held", execution_id) as events:
        await anext(events)
        reading = asyncio.create_task(anext(events))
        await asyncio.sleep(0.05)  # until both have got as far as waiting

        lab.executor.announce_shutdown()

        for each in (waiting, reading):
            error = await refusal_of(asyncio.wait_for(each, 5))
            assert (error.code, error.status) == ("SERVICE_UNAVAILABLE", 503)
    error = await refusal_of(client.waitTaskExecution(naming("held", execution_id)))
    assert error.status == 503
    error = await refusal_of(watching(client, "held", execution_id))
    assert error.status == 503
    lab.gate.set()
    handle = await lab.executor.get_task_execution_handle(lab.held, execution_id)
    assert await handle.result(timeout=30) == "let go"


async def test_shutdown_does_not_make_waiters_wait_for_what_is_drained(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    await is_running(client, "held", execution_id)
    waiting = asyncio.create_task(client.waitTaskExecution(naming("held", execution_id)))
    await asyncio.sleep(0.05)  # until it waits

    ending = asyncio.create_task(lab.executor.shutdown())

    error = await refusal_of(waiting)
    assert error.status == 503
    assert not ending.done()
    lab.gate.set()
    await ending


async def test_watching_tells_statuses_and_progress_and_returns_the_finished_execution(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "stepping", "input": 2})
    stream = await watching(client, "stepping", execution_id)
    seen: list[dict[str, Any]] = []
    async with stream:
        async for event in stream.events():
            seen.append(event.value)
            assert event.id
            if event.value["type"] == "progress":
                lab.steps.put_nowait(None)

    progress = [each["progress"] for each in seen if each["type"] == "progress"]
    statuses = [each["execution"]["status"] for each in seen if each["type"] == "status"]
    assert [(each["fraction"], each["message"]) for each in progress] == [
        (0.5, "step 1"),
        (1, "step 2"),
    ]
    assert all(isinstance(each["updatedAt"], datetime) for each in progress)
    assert statuses[-2:] == ["running", "completed"]
    assert stream.return_value["output"] == "done"
    assert stream.return_value == seen[-1]["execution"]


async def ids_and_values(stream: EventStream[Any]) -> list[Event[Any]]:
    async with stream:
        return [event async for event in stream.events()]


async def test_watching_resumes_behind_any_event_without_loss_or_repeat(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "stepping", "input": 1})
    await is_running(client, "stepping", execution_id)
    stream = await watching(client, "stepping", execution_id)
    seen = [await anext(stream) for _ in range(2)]
    after = stream.last_event_id
    await stream.aclose()
    lab.steps.put_nowait(None)

    rest = await watching(client, "stepping", execution_id, after)
    events = await ids_and_values(rest)

    assert [each["type"] for each in seen] == ["status", "progress"]
    assert [each.value["execution"]["status"] for each in events] == ["completed"]
    assert rest.return_value["output"] == "done"


async def test_whoever_resumes_behind_the_last_event_gets_the_return_value_alone(
    client: ORPCClient,
) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 7})
    stream = await watching(client, "echo", execution_id)
    await ids_and_values(stream)

    again = await watching(client, "echo", execution_id, stream.last_event_id)

    assert await ids_and_values(again) == []
    assert again.return_value["output"] == 7
    assert again.last_event_id == stream.last_event_id


async def test_id_of_no_event_is_refused(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 7})

    error = await refusal_of(watching(client, "echo", execution_id, "yesterday"))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)


async def test_failed_execution_ends_the_stream_without_an_error(client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "broken"})
    stream = await watching(client, "broken", execution_id)

    await ids_and_values(stream)

    assert stream.return_value["status"] == "failed"


async def test_deleted_execution_cannot_be_waited_for_nor_watched(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask({"taskId": "echo", "input": 7})
    await client.waitTaskExecution(naming("echo", execution_id))
    while not await lab.executor.delete_finished_task_executions(older_than=0):
        await asyncio.sleep(0.001)  # until the millisecond of its finish is over

    for procedure in ("waitTaskExecution", "watchTaskExecution"):
        error = await refusal_of(client[procedure](naming("echo", execution_id)))
        assert error.code == "NOT_FOUND"


async def test_whoever_leaves_is_watched_for_no_longer(lab: Lab, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    engine = lab.executor._running_engine()  # the only place where watchers can be counted
    stream = await watching(client, "held", execution_id)
    await anext(stream)
    assert engine.watches.is_watched(execution_id)

    await stream.aclose()

    async with asyncio.timeout(30):
        while engine.watches.is_watched(execution_id):
            await asyncio.sleep(0.005)  # the server hears of it a moment later


async def test_waiter_that_leaves_is_forgotten(lab: Lab, client: ORPCClient) -> None:
    execution_id = await client.enqueueTask({"taskId": "held"})
    departure = lab.executor.departure
    waiting = asyncio.create_task(client.waitTaskExecution(naming("held", execution_id)))
    await asyncio.sleep(0.05)  # until it waits

    waiting.cancel()

    async with asyncio.timeout(30):
        while departure.waits:
            await asyncio.sleep(0.005)  # the server hears of it a moment later
