from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durable_execution import InvalidOptionError
from durable_execution.orpc import ORPCClient
from durable_execution.server import AllowedOptions, RPCHandler, create_tasks_router, rpc
from tests.remote.lab import Lab, client_of
from tests.remote.refusals import paths_of, refusal_of


def client_allowing(lab: Lab, allowed: AllowedOptions) -> ORPCClient:
    router = create_tasks_router(rpc, lab.executor, lab.tasks, allow_options=allowed)
    return client_of(RPCHandler(router, prefix="/rpc"))


def call(**options: object) -> dict[str, Any]:
    return {"taskId": "echo", "input": 1, "options": options}


async def test_tags_are_refused_unless_the_server_allows_them(lab: Lab, client: ORPCClient) -> None:
    error = await refusal_of(client.enqueueTask(call(tags={"tenant": "acme"})))

    assert (error.code, error.status) == ("BAD_REQUEST", 400)
    assert error.message == "options.tags.tenant must be left out on this server"
    assert paths_of(error) == [["options", "tags", "tenant"]]
    assert lab.rows == 0


async def test_named_tags_are_allowed_and_stored_and_others_are_refused(lab: Lab) -> None:
    client = client_allowing(lab, AllowedOptions(tags={"tenant"}))

    execution_id = await client.enqueueTask(call(tags={"tenant": "acme"}))
    error = await refusal_of(client.enqueueTask(call(tags={"tenant": "acme", "role": "root"})))

    found = await lab.executor.search_task_executions(tags={"tenant": "acme"})
    assert [each.execution_id for each in found.executions] == [execution_id]
    assert paths_of(error) == [["options", "tags", "role"]]


async def test_any_tag_is_allowed_where_the_server_says_so(lab: Lab) -> None:
    client = client_allowing(lab, AllowedOptions(tags=True))

    await client.enqueueTask(call(tags={"anything": "goes"}))

    found = await lab.executor.search_task_executions(tags={"anything": "goes"})
    assert len(found.executions) == 1


BOUNDED = AllowedOptions(max_timeout=60, max_retries=2, max_sleep_before_run=timedelta(seconds=10))
NOTHING = AllowedOptions(max_timeout=None, max_retries=None, max_sleep_before_run=None)


@pytest.mark.parametrize(
    ("allowed", "options", "path"),
    [
        (BOUNDED, {"timeoutMs": 60_001}, ["options", "timeoutMs"]),
        (BOUNDED, {"sleepMsBeforeRun": 10_001}, ["options", "sleepMsBeforeRun"]),
        (
            BOUNDED,
            {"retryOptions": {"maxAttempts": 3}},
            ["options", "retryOptions", "maxAttempts"],
        ),
        (NOTHING, {"timeoutMs": 1}, ["options", "timeoutMs"]),
        (NOTHING, {"sleepMsBeforeRun": 0}, ["options", "sleepMsBeforeRun"]),
        (NOTHING, {"retryOptions": {"maxAttempts": 0}}, ["options", "retryOptions"]),
    ],
)
async def test_option_beyond_what_is_allowed_is_refused_with_its_path(
    allowed: AllowedOptions, options: dict[str, Any], path: list[str], lab: Lab
) -> None:
    error = await refusal_of(client_allowing(lab, allowed).enqueueTask(call(**options)))

    assert (error.status, paths_of(error)) == (400, [path])
    assert lab.rows == 0


async def test_options_up_to_the_bounds_are_taken(lab: Lab) -> None:
    client = client_allowing(lab, BOUNDED)
    options = {
        "timeoutMs": 60_000,
        "sleepMsBeforeRun": 10_000,
        "retryOptions": {"maxAttempts": 2},
    }

    execution_id = await client.enqueueTask(call(**options))

    view = await client.getTaskExecution({"taskId": "echo", "executionId": execution_id})
    assert (view["timeoutMs"], view["sleepMsBeforeRun"]) == (60_000, 10_000)
    assert view["retryOptions"]["maxAttempts"] == 2


async def test_idempotency_key_is_allowed_where_nothing_else_is(lab: Lab) -> None:
    client = client_allowing(lab, NOTHING)

    first = await client.enqueueTask(call(idempotencyKey="order 1"))
    second = await client.enqueueTask(call(idempotencyKey="order 1"))

    assert first == second
    assert lab.rows == 1


@pytest.mark.parametrize(
    "bounds",
    [
        {"max_timeout": 0},
        {"max_retries": 1001},
        {"max_retries": True},
        {"max_sleep_before_run": -1},
        {"tags": "tenant"},
        {"tags": 7},
    ],
    ids=str,
)
def test_bound_out_of_bounds_is_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match=next(iter(bounds))):
        AllowedOptions(**bounds)
