from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution import (
    AttemptOverError,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    InvalidTokenError,
    RetryOptions,
    Storage,
)
from durable_execution.client import CallbackRequest, callback_answer, create_callback_client
from durable_execution.orpc import AsgiSender
from durable_execution.server import create_callback_task
from durable_execution.telemetry import CallServed, Fact
from tests.remote.callbacks.lab import (
    OTHER_SECRET,
    RETRY,
    SECRET,
    App,
    Lab,
    accept,
    answering,
    client_for,
    started,
    until,
)


@dataclass
class Film:
    title: str
    due: datetime


FILM = Film("Metropolis", datetime(2027, 1, 10, 12, 0, 0, 5_000, tzinfo=UTC))


async def test_an_app_accepts_and_completes_later(storage: Storage) -> None:
    async with started(storage=storage) as lab:
        handle = await lab.enqueue({"n": [1, {2}]})
        request = await lab.app.request()
        row = await lab.parked(handle)

        assert await lab.callbacks.complete(request.token, {"frames": 24}) == "completed"

        assert await handle.result() == {"frames": 24}
        assert row.executor_id is None
        assert (request.task_id, request.execution_id) == ("render", handle.execution_id)
        assert (request.attempt, set(request.input["n"][1])) == (0, {2})
        assert lab.executor.running_task_executions_count == 0


async def test_values_keep_their_types_both_ways() -> None:
    async with started(input=Film, output=Film) as lab:
        handle = await lab.enqueue(FILM)
        request = await lab.app.request()
        assert request.input["due"] == FILM.due
        await lab.callbacks.complete(request.token, FILM)

        assert await handle.result() == FILM


async def test_an_answer_200_completes_at_once() -> None:
    async with started(answering(200, callback_answer({"due": FILM.due}))) as lab:
        assert await (await lab.enqueue()).result() == {"due": FILM.due}
        assert len(lab.app.asked) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "without an output; answer 202"), (b"<html>", "what is no output")],
)
async def test_an_answer_200_needs_an_output(body: bytes, words: str) -> None:
    async with started(answering(200, body), retry=RETRY) as lab:
        with pytest.raises(DurableExecutionError, match=words):
            await (await lab.enqueue()).result()
        assert len(lab.app.asked) == 1


@pytest.mark.parametrize(
    ("status", "is_retried"), [(400, False), (404, False), (409, False), (500, True), (503, True)]
)
async def test_refusals_are_those_of_a_plain_call(status: int, is_retried: bool) -> None:
    async with started(answering(status), retry=RETRY) as lab:
        execution = await (await lab.enqueue()).wait_and_get_finished_execution()

        assert execution.status == "failed"
        assert execution.error.error_type == ("not_found" if status == 404 else "generic")
        assert len(lab.app.asked) == (3 if is_retried else 1)


async def test_a_redirect_is_not_followed() -> None:
    async with started(answering(307, location="http://inside.example/"), retry=RETRY) as lab:
        with pytest.raises(DurableExecutionError, match="App answered 307: expected 202"):
            await (await lab.enqueue()).result()
        assert len(lab.app.asked) == 1


async def test_all_requests_of_an_execution_carry_its_id_and_each_its_own_token() -> None:
    async with started(answering(503), answering(503), accept, retry=RETRY) as lab:
        handle = await lab.enqueue()
        last = await lab.app.request(2)

        for name in ("idempotency-key", "x-durable-execution-id"):
            assert {each[name] for each in lab.app.headers} == {handle.execution_id}
        assert len({each["webhook-id"] for each in lab.app.headers}) == 3
        assert [each["x-durable-attempt"] for each in lab.app.headers] == ["0", "1", "2"]
        assert len({each.token for each in lab.app.asked}) == 3
        await lab.callbacks.complete(last.token, 1)
        assert await handle.result() == 1


async def test_an_answer_that_overtakes_the_accepting_wins(storage: Storage) -> None:
    async def complete_and_accept(request: CallbackRequest[Any]) -> Any:
        await lab.callbacks.complete(request.token, "quick")
        return await accept(request)

    async with started(complete_and_accept, storage=storage) as lab:
        handle = await lab.enqueue()

        assert await handle.result() == "quick"
        await until(lambda: lab.executor.running_task_executions_count == 0)
        assert (await lab.row(handle)).status == "completed"


async def test_a_lost_answer_counts_as_accepted() -> None:
    async with started(losses=1) as lab:  # and without any retries
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.parked(handle)
        await lab.callbacks.complete(request.token, "done all the same")

        assert await handle.result() == "done all the same"
        assert len(lab.app.asked) == 1


async def test_an_answer_that_does_not_come_counts_as_lost() -> None:
    silence = asyncio.Event()

    async def keep_silent(request: CallbackRequest[Any]) -> Any:
        await silence.wait()
        return await accept(request)

    async with started(keep_silent, request_timeout=0.05) as lab:
        handle = await lab.enqueue()
        await lab.parked(handle)
        await lab.callbacks.complete((await lab.app.request()).token, 1)
        silence.set()

        assert await handle.result() == 1


