"""Whatever is sent to the tasks router is answered, and never by an internal error."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durable_execution.orpc import (
    UNDEFINED,
    BigInt,
    EncodeError,
    EventStream,
    JsMap,
    JsSet,
    ORPCError,
)
from durable_execution.server import (
    AllowedOptions,
    RPCHandler,
    create_operators_router,
    create_tasks_router,
    rpc,
)
from tests.remote.lab import Lab, client_of

PROCEDURES = (
    "enqueueTask",
    "enqueueTasks",
    "getTaskExecution",
    "waitTaskExecution",
    "watchTaskExecution",
    "cancelTaskExecution",
    "listTaskExecutions",
    "wakeupSleepingTaskExecution",
    *("retryTaskExecution", "getTaskExecutionTree", "getExecutorStats", "pruneTaskExecutions"),
)
FIELDS = (
    *("taskId", "executionId", "input", "options", "tasks", "timeoutMs", "retryOptions"),
    *("idempotencyKey", "tags", "sleepMsBeforeRun", "maxAttempts", "baseDelayMs", "taskIds"),
    *("statuses", "createdFrom", "finishedBefore", "parentExecutionId", "rootExecutionId"),
    *("latelyMs", "olderThanMs"),
    *("isRoot", "order", "cursor", "limit", "sleepingTaskUniqueId", "status", "error", "output"),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            [
                *("echo", "describe", "approval", "te_1", "completed", "newest_first", "\x00"),
                *(UNDEFINED, BigInt(1), BigInt(10**30), JsSet(["a"]), JsMap([("a", "b")])),
                *(datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00Z", "\ud800"),
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    ),
    max_leaves=12,
)
CALLS = st.one_of(VALUES, st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)).map(
    lambda value: {"taskId": "echo", "timeoutMs": 1, **value} if isinstance(value, dict) else value
)


@pytest.mark.parametrize("procedure", PROCEDURES)
@given(value=CALLS, after=st.none() | st.text("0123456789.-+ x", max_size=30))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_call_is_answered_or_refused(
    procedure: str, value: object, after: str | None, lab: Lab
) -> None:
    allowed = AllowedOptions(tags=True)
    router = create_tasks_router(rpc, lab.executor, lab.tasks, allow_options=allowed)
    operators = create_operators_router(rpc, lab.executor, lab.tasks)
    client = client_of(RPCHandler({**router, **operators}, prefix="/rpc"))
    status = 200
    try:
        async with asyncio.timeout(30):
            answer: Any = await client[procedure](value, last_event_id=after)
            if isinstance(answer, EventStream):
                await answer.aclose()
    except ORPCError as error:
        status = error.status
    except EncodeError:
        pass  # nothing was sent
    assert status in {200, 400, 404, 409}
