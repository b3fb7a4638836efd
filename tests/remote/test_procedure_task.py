from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutor,
    FinishedTaskExecution,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    RetryOptions,
    Tasks,
)
from durable_execution.orpc import (
    UNDEFINED,
    AsgiSender,
    Contract,
    Declared,
    ORPCError,
    RPCLink,
    create_orpc_client,
    declared,
    rpc,
)
from durable_execution.server import CallContext, RPCHandler, convert_procedure_client_to_task
from tests.remote.lab import client_of


@dataclass
class Order:
    order_id: str
    due: datetime


@dataclass
class Receipt:
    transaction_id: str
    due: datetime


ORDER = Order("o1", datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC))
EAGER = {"id": "processOrder", "retry": RetryOptions(max_retries=3)}


class App:
    """A web app: answers as it is told, and remembers the headers of what it was asked."""

    def __init__(self, *answers: Callable[[Any], object]) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.client = client_of(
            RPCHandler({"processOrder": rpc.handler(self.process_order)}, prefix="/rpc")
        )

    async def process_order(self, ctx: CallContext, input: object) -> object:
        self.asked.append(dict(ctx.headers))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer(input)


def refusing(status: int, code: str = "NO", message: str = "no") -> Callable[[Any], object]:
    def refuse(input: object) -> object:
        raise ORPCError(code, message, status=status)

    return refuse


def receipt(input: dict[str, Any]) -> object:
    return {"transaction_id": f"txn {input['order_id']}", "due": input["due"]}


@asynccontextmanager
async def executor() -> AsyncIterator[DurableExecutor]:
    executor = DurableExecutor(InMemoryStorage())
    async with executor:
        yield executor


async def outcome_at(app: App, **options: Any) -> FinishedTaskExecution[Any]:
    async with executor() as running:
        task = convert_procedure_client_to_task(
            running, {**EAGER, **options}, app.client.processOrder
        )
        handle = await running.enqueue_task(task, {"order_id": "o1", "due": ORDER.due})
        return await handle.wait_and_get_finished_execution()


async def test_typed_task_calls_the_procedure() -> None:
    app = App(receipt)
    async with executor() as running:
        task = convert_procedure_client_to_task(
            running, EAGER, app.client.processOrder, input=Order, output=Receipt
        )
        handle = await running.enqueue_task(task, ORDER)

        assert await handle.result() == Receipt("txn o1", ORDER.due)


async def test_procedure_without_input_is_called_with_undefined() -> None:
    app = App(lambda input: input is UNDEFINED)
    async with executor() as running:
        task = convert_procedure_client_to_task(running, EAGER, app.client.processOrder)

        assert await (await running.enqueue_task(task)).result() is True


async def test_values_without_hints_pass_unchanged() -> None:
    app = App(lambda input: input)
    async with executor() as running:
        task = convert_procedure_client_to_task(running, EAGER, app.client.processOrder)
        handle = await running.enqueue_task(task, {"at": ORDER.due, "gap": [UNDEFINED]})

        assert await handle.result() == {"at": ORDER.due, "gap": [UNDEFINED]}


async def test_every_attempt_carries_the_execution_and_its_number() -> None:
    app = App(refusing(503), refusing(503), receipt)

    execution = await outcome_at(app)

    assert execution.status == "completed"
    assert [asked["x-durable-attempt"] for asked in app.asked] == ["0", "1", "2"]
    assert {asked["x-durable-execution-id"] for asked in app.asked} == {execution.execution_id}