async def test_an_attempt_that_the_app_fails_is_tried_again_if_it_may_be() -> None:
    async with started(retry=RETRY) as lab:
        handle = await lab.enqueue()
        first = await lab.app.request(0)
        await lab.parked(handle)
        assert await lab.callbacks.fail(first.token, "full", is_retryable=True) == "ready"
        second = await lab.app.request(1)
        assert await lab.callbacks.fail(second.token, ValueError("broken file")) == "failed"

        with pytest.raises(DurableExecutionError, match="broken file"):
            await handle.result()


async def test_who_says_the_same_again_gets_the_same_answer(storage: Storage) -> None:
    slow = RetryOptions(max_retries=1, base_delay=60)
    async with started(storage=storage, retry=slow) as lab:
        done, failed, again = [await lab.enqueue(name) for name in ("done", "failed", "again")]
        await lab.app.request(2)
        tokens = {each.input: each.token for each in lab.app.asked}
        for handle in (done, failed, again):
            await lab.parked(handle)

        for _ in range(3):
            assert await lab.callbacks.complete(tokens["done"], {"n": 1}) == "completed"
            assert await lab.callbacks.fail(tokens["failed"], "no") == "failed"
            status = await lab.callbacks.fail(tokens["again"], "not yet", is_retryable=True)
            assert status == "ready"

        assert await done.result() == {"n": 1}
        assert (await lab.row(again)).attempt == 1


async def test_who_says_something_else_is_refused_and_changes_nothing() -> None:
    async with started() as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.callbacks.complete(request.token, 1)
        before = await lab.row(handle)

        for again in (
            lab.callbacks.complete(request.token, 2),
            lab.callbacks.fail(request.token, "no"),
            lab.callbacks.heartbeat(request.token),
        ):
            with pytest.raises(AttemptOverError, match="has ended as completed"):
                await again
        assert await lab.row(handle) == before


async def test_two_answers_of_one_moment_count_once() -> None:
    async with started() as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        answers = await asyncio.gather(
            *(lab.callbacks.complete(request.token, n) for n in range(8)), return_exceptions=True
        )

        assert answers.count("completed") == 1
        assert await handle.result() == answers.index("completed")
        assert sum(isinstance(each, AttemptOverError) for each in answers) == 7


async def test_an_execution_that_was_cancelled_while_parked_stays_so(storage: Storage) -> None:
    async with started(storage=storage) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.parked(handle)
        await handle.cancel()

        with pytest.raises(AttemptOverError, match="has ended as cancelled"):
            await lab.callbacks.complete(request.token, 1)
        with pytest.raises(DurableExecutionCancelledError):
            await handle.result()


async def test_a_failed_execution_that_is_retried_is_handed_over_anew(storage: Storage) -> None:
    async with started(storage=storage) as lab:
        handle = await lab.enqueue()
        first = await lab.app.request(0)
        await lab.parked(handle)
        await lab.callbacks.fail(first.token, "no disk")
        await lab.executor.retry_task_execution(lab.task, handle.execution_id)
        second = await lab.app.request(1)
        with pytest.raises(AttemptOverError, match="another one follows"):
            await lab.callbacks.complete(first.token, "of the first")
        await lab.parked(handle)
        await lab.callbacks.complete(second.token, "of the second")

        assert await handle.result() == "of the second"


async def test_an_output_that_does_not_fit_is_refused_and_the_attempt_goes_on() -> None:
    async with started(output=int) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        with pytest.raises(InvalidInputError, match="Invalid output of task render"):
            await lab.callbacks.complete(request.token, "many")
        await lab.callbacks.complete(request.token, 7)

        assert await handle.result() == 7


async def test_an_error_may_be_an_object_with_a_message_as_javascript_has_them() -> None:
    async with started() as lab:
        handle = await lab.enqueue()
        call = {"token": (await lab.app.request()).token, "error": {"message": "no disk"}}
        answer = await lab.client.failTask(call)

        assert answer == {"executionId": handle.execution_id, "status": "failed"}
        with pytest.raises(DurableExecutionError, match="no disk"):
            await handle.result()


async def test_a_forged_token_is_refused_without_a_look_at_any_row() -> None:
    async with started() as lab:
        await lab.enqueue()
        token = (await lab.app.request()).token
        claim, code = token.rsplit(".", 1)
    changed = f"{claim}.{code[:-3]}{'AAA' if code[-3:] != 'AAA' else 'BBB'}"
    for forged in ("", "x", claim, f"{claim}.", changed, f"A{token}", "ct1..", "é.é", "x" * 2_000):
        # The executor is shut down: a token that is looked up would be answered 503.
        with pytest.raises(InvalidTokenError):
            await lab.callbacks.complete(forged, 1)
    with pytest.raises(DurableExecutionError, match="shut down"):
        await lab.callbacks.complete(token, 1)


