from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from durable_execution import (
    DurableExecutionNotFoundError,
    DurableExecutor,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    ParentTaskOutput,
    RetryOptions,
    Storage,
    TaskContext,
    Tasks,
    child_task,
    declare_task,
)
from tests.conftest import local_storage


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return local_storage(request.param, tmp_path)


async def nothing(ctx: TaskContext) -> None: ...


async def test_groups_are_included_with_all_their_tasks(executor: DurableExecutor) -> None:
    tasks = Tasks()

    @tasks.task
    async def double(ctx: TaskContext, number: int) -> int:
        return number * 2

    @tasks.parent_task(finalize=lambda ctx, result: len(result.children))
    async def count(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(double, 1)])

    executor.include(tasks)
    assert set(tasks) == {"double", "count", "count_finalize"} == set(executor.tasks)
    assert len(tasks) == 3
    assert await (await executor.enqueue_task(count)).result() == 1


async def test_a_parent_task_needs_no_options(executor: DurableExecutor) -> None:
    @executor.parent_task
    async def alone(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(number, [])

    assert alone.id == "alone"
    assert (await (await executor.enqueue_task(alone, 3)).result()).output == 3


async def test_a_declaration_is_implemented(executor: DurableExecutor) -> None:
    declared = declare_task("double", input=int, output=str)

    @executor.implement(declared, timeout=7)
    async def double_it(ctx: TaskContext, number: int) -> str:
        return str(number * 2)

    assert (double_it.id, double_it.options.timeout_ms) == ("double", 7000)
    assert await (await executor.enqueue_task(double_it, 4)).result() == "8"
    with pytest.raises(InvalidInputError, match="input: expected int"):
        await executor.enqueue_task(double_it, "4")  # type: ignore[arg-type]


def test_an_implementation_keeps_the_declared_id() -> None:
    with pytest.raises(InvalidOptionError, match="id must be the declared one, 'double'"):
        Tasks().implement(declare_task("double"), id="other")(nothing)  # type: ignore[arg-type]


def test_ids_are_unique_in_a_group() -> None:
    tasks = Tasks()
    first = tasks.task(id="same")(nothing)
    assert tasks.add(first) is first
    with pytest.raises(InvalidOptionError, match="task id 'same' is taken"):
        tasks.task(id="same")(nothing)
    assert tasks["same"] is first


def test_a_group_with_a_taken_id_is_not_included_at_all() -> None:
    group, other = Tasks(), Tasks()
    group.task(id="free")(nothing)
    group.task(id="same")(nothing)
    other.task(id="same")(nothing)
    with pytest.raises(InvalidOptionError, match="'same' is taken"):
        other.include(group)
    assert set(other) == {"same"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": "send-email"}, "task id must be 1 to 255 letters, digits or underscores"),
        ({"id": ""}, "task id must be 1 to 255"),
        ({"id": "x" * 256}, "task id must be 1 to 255"),
        ({"timeout": 0}, "timeout must be from 0.001 to"),
        ({"timeout": "5"}, "timeout must be seconds or a timedelta, got '5'"),
        ({"sleep_before_run": -1}, "sleep_before_run must be from 0 to"),
        ({"sleep_before_run": timedelta(days=-1)}, "sleep_before_run must be from 0 to"),
    ],
    ids=str,
)
def test_a_bad_option_is_named_with_its_limit(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        Tasks().task(**options)(nothing)  # type: ignore[call-overload]
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("option", [{"timeout": 0}, {"sleep_before_run": -1}], ids=str)
async def test_a_bad_option_at_enqueue_leaves_no_row(
    executor: DurableExecutor, option: dict[str, float]
) -> None:
    task = executor.task(nothing)
    with pytest.raises(InvalidOptionError, match=next(iter(option))):
        await executor.enqueue_task(task, **option)  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="max_retries must be a whole number"):
        RetryOptions(max_retries=-1)


def test_a_task_function_takes_a_context_and_perhaps_an_input() -> None:
    async def none() -> None: ...

    async def three(ctx: TaskContext, first: int, second: int) -> None: ...

    async def named(ctx: TaskContext, *, first: int) -> None: ...

    for function in (none, three, named):
        with pytest.raises(InvalidOptionError, match="must take"):
            Tasks().task(function)  # type: ignore[call-overload]


def test_a_first_argument_that_is_no_context_is_noticed() -> None:
    async def forgot(number: int) -> int:
        return number

    async def swapped(items: list[int], ctx: TaskContext) -> int:
        return len(items)

    for function, kind in ((forgot, "int"), (swapped, "list")):
        with pytest.raises(InvalidOptionError, match=f"first argument .* hint of .* is {kind}"):
            Tasks().task(function)  # type: ignore[call-overload]


def test_a_context_may_be_hinted_as_widely_as_one_likes() -> None:
    async def wide(ctx: object) -> None: ...

    async def optional(ctx: TaskContext | None) -> None: ...

    async def annotated(ctx: Annotated[TaskContext, "of the attempt"]) -> None: ...

    async def anything(ctx: Any, number: int) -> None: ...

    for function in (wide, optional, annotated, anything):
        Tasks().task(function)  # type: ignore[call-overload]


