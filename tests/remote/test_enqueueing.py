from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import UNDEFINED, ORPCClient
from tests.remote.lab import Lab
from tests.remote.refusals import paths_of, refusal_of


def call(input: object = 1, **options: object) -> dict[str, Any]:
    return {"taskId": "echo", "input": input, "options": options}


async def test_same_key_and_input_is_one_execution(lab: Lab, client: ORPCClient) -> None:
    ids = [await client.enqueueTask(call(idempotencyKey="order 1")) for _ in range(3)]

    assert len(set(ids)) == 1
    assert lab.rows == 1


async def test_same_key_with_another_input_is_a_conflict_that_names_the_execution(
    lab: Lab, client: ORPCClient
) -> None:
    execution_id = await client.enqueueTask(call(1, idempotencyKey="order 1"))

    error = await refusal_of(client.enqueueTask(call(2, idempotencyKey="order 1")))

    assert (error.code, error.status) == ("CONFLICT", 409)
    assert error.data == {
        "taskId": "echo",
        "idempotencyKey": "order 1",
        "executionId": execution_id,
    }
    assert lab.rows == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x00b", "\ud800", 7, [], UNDEFINED], ids=repr)
async def test_unusable_key_is_refused_with_its_path(
    key: object, lab: Lab, client: ORPCClient
) -> None:
    if key is UNDEFINED:  # which is no key at all
        await client.enqueueTask(call(idempotencyKey=key))
        return

    error = await refusal_of(client.enqueueTask(call(idempotencyKey=key)))

    assert (error.status, paths_of(error)) == (400, [["options", "idempotencyKey"]])
    assert lab.rows == 0


@pytest.mark.parametrize(
    "tags",
    [{"a b": "1"}, {"a": 1}, {"a": "x" * 256}, {str(n): "" for n in range(17)}, [], "a"],
    ids=lambda tags: str(tags)[:20],
)
async def test_unusable_tags_are_refused_with_their_path(
    tags: object, lab: Lab, client: ORPCClient
) -> None:
    error = await refusal_of(client.enqueueTask(call(tags=tags)))

    assert (error.status, error.message) == (400, "Input validation failed")
    assert [path[:2] for path in paths_of(error)] == [["options", "tags"]]
    assert lab.rows == 0