async def test_calls_of_its_own_router_are_told_to_the_observers_of_the_executor() -> None:
    facts: list[Fact] = []
    executor = DurableExecutor(InMemoryStorage(), ExecutorOptions(observers=[facts.append]))
    task = Lab.define(executor, AsgiSender(App().asgi))
    async with executor:
        with pytest.raises(InvalidTokenError):
            await create_callback_client(client_for(executor, {"t": task})).complete("forged", 1)
    (served,) = [fact for fact in facts if isinstance(fact, CallServed)]
    assert (served.procedure, served.code) == ("completeTask", "INVALID_TOKEN")


async def test_a_token_is_for_its_task_and_its_execution_alone() -> None:
    async with started() as lab:
        other = Lab.define(lab.executor, None, id="other", secret=SECRET)
        stranger = Lab.define(lab.executor, None, id="stranger", secret=OTHER_SECRET)
        first, second = await lab.enqueue("first"), await lab.enqueue("second")
        await lab.app.request(1)
        tokens = {each.input: each.token for each in lab.app.asked}
        without = create_callback_client(
            client_for(lab.executor, {"other": other, "stranger": stranger})
        )
        with pytest.raises(InvalidTokenError):
            await without.complete(tokens["first"], 1)
        await lab.callbacks.complete(tokens["first"], 1)

        assert await first.result() == 1
        assert (await lab.row(second)).status == "running"


async def test_secrets_are_changed_without_losing_what_is_under_way() -> None:
    async with started() as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        row = await lab.parked(handle)
    async with DurableExecutor(lab.storage) as later:
        task = Lab.define(later, None, secret=[OTHER_SECRET, SECRET])
        callbacks = create_callback_client(client_for(later, {"render": task}))
        assert (await lab.row(handle)) == row
        await callbacks.complete(request.token, 1)

        found = await later.get_task_execution_handle(task, handle.execution_id)
        assert await found.result() == 1


async def test_a_parked_execution_outlives_the_shutdown_of_its_executor(storage: Storage) -> None:
    async with started(storage=storage) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.parked(handle)
    again = Lab(App(), storage)
    async with again.executor:
        await again.callbacks.complete(request.token, "after the restart")
        found = await again.executor.get_task_execution_handle(again.task, handle.execution_id)

        assert await found.result() == "after the restart"
        assert again.app.asked == []


async def test_an_attempt_that_a_shutdown_cuts_off_before_the_answer_is_handed_over_again() -> None:
    storage, cut = InMemoryStorage(), asyncio.Event()

    async def hang(request: CallbackRequest[Any]) -> Any:
        await cut.wait()
        return await accept(request)

    lab = Lab(App(hang), storage)
    await lab.executor.start()
    handle = await lab.enqueue()
    first = await lab.app.request()
    await lab.executor.shutdown()
    cut.set()
    again = Lab(App(), storage)
    async with again.executor:
        second = await again.app.request()
        with pytest.raises(AttemptOverError, match="another one follows"):
            await again.callbacks.complete(first.token, 1)
        await again.callbacks.complete(second.token, 2)
        found = await again.executor.get_task_execution_handle(again.task, handle.execution_id)
        assert await found.result() == 2


async def test_nothing_secret_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with started(losses=1) as lab:
        handle = await lab.enqueue()
        request = await lab.app.request()
        await lab.parked(handle)
        await lab.callbacks.complete(request.token, 1)
    shown = caplog.text + "".join(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)
    shown += repr((lab.task, lab.task.plan, request, lab.task.plan.courier.secrets))  # type: ignore[union-attr]
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "0123456789012345", request.token):
        assert secret not in shown


async def test_callback_tasks_stand_where_any_task_may() -> None:
    async with started() as lab:
        twice = lab.executor.sequential_tasks("twice", (lab.task, lab.task))
        handle = await lab.executor.enqueue_task(twice, "film")
        await lab.callbacks.complete((await lab.app.request(0)).token, "cut")
        second = await lab.app.request(1)
        assert second.input == "cut"
        await lab.callbacks.complete(second.token, "done")

        assert await handle.result() == "done"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": "short"}, "must begin with 'whsec_'"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64 bytes in base64, got 5"),
        ({"secret": "whsec_not base64"}, "must be 'whsec_' and base64"),
        ({"secret": []}, "one to 8, got 0"),
        ({"lease": 0}, "lease must be from 0.1"),
        ({"request_timeout": 301}, "request_timeout must be from"),
        ({"url": "/relative"}, "callback task t: url: expected an absolute URL"),
        ({"url": "file:///etc/passwd"}, "callback task t: url: expected an absolute URL"),
        ({"headers": {"bad name": "x"}}, "callback task t"),
    ],
)
def test_bad_options_are_refused_where_the_task_is_defined(
    changes: dict[str, Any], words: str
) -> None:
    options = {"secret": SECRET, "url": "https://app.example/", **changes}
    with pytest.raises(InvalidOptionError, match=words) as refusal:
        create_callback_task(DurableExecutor(InMemoryStorage()), {"id": "t"}, **options)
    assert "not base64" not in str(refusal.value)