def test_what_is_no_function_makes_no_task() -> None:
    with pytest.raises(InvalidOptionError, match=r"got 'sendEmail'; options go by name.*id="):
        Tasks().task("sendEmail")  # type: ignore[call-overload]


def test_a_generator_makes_no_task() -> None:
    async def count(ctx: TaskContext) -> AsyncIterator[int]:
        yield 1

    with pytest.raises(InvalidOptionError, match="count must return its output, not yield it"):
        Tasks().task(count)


def test_only_groups_of_tasks_are_included() -> None:
    for group in (Tasks, {"nothing": nothing}, DurableExecutor(InMemoryStorage())):
        with pytest.raises(InvalidOptionError, match="a group of tasks can be included, got"):
            Tasks().include(group)  # type: ignore[arg-type]


def test_a_url_is_no_storage() -> None:
    with pytest.raises(InvalidOptionError, match="open_storage makes one of a URL"):
        DurableExecutor("sqlite:///tasks.db")  # type: ignore[arg-type]


async def test_only_a_task_is_enqueued(executor: DurableExecutor) -> None:
    with pytest.raises(InvalidOptionError, match=r"task must be one that .* got str"):
        await executor.enqueue_task("nothing", 1)  # type: ignore[arg-type]


def test_an_option_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidOptionError, match="unknown option 'retries' of task nothing"):
        Tasks().task(retries=3)(nothing)  # type: ignore[call-overload]


def test_a_child_is_made_of_a_task() -> None:
    with pytest.raises(InvalidOptionError, match="task of a child must be a Task, got <function"):
        child_task(nothing)  # type: ignore[call-overload]


def test_retries_are_options_and_no_number() -> None:
    with pytest.raises(InvalidOptionError, match=r"retry must be RetryOptions\(.* got int"):
        Tasks().task(retry=3)(nothing)  # type: ignore[call-overload]


def test_an_unknown_hint_says_what_to_do() -> None:
    async def odd(ctx: TaskContext, input: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidOptionError, match=r"odd names something unknown: .*'Missing'"):
        Tasks().task(odd)


def test_a_hint_that_no_message_can_hold_is_refused() -> None:
    async def lock(ctx: TaskContext, input: asyncio.Lock) -> None: ...

    with pytest.raises(InvalidOptionError, match="input of task lock: Lock"):
        Tasks().task(lock)


async def test_hints_may_name_local_classes(executor: DurableExecutor) -> None:
    @dataclass
    class Local:
        number: int

    @executor.task
    async def bare(ctx: TaskContext, input: Local) -> int:
        return input.number

    @executor.task()
    async def called(ctx: TaskContext, input: Local) -> Local:
        return input

    assert await (await executor.enqueue_task(bare, Local(5))).result() == 5
    assert await (await executor.enqueue_task(called, Local(5))).result() == Local(5)


async def test_partials_and_callable_objects_are_tasks(executor: DurableExecutor) -> None:
    async def add(first: int, ctx: TaskContext, second: int) -> int:
        return first + second

    class Multiplier:
        async def __call__(self, ctx: TaskContext, number: int) -> int:
            return number * 3

    class Holder:
        def method(self, ctx: TaskContext, number: int) -> int:
            return number - 1

    add_five = executor.task(id="add_five")(functools.partial(add, 5))
    multiply = executor.task(Multiplier())
    method = executor.task(Holder().method)
    assert (multiply.id, method.id) == ("Multiplier", "method")
    assert await (await executor.enqueue_task(add_five, 1)).result() == 6
    assert await (await executor.enqueue_task(multiply, 2)).result() == 6
    assert await (await executor.enqueue_task(method, 2)).result() == 1


async def test_a_task_is_still_callable() -> None:
    tasks = Tasks()

    @tasks.task
    async def double(ctx: TaskContext, number: int) -> int:
        return number * 2

    assert await double(None, 4) == 8
    steps = tasks.sequential_tasks("steps", (double, double))
    with pytest.raises(TypeError, match="sequential_tasks 'steps' has no function to call"):
        steps(None, 4)
    assert repr(steps) == "Task('steps')"


async def test_a_task_of_somebody_else_is_not_enqueued(executor: DurableExecutor) -> None:
    stranger = Tasks().task(nothing)
    with pytest.raises(DurableExecutionNotFoundError, match=r"\[taskId=nothing\]"):
        await executor.enqueue_task(stranger)


async def test_a_child_of_an_unregistered_task_fails_its_parent(executor: DurableExecutor) -> None:
    stranger = Tasks().task(nothing)

    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(stranger)])

    execution = await (await executor.enqueue_task(parent)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.error_type == "not_found"
    assert "[taskId=nothing]" in execution.error.message


def test_finalize_cannot_sleep() -> None:
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]: ...  # type: ignore[empty-body]

    tasks = Tasks()
    with pytest.raises(InvalidOptionError, match="finalize of task parent must not be a sleeping"):
        tasks.parent_task(finalize=tasks.sleeping_task("sleeper"))(parent)


def test_an_input_with_a_default_is_refused_because_nothing_would_use_it() -> None:
    async def count(ctx: TaskContext, number: int = 3) -> int:
        return number

    with pytest.raises(InvalidOptionError, match="number of task function count must have no def"):
        Tasks().task(count)
