from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_execution import (
    CancelledTaskExecution,
    CompletedTaskExecution,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    FailedTaskExecution,
    IdempotencyConflictError,
    InvalidInputError,
    InvalidOptionError,
    LoopSucceeded,
    RetryOptions,
    RunningTaskExecution,
    declare_task,
)
from durable_execution.client import TaskClientHandles, create_task_client_handles
from durable_execution.orpc import ORPCClient, ORPCError, RPCConnectionError, rpc
from durable_execution.server import RPCHandler
from tests.remote.lab import Email, Lab, Sent, client_of

DATE = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)
EMAIL = Email("ada", DATE, {"b", "a"})
SENT = Sent("to ada", DATE, {"a": 1, "b": 1})


@pytest.fixture
def handles(lab: Lab, client: ORPCClient) -> TaskClientHandles:
    return create_task_client_handles(client, lab.tasks)


async def test_typed_input_and_output_come_back(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles[lab.send_email].enqueue(EMAIL)

    execution = await handles[lab.send_email].wait_and_get_finished_execution(execution_id)

    assert isinstance(execution, CompletedTaskExecution)
    assert (execution.input, execution.output) == (EMAIL, SENT)


async def test_result_is_the_typed_output(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles[lab.send_email].enqueue(EMAIL)

    assert await handles[lab.send_email].result(execution_id) == SENT


async def test_declarations_do_what_the_servers_tasks_do(client: ORPCClient) -> None:
    declared = declare_task("whatever", input=Email, output=Sent)
    handles = create_task_client_handles(client, {"sendEmail": declared})

    execution_id = await handles[declared].enqueue(EMAIL)

    assert await handles[declared].result(execution_id) == SENT


async def test_attribute_item_and_task_name_the_same_handle(
    lab: Lab, handles: TaskClientHandles
) -> None:
    assert handles.sendEmail is handles["sendEmail"] is handles[lab.send_email]
    assert handles.mail.task_key == "mail"
    assert list(handles) == list(lab.tasks)
    assert len(handles) == len(lab.tasks)
    assert "sendEmail" in dir(handles)


def test_unknown_handle_names_those_that_exist(handles: TaskClientHandles) -> None:
    with pytest.raises(AttributeError, match=r"no task 'sendMail'.*sendEmail, mail"):
        _ = handles.sendMail
    with pytest.raises(KeyError, match="no task 'sendMail'"):
        _ = handles["sendMail"]
    with pytest.raises(KeyError, match="no task TaskDeclaration"):
        _ = handles[declare_task("sendEmail")]
    assert not hasattr(handles, "__wrapped__")


async def test_misfit_input_is_refused_before_anything_is_sent(lab: Lab) -> None:
    unreachable = client_of(RPCHandler({"no": rpc.handler(lambda: 1)}))
    handles = create_task_client_handles(unreachable, lab.tasks)

    with pytest.raises(InvalidInputError, match=r"input\.send_at") as caught:
        await handles.sendEmail.enqueue({"to": "ada", "send_at": "soon"})

    assert [issue.path for issue in caught.value.issues] == [("send_at",)]


async def test_input_without_a_wire_form_is_refused(handles: TaskClientHandles) -> None:
    with pytest.raises(InvalidInputError, match="Invalid input of task echo"):
        await handles.echo.enqueue(object())


async def test_options_reach_the_server(lab: Lab, handles: TaskClientHandles) -> None:
    retry = RetryOptions(max_retries=2, base_delay=0.25, delay_multiplier=1.5, max_delay=2)

    execution_id = await handles[lab.send_email].enqueue(
        EMAIL, timeout=timedelta(minutes=1), retry=retry, sleep_before_run=60
    )

    execution = await handles[lab.send_email].get_execution(execution_id)
    assert (execution.timeout, execution.retry, execution.sleep_before_run) == (60, retry, 60)
    assert execution.status == "ready"


async def test_option_out_of_bounds_is_named_in_the_words_of_python(
    handles: TaskClientHandles,
) -> None:
    with pytest.raises(InvalidOptionError, match=r"^timeout must be from"):
        await handles.echo.enqueue(1, timeout=0)
    with pytest.raises(InvalidOptionError, match=r"^sleep_before_run must be from"):
        await handles.echo.enqueue(1, sleep_before_run=-1)


async def test_task_without_an_input_needs_none(lab: Lab, handles: TaskClientHandles) -> None:
    lab.gate.set()
    execution_id = await handles[lab.held].enqueue()

    assert await handles[lab.held].result(execution_id) == "let go"


async def test_running_execution_is_shown(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles[lab.held].enqueue()
    while (execution := await handles[lab.held].get_execution(execution_id)).status == "ready":
        await asyncio.sleep(0.001)  # a client can only ask

    assert isinstance(execution, RunningTaskExecution)
    assert execution.executor_id is not None


async def test_waiting_ends_at_its_timeout_and_the_execution_goes_on(
    lab: Lab, handles: TaskClientHandles
) -> None:
    execution_id = await handles[lab.held].enqueue()

    with pytest.raises(TimeoutError, match=execution_id):
        await handles[lab.held].result(execution_id, timeout=0.05)
    with pytest.raises(TimeoutError, match=execution_id):
        await handles[lab.held].result(execution_id, timeout=-1)  # left until a deadline

    lab.gate.set()
    assert await handles[lab.held].result(execution_id, timeout=5) == "let go"


async def test_failed_execution_is_shown_and_raised(handles: TaskClientHandles) -> None:
    execution_id = await handles.broken.enqueue()

    execution = await handles.broken.wait_and_get_finished_execution(execution_id)
    assert isinstance(execution, FailedTaskExecution)
    assert execution.error.message == "LookupError: nothing there"
    with pytest.raises(DurableExecutionError, match="nothing there"):
        await handles.broken.result(execution_id)


async def test_cancelled_execution_raises_its_own_class(
    lab: Lab, handles: TaskClientHandles
) -> None:
    execution_id = await handles[lab.held].enqueue()
    handle = await lab.executor.get_task_execution_handle(lab.held, execution_id)
    await handle.cancel()

    assert isinstance(await handles.held.get_execution(execution_id), CancelledTaskExecution)
    with pytest.raises(DurableExecutionCancelledError):
        await handles.held.result(execution_id)


async def test_parent_shows_its_children_and_its_finalize_task(
    handles: TaskClientHandles,
) -> None:
    execution_id = await handles.family.enqueue(2)

    execution = await handles.family.wait_and_get_finished_execution(execution_id)

    assert execution.status == "completed"
    assert execution.output == 2
    assert [child.task_id for child in execution.children] == ["echo", "echo"]
    assert execution.finalize is not None
    assert execution.finalize.task_id == "family_finalize"
    child = await handles.echo.get_execution(execution.children[1].execution_id)
    assert child.parent is not None
    assert (child.parent.execution_id, child.parent.index_in_parent_children) == (execution_id, 1)
    assert child.root is not None
    assert child.root.execution_id == execution_id


async def test_refused_children_show_as_finalize_failed(handles: TaskClientHandles) -> None:
    execution_id = await handles.orphanage.enqueue()

    execution = await handles.orphanage.wait_and_get_finished_execution(execution_id)

    assert execution.status == "finalize_failed"
    assert "not these children" in execution.error.message


async def test_loop_result_has_its_type(handles: TaskClientHandles) -> None:
    execution_id = await handles.loop.enqueue(4)

    assert await handles.loop.result(execution_id) == LoopSucceeded(4)


async def test_wakeup_completes_with_a_typed_output(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles[lab.approval].enqueue("order 1")

    execution = await handles[lab.approval].wakeup("order 1", output=7)

    assert execution.status == "completed"
    assert (execution.output, execution.execution_id) == (7, execution_id)


async def test_wakeup_fails_with_an_error(lab: Lab, handles: TaskClientHandles) -> None:
    await handles[lab.approval].enqueue("order 1")

    execution = await handles[lab.approval].wakeup("order 1", status="failed", error="refused")

    assert execution.status == "failed"
    assert execution.error.message == "refused"


async def test_wakeup_with_a_misfit_output_is_refused_here(
    lab: Lab, handles: TaskClientHandles
) -> None:
    with pytest.raises(InvalidInputError, match="Invalid output of task approval"):
        await handles.approval.wakeup("order 1", output="seven")


async def test_wakeup_of_another_kind_of_task_is_an_error(handles: TaskClientHandles) -> None:
    with pytest.raises(
        DurableExecutionError, match=r"^Task echo is not a sleeping task$"
    ) as caught:
        await handles.echo.wakeup("u", output=1)

    assert not caught.value.is_retryable
    assert isinstance(caught.value.__cause__, ORPCError)


async def test_unknown_execution_is_not_found(handles: TaskClientHandles) -> None:
    with pytest.raises(DurableExecutionNotFoundError, match="executionId=te_nobody"):
        await handles.echo.get_execution("te_nobody")
    with pytest.raises(DurableExecutionNotFoundError):
        await handles.echo.wait_and_get_finished_execution("te_nobody")
    with pytest.raises(DurableExecutionNotFoundError):
        await handles.echo.wait("te_nobody")


async def test_server_that_is_not_there_is_a_retryable_internal_error(lab: Lab) -> None:
    async def nowhere(scope: object, receive: object, send: object) -> None:
        raise OSError("no route")

    handles = create_task_client_handles(client_of(nowhere), lab.tasks)

    with pytest.raises(DurableExecutionError) as caught:
        await handles.echo.enqueue(1)

    assert (caught.value.is_retryable, caught.value.is_internal) == (True, True)
    assert isinstance(caught.value.__cause__, RPCConnectionError)


@pytest.mark.parametrize(
    "answer",
    [
        *(None, 7, {"status": "paused"}, {}, []),
        *({"executions": {}}, {"executions": [{}]}, {"executions": [], "nextCursor": 7}),
    ],
    ids=repr,
)
async def test_answer_of_another_protocol_is_a_retryable_internal_error(
    answer: object, lab: Lab
) -> None:
    strange = {
        name: rpc.handler(lambda: answer)
        for name in (
            *("enqueueTask", "enqueueTasks", "getTaskExecution", "waitTaskExecution"),
            *("cancelTaskExecution", "listTaskExecutions", "wakeupSleepingTaskExecution"),
        )
    }
    handles = create_task_client_handles(client_of(RPCHandler(strange, prefix="/rpc")), lab.tasks)

    for call in (
        handles.echo.enqueue(1),
        handles.echo.enqueue_many([1]),
        handles.echo.get_execution("te_1"),
        handles.echo.wait("te_1", timeout=0.01),
        handles.echo.cancel("te_1"),
        handles.echo.list(),
        handles.approval.wakeup("u", output=1),
    ):
        with pytest.raises(DurableExecutionError, match="answer cannot be read") as caught:
            await call
        assert (caught.value.is_retryable, caught.value.is_internal) == (True, True)


async def test_execution_that_has_not_ended_is_no_answer_to_cancelling(lab: Lab) -> None:
    handle = await lab.executor.enqueue_task(lab.held)
    view = await lab.client().getTaskExecution(
        {"taskId": "held", "executionId": handle.execution_id}
    )
    strange = RPCHandler({"cancelTaskExecution": rpc.handler(lambda: view)}, prefix="/rpc")
    handles = create_task_client_handles(client_of(strange), lab.tasks)

    with pytest.raises(DurableExecutionError, match="the execution has not finished"):
        await handles.held.cancel(handle.execution_id)


async def test_key_makes_one_execution_however_often_it_is_enqueued(
    lab: Lab, handles: TaskClientHandles
) -> None:
    first = await handles.echo.enqueue(7, key="order 1")

    assert await handles.echo.enqueue(7, key="order 1") == first
    with pytest.raises(IdempotencyConflictError) as caught:
        await handles.echo.enqueue(8, key="order 1")
    assert (caught.value.execution_id, lab.rows) == (first, 1)


@pytest.mark.parametrize(
    "options", [{"key": ""}, {"key": "k" * 256}, {"tags": {"a b": ""}}, {"tags": ["a"]}], ids=str
)
async def test_label_that_is_none_is_refused_here(
    options: dict[str, Any], lab: Lab, handles: TaskClientHandles
) -> None:
    with pytest.raises(InvalidOptionError):
        await handles.echo.enqueue(7, **options)

    assert lab.rows == 0


async def test_tags_that_the_server_does_not_allow_are_refused_with_their_path(
    handles: TaskClientHandles,
) -> None:
    with pytest.raises(InvalidInputError, match=r"options\.tags\.tenant") as caught:
        await handles.echo.enqueue(7, tags={"tenant": "acme"})

    assert [issue.path for issue in caught.value.issues] == [("options", "tags", "tenant")]


async def test_many_are_enqueued_in_their_order_with_their_keys(
    lab: Lab, handles: TaskClientHandles
) -> None:
    first = await handles.echo.enqueue(1, key="order 1")

    ids = await handles.echo.enqueue_many((n for n in (1, 2)), keys=["order 1", "order 2"])

    assert ids[0] == first
    assert [await handles.echo.result(each) for each in ids] == [1, 2]
    assert lab.rows == 2
    assert await handles.echo.enqueue_many([]) == []


async def test_one_misfit_among_many_is_named_and_none_is_sent(
    lab: Lab, handles: TaskClientHandles
) -> None:
    with pytest.raises(InvalidInputError, match="Input 1: "):
        await handles.sendEmail.enqueue_many([EMAIL, 7])
    with pytest.raises(InvalidOptionError, match="at most 1000"):
        await handles.echo.enqueue_many(range(1001))
    with pytest.raises(InvalidOptionError, match="keys must be one for each"):
        await handles.echo.enqueue_many([1, 2], keys=["k"])

    assert lab.rows == 0


async def test_cancelled_execution_is_returned(lab: Lab, handles: TaskClientHandles) -> None:
    execution_id = await handles[lab.held].enqueue()

    execution = await handles[lab.held].cancel(execution_id)

    assert isinstance(execution, CancelledTaskExecution)
    assert execution.execution_id == execution_id


async def test_list_finds_executions_of_the_task_alone_a_page_at_a_time(
    handles: TaskClientHandles,
) -> None:
    ids = sorted([await handles.echo.enqueue(n) for n in range(3)])
    await handles.describe.enqueue(7)

    page = await handles.echo.list(order="oldest_first", limit=2)
    rest = await handles.echo.list(order="oldest_first", limit=2, cursor=page.next_cursor)

    found = [*page.executions, *rest.executions]
    assert [each.execution_id for each in found] == ids
    assert {each.task_id for each in found} == {"echo"}
    assert rest.next_cursor is None


async def test_list_shows_what_the_executor_itself_would_find(
    lab: Lab, handles: TaskClientHandles
) -> None:
    execution_id = await handles.family.enqueue(2)
    await handles.family.result(execution_id)
    failed = await handles.broken.enqueue(key="k")
    await handles.broken.wait(failed)

    for key, task in (("family", lab.tasks["family"]), ("broken", lab.tasks["broken"])):
        [expected] = (await lab.executor.search_task_executions(tasks=[task])).executions
        [found] = (await handles[key].list(statuses=["completed", "failed"])).executions
        # Who ran it is shown to callers only while it runs, and where it failed never.
        error = expected.error and expected.error.without_traceback()
        assert found == dataclasses.replace(expected, executor_id=None, error=error)


async def test_filters_of_a_list_are_checked(handles: TaskClientHandles) -> None:
    with pytest.raises(InvalidOptionError, match="created_from must be an aware datetime"):
        await handles.echo.list(created_from=DATE.replace(tzinfo=None))
    with pytest.raises(InvalidOptionError, match="limit"):
        await handles.echo.list(limit=0)
    with pytest.raises(InvalidInputError):
        await handles.echo.list(statuses=["paused"])  # type: ignore[list-item]
    assert (await handles.echo.list(created_from=DATE, tags={"a": "b"})).executions == ()


async def test_older_server_is_told_of_by_its_lack(lab: Lab) -> None:
    nothing = client_of(RPCHandler({"no": rpc.handler(lambda: 1)}, prefix="/rpc"))
    handles = create_task_client_handles(nothing, lab.tasks)

    for call in (handles.echo.cancel("te_1"), handles.echo.list()):
        with pytest.raises(DurableExecutionError, match="server has no such procedure") as caught:
            await call
        assert not caught.value.is_retryable
        assert isinstance(caught.value.__cause__, ORPCError)


def test_arguments_are_checked_when_the_handles_are_made(client: ORPCClient) -> None:
    with pytest.raises(InvalidOptionError, match="create_orpc_client"):
        create_task_client_handles("http://localhost", {})
    with pytest.raises(InvalidOptionError, match=r"tasks\['echo'\] must be a task"):
        create_task_client_handles(client, {"echo": str})
    with pytest.raises(InvalidOptionError, match="tasks must be a mapping"):
        create_task_client_handles(client, [])  # type: ignore[call-overload]
