from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import msgspec
import pydantic
import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    InvalidInputError,
    Storage,
    StoredError,
    TaskContext,
    open_storage,
)
from tests.conftest import local_storage


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return local_storage(request.param, tmp_path)


@dataclass
class Email:
    to: str
    copies: list[str]


class Order(TypedDict):
    number: int


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Person(pydantic.BaseModel):
    name: str
    age: int


async def _count_of_rows(executor: DurableExecutor) -> int:
    assert executor._engine is not None
    claimable = await executor._engine.storage.held_by(executor._engine.executor_id, 10)
    return len(claimable) + executor.running_task_executions_count


@pytest.mark.parametrize(
    ("hint", "value", "returned"),
    [
        (Email, Email("a@b", ["c"]), Email("a@b", ["c"])),
        (Order, {"number": 3}, {"number": 3}),
        (Point, Point(1), Point(1, 0)),
        (Person, Person(name="Ada", age=36), Person(name="Ada", age=36)),
        (int | None, None, None),
        (int | None, 3, 3),
        (list[Point], [Point(1, 2)], [Point(1, 2)]),
    ],
    ids=str,
)
async def test_inputs_and_outputs_keep_their_type(
    executor: DurableExecutor, hint: object, value: object, returned: object
) -> None:
    seen: list[object] = []

    async def echo(ctx: TaskContext, input: object) -> object:
        seen.append(input)
        return input

    echo.__annotations__ = {"input": hint, "return": hint}
    handle = await executor.enqueue_task(executor.task(echo), value)
    assert await handle.result() == returned
    assert seen == [returned]
    assert type(seen[0]) is type(returned)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Email, {"to": "a@b", "copies": [1]}, "input.copies[0]: expected str, got int"),
        (Order, {}, "input: object missing required field number"),
        (Point, {"x": "1"}, "input.x: expected int, got str"),
        (Person, {"name": "Ada", "age": "old"}, "input.age: input should be a valid integer"),
        (int, None, "input: expected int, got null"),
    ],
    ids=str,
)
async def test_an_input_that_does_not_fit_names_the_field_and_leaves_no_row(
    executor: DurableExecutor, hint: object, value: object, message: str
) -> None:
    calls: list[object] = []

    async def take(ctx: TaskContext, input: object) -> None:
        calls.append(input)

    take.__annotations__ = {"input": hint, "return": None}
    task = executor.task(take)
    with pytest.raises(InvalidInputError) as caught:
        await executor.enqueue_task(task, value)
    assert str(caught.value).startswith(f"Invalid input of task take: {message}")
    assert caught.value.issues
    assert await _count_of_rows(executor) == 0
    assert calls == []


async def test_an_input_that_cannot_be_encoded_says_so(executor: DurableExecutor) -> None:
    @executor.task
    async def take(ctx: TaskContext, input: object) -> None: ...

    with pytest.raises(InvalidInputError, match=r"Invalid input of task take: .*lock"):
        await executor.enqueue_task(take, {"lock": object()})


async def test_a_missing_input_says_so(executor: DurableExecutor) -> None:
    @executor.task
    async def take(ctx: TaskContext, input: int) -> None: ...

    with pytest.raises(InvalidInputError, match="input: expected int, got undefined"):
        await executor.enqueue_task(take)  # type: ignore[call-overload]


async def test_sizes_are_bounded_on_the_way_in_and_out() -> None:
    options = ExecutorOptions(max_serialized_input_size=1024, max_serialized_output_size=1024)
    async with DurableExecutor(open_storage("memory://"), options) as executor:

        @executor.task
        async def repeat(ctx: TaskContext, times: int | str) -> str:
            return "x" * int(times)

        with pytest.raises(InvalidInputError, match=r"Input of task repeat is \d+ bytes, at most"):
            await executor.enqueue_task(repeat, "1" * 1024)
        assert await (await executor.enqueue_task(repeat, 1000)).result() == "x" * 1000
        handle = await executor.enqueue_task(repeat, 2000)
        with pytest.raises(DurableExecutionError, match="Output of task repeat is 2011 bytes"):
            await handle.result()


async def test_validate_input_may_change_the_input(executor: DurableExecutor) -> None:
    def strip(word: str) -> str:
        return word.strip()

    @executor.task(validate_input=strip)
    async def shout(ctx: TaskContext, word: str) -> str:
        return f"{word}!"

    handle = await executor.enqueue_task(shout, "  hey ")
    assert await handle.result() == "hey!"
    assert (await handle.get_execution()).input == "hey"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("too short"), "Invalid input of task take: too short"),
        (DurableExecutionError("no"), "no"),
        (InvalidInputError("never"), "never"),
    ],
)
async def test_validate_input_may_refuse_the_input(
    executor: DurableExecutor, error: Exception, message: str
) -> None:
    def refuse(word: str) -> str:
        raise error

    @executor.task(validate_input=refuse)
    async def take(ctx: TaskContext, word: str) -> None: ...

    with pytest.raises(InvalidInputError) as caught:
        await executor.enqueue_task(take, "x")
    assert caught.value.message == message
    assert await _count_of_rows(executor) == 0


async def test_what_validate_input_returns_must_fit_too(executor: DurableExecutor) -> None:
    def lengthen(word: str) -> object:
        return len(word)

    @executor.task(validate_input=lengthen)
    async def take(ctx: TaskContext, word: str) -> None: ...

    with pytest.raises(InvalidInputError, match="input: expected str, got int"):
        await executor.enqueue_task(take, "x")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("no number", "Invalid output of task give: output: expected int, got str"),
        (object(), "Invalid output of task give: "),
    ],
    ids=["wrong type", "not encodable"],
)
async def test_an_output_that_does_not_fit_fails_and_is_not_retried(
    executor: DurableExecutor, returned: object, message: str
) -> None:
    @executor.task
    async def give(ctx: TaskContext) -> int:
        return returned  # type: ignore[return-value]

    execution = await (await executor.enqueue_task(give)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message.startswith(message)
    assert execution.error.without_traceback() == StoredError(
        message=execution.error.message, is_retryable=False
    )