async def test_own_headers_are_sent_and_cannot_replace_those_of_the_execution() -> None:
    app = App(receipt)
    async with executor() as running:
        task = convert_procedure_client_to_task(
            running,
            EAGER,
            app.client.processOrder,
            headers={"authorization": "Bearer ada", "X-Durable-Attempt": "99"},
        )
        await (await running.enqueue_task(task, {"order_id": "o1", "due": ORDER.due})).result()

    [asked] = app.asked
    assert (asked["authorization"], asked["x-durable-attempt"]) == ("Bearer ada", "0")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_status_that_may_pass_is_tried_again(status: int) -> None:
    app = App(refusing(status), receipt)

    assert (await outcome_at(app)).status == "completed"
    assert len(app.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
async def test_status_that_will_not_pass_ends_the_execution(status: int) -> None:
    app = App(refusing(status, message="will not do"), receipt)

    execution = await outcome_at(app)

    assert execution.status == "failed"
    assert execution.error.message == "will not do"
    assert len(app.asked) == 1


async def test_retries_end_with_the_tasks_own() -> None:
    app = App(refusing(503, message="busy"))

    execution = await outcome_at(app)

    assert execution.status == "failed"
    assert (execution.error.message, execution.error.is_internal) == ("busy", True)
    assert len(app.asked) == 4


async def test_404_is_stored_as_not_found() -> None:
    app = App(refusing(404, "NOT_FOUND", "Order o1 is gone"))
    async with executor() as running:
        task = convert_procedure_client_to_task(running, EAGER, app.client.processOrder)
        handle = await running.enqueue_task(task, 1)

        with pytest.raises(DurableExecutionNotFoundError, match="Order o1 is gone"):
            await handle.result()


async def test_path_that_is_no_procedure_is_not_found() -> None:
    app = App(receipt)
    async with executor() as running:
        task = convert_procedure_client_to_task(running, EAGER, app.client.process_order)

        with pytest.raises(DurableExecutionNotFoundError):
            await (await running.enqueue_task(task, 1)).result()


async def test_broken_connection_is_tried_again() -> None:
    calls = 0
    app = App(receipt)

    async def flaky(scope: Any, receive: Any, send: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise OSError("connection reset")
        handler = RPCHandler({"processOrder": rpc.handler(app.process_order)}, prefix="/rpc")
        await handler(scope, receive, send)

    app.client = client_of(flaky)

    assert (await outcome_at(app)).status == "completed"
    assert calls == 3


async def test_attempts_deadline_ends_the_call_and_cancels_the_app() -> None:
    cancelled = asyncio.Event()

    async def wait_for_ever(ctx: CallContext, input: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    app = client_of(RPCHandler({"slow": rpc.handler(wait_for_ever)}, prefix="/rpc"))
    async with executor() as running:
        task = convert_procedure_client_to_task(running, {"id": "slow", "timeout": 0.05}, app.slow)
        handle = await running.enqueue_task(task, 1)
        execution = await handle.wait_and_get_finished_execution()

    assert execution.status == "timed_out"
    assert cancelled.is_set()


async def test_links_own_timeout_does_not_end_an_attempt() -> None:
    timeouts: list[object] = []

    class SpyLink(RPCLink):
        async def call(self, *args: Any, **kwargs: Any) -> object:
            timeouts.append(kwargs["timeout"])
            return "done"

    app = create_orpc_client(SpyLink("http://app/rpc", timeout=0.001))
    async with executor() as running:
        task = convert_procedure_client_to_task(running, {"id": "slow"}, app.slow)
        assert await (await running.enqueue_task(task, 1)).result() == "done"

    assert timeouts == [None]


async def test_misfit_input_is_refused_when_it_is_enqueued() -> None:
    app = App(receipt)
    async with executor() as running:
        task = convert_procedure_client_to_task(
            running, EAGER, app.client.processOrder, input=Order
        )

        with pytest.raises(InvalidInputError, match=r"input\.due"):
            await running.enqueue_task(task, {"order_id": "o1", "due": "soon"})
    assert app.asked == []


async def test_misfit_answer_fails_the_attempt() -> None:
    app = App(lambda input: {"transaction": 1})
    async with executor() as running:
        task = convert_procedure_client_to_task(
            running, {"id": "processOrder"}, app.client.processOrder, output=Receipt
        )

        with pytest.raises(DurableExecutionError, match="Invalid output of task processOrder"):
            await (await running.enqueue_task(task, 1)).result()


def test_task_may_be_defined_on_a_group() -> None:
    group = Tasks()

    task = convert_procedure_client_to_task(group, EAGER, App(receipt).client.processOrder)

    assert group["processOrder"] is task
    assert task.options.retry.max_retries == 3


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "must have an id"),
        ({"id": "x", "timeoutMs": 60_000}, "unknown timeoutMs; use id, retry"),
        ({"id": "process-order"}, "task id must be"),
        ({"id": "x", "timeout": 0}, "timeout must be"),
    ],
)
def test_wrong_options_are_named(options: Any, problem: str) -> None:
    with pytest.raises(InvalidOptionError, match=problem):
        convert_procedure_client_to_task(Tasks(), options, App(receipt).client.processOrder)


def test_procedure_must_be_a_place_in_a_client() -> None:
    with pytest.raises(InvalidOptionError, match="must be a place in an oRPC client"):
        convert_procedure_client_to_task(Tasks(), {"id": "x"}, receipt)


class AppContract(Contract):
    process_order: Declared[Order, Receipt] = declared(name="processOrder")


async def test_contract_brings_the_types_of_the_task(executor: DurableExecutor) -> None:
    @rpc.implement(AppContract.process_order)
    async def process_order(ctx: CallContext, order: Order) -> Receipt:
        return Receipt(f"txn {order.order_id} {ctx.headers['x-durable-attempt']}", order.due)

    router = rpc.router({"process_order": process_order}, contract=AppContract)
    async with RPCLink("http://app", sender=AsgiSender(RPCHandler(router))) as link:
        app = create_orpc_client(link, contract=AppContract)
        task = convert_procedure_client_to_task(executor, {"id": "order"}, app.process_order)
        async with executor:
            handle = await executor.enqueue_task(task, ORDER)
            assert await handle.result(timeout=30) == Receipt("txn o1 0", ORDER.due)
            bad: Any = {"order_id": 1}
            with pytest.raises(InvalidInputError):
                await executor.enqueue_task(task, bad)


async def test_types_of_a_contract_are_not_said_again(executor: DurableExecutor) -> None:
    app = create_orpc_client(RPCLink("http://app"), contract=AppContract)
    call: Any = app.process_order

    with pytest.raises(InvalidOptionError, match="come from the contract"):
        convert_procedure_client_to_task(executor, {"id": "order"}, call, input=Order)
