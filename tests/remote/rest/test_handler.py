"""The tasks of an executor over plain HTTP and JSON, in process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution.server import Access, BearerToken, BearerTokens, Guard
from tests.orpc._server.driver import Answer, Connection, ask, scope_of
from tests.remote.rest.lab import JSON, Desk, problem_of


async def test_task_is_enqueued_waited_for_and_looked_at(desk: Desk) -> None:
    email = {"to": "ada", "at": "2024-02-29T12:34:56.789Z", "copies": ["b", "b"]}
    made = await desk.post("/tasks/send/executions", {"input": email})

    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    execution_id = made.json()["executionId"]
    assert made.headers["location"] == f"/tasks/send/executions/{execution_id}"
    execution = await desk.finished("send", execution_id)
    assert execution["status"] == "completed"
    assert execution["input"] == email
    assert execution["output"] == email | {"copies": ["b"]}
    finished_at = datetime.fromisoformat(execution["finishedAt"])
    assert abs(datetime.now(UTC) - finished_at).total_seconds() < 60
    assert (await desk.get(f"/tasks/send/executions/{execution_id}")).json() == execution


async def test_values_of_javascript_go_as_plain_json(desk: Desk) -> None:
    rich = {
        "big": 2**80,
        "seen": [1, 2],
        "stock": {"a": 1},
        "counts": {"1": "one"},
        "total": -(2**63),
        "picture": "aGk=",
    }
    execution = await desk.finished("enrich", await desk.enqueue("enrich", rich))

    assert execution["output"] == rich


@pytest.mark.parametrize(
    "value", [None, [], {}, "", 0, 1.5, True, [None], {"json": 1, "meta": [[1]]}, 2**200]
)
async def test_plain_values_come_back_as_they_were(desk: Desk, value: object) -> None:
    execution = await desk.finished("echo", await desk.enqueue("echo", value))

    assert execution["output"] == execution["input"] == value
    assert type(execution["output"]) is type(value)


async def test_input_may_be_left_out(desk: Desk) -> None:
    made = await desk.post("/tasks/held/executions", {})
    desk.gate.set()

    execution = await desk.finished("held", made.json()["executionId"])
    assert (execution["output"], "input" in execution) == ("let go", False)


async def test_key_with_a_slash_is_one_part_of_the_path(desk: Desk) -> None:
    made = await desk.post("/tasks/a%2Fb%20c/executions", {"input": 1})

    execution_id = made.json()["executionId"]
    assert made.headers["location"] == f"/tasks/a%2Fb%20c/executions/{execution_id}"
    assert (await desk.get(made.headers["location"])).status == 200


async def test_mounted_door_tells_where_the_execution_is(desk: Desk) -> None:
    made = await ask(
        desk.door,
        "/a%20pi/tasks/echo/executions",
        '{"input": 1}',
        headers=(JSON,),
        root_path="/a pi",
    )

    execution_id = made.json()["executionId"]
    assert made.headers["location"] == f"/a%20pi/tasks/echo/executions/{execution_id}"


@pytest.mark.parametrize("key", ["order-7", '"order-7"'])
async def test_key_in_the_header_makes_one_execution(desk: Desk, key: str) -> None:
    path = "/tasks/echo/executions"
    first = await desk.post(path, {"input": 1}, ("idempotency-key", "order-7"))
    again = await desk.post(path, {"input": 1}, ("idempotency-key", key))
    by_option = await desk.post(path, {"input": 1, "options": {"idempotencyKey": "order-7"}})

    assert first.json() == again.json() == by_option.json()
    other = await desk.post(path, {"input": 2}, ("idempotency-key", key))
    problem = problem_of(other, 409, "CONFLICT")
    assert problem["executionId"] == first.json()["executionId"]
    assert problem["idempotencyKey"] == "order-7"


@pytest.mark.parametrize("options", [False, 0, "", [], 7])
async def test_options_beside_a_key_are_an_object(desk: Desk, options: object) -> None:
    body = {"input": 1, "options": options}
    answer = await desk.post("/tasks/echo/executions", body, ("idempotency-key", "b"))

    assert problem_of(answer, 400, "BAD_REQUEST")["errors"] == [
        {"detail": "expected an object", "pointer": "#/options"}
    ]


async def test_key_has_one_place(desk: Desk) -> None:
    body = {"input": 1, "options": {"idempotencyKey": "a"}}
    answer = await desk.post("/tasks/echo/executions", body, ("idempotency-key", "b"))

    assert problem_of(answer, 400, "BAD_REQUEST")["errors"] == [
        {"detail": "was given in the options, too", "header": "Idempotency-Key"}
    ]
    assert desk.calls == 0


async def test_many_are_enqueued_at_once_or_none(desk: Desk) -> None:
    tasks = [{"taskId": "echo", "input": each} for each in (1, 2)]
    made = await desk.post("/executions", {"tasks": tasks})
    outputs = [
        (await desk.finished("echo", each))["output"] for each in made.json()["executionIds"]
    ]
    refused = await desk.post("/executions", {"tasks": [*tasks, {"taskId": "send", "input": {}}]})

    assert (made.status, outputs) == (201, [1, 2])
    errors = problem_of(refused, 400, "BAD_REQUEST")["errors"]
    assert errors[0]["pointer"] == "#/tasks/2/input"
    assert len((await desk.get("/executions")).json()["executions"]) == 2


async def test_wait_ends_at_its_deadline_with_what_there_is(desk: Desk) -> None:
    execution_id = await desk.enqueue("held", None)
    answer = await desk.get(f"/tasks/held/executions/{execution_id}?wait=0.05")

    assert (answer.status, answer.json()["status"]) == (200, "running")


async def test_execution_is_cancelled(desk: Desk) -> None:
    execution_id = await desk.enqueue("held", None)
    path = f"/tasks/held/executions/{execution_id}/cancel"
    cancelled, again = await desk.post(path), await desk.post(path)

    assert (cancelled.status, cancelled.json()["status"]) == (200, "cancelled")
    assert again.json() == cancelled.json()


async def test_sleeper_is_woken_up(desk: Desk) -> None:
    await desk.enqueue("approval", "order 7")
    output = {"to": "ada", "at": "2024-02-29T12:34:56Z"}
    body = {"sleepingTaskUniqueId": "order 7", "status": "completed", "output": output}
    misfit = await desk.post("/tasks/approval/wakeup", {**body, "output": {"to": 1}})
    woken = await desk.post("/tasks/approval/wakeup", body)

    errors = problem_of(misfit, 400, "BAD_REQUEST")["errors"]
    assert errors[0]["pointer"].startswith("#/output")
    assert (woken.status, woken.json()["output"]) == (200, output)


async def test_list_filters_and_goes_on_at_its_cursor(desk: Desk) -> None:
    ids = []
    for number in range(3):
        body = {"input": number, "options": {"tags": {"lot": "a:b", "odd": str(number % 2)}}}
        ids.append((await desk.post("/tasks/echo/executions", body)).json()["executionId"])
        await desk.finished("echo", ids[-1])
    await desk.enqueue("held", None)
    path = "/tasks/echo/executions?tag=lot:a:b&status=completed&status=failed&order=oldest_first"
    first = (await desk.get(f"{path}&limit=2")).json()
    rest = (await desk.get(f"{path}&limit=2&cursor={first['nextCursor']}")).json()

    # By their ids: those of one millisecond have no other order.
    listed = {each["executionId"]: each for each in first["executions"] + rest["executions"]}
    assert list(listed) == sorted(ids)
    assert "nextCursor" not in rest
    assert listed[ids[0]]["tags"] == {"lot": "a:b", "odd": "0"}
    odd = (await desk.get("/executions?taskId=echo&tag=odd:1&isRoot=true")).json()
    assert [each["executionId"] for each in odd["executions"]] == [ids[1]]
    later = (await desk.get("/executions?createdFrom=2200-01-01T00:00:00Z")).json()
    assert later == {"executions": []}


async def test_head_has_the_head_of_get_and_no_body(desk: Desk) -> None:
    execution_id = await desk.enqueue("echo", 1)
    await desk.finished("echo", execution_id)
    path = f"/tasks/echo/executions/{execution_id}"
    got, head = await desk.get(path), await desk.get(path, method="HEAD")

    assert (head.status, head.pairs, head.body) == (200, got.pairs, b"")


async def test_middlewares_of_the_router_guard_this_door_too(desk: Desk) -> None:
    answer = await desk.get("/executions", ("authorization", "nobody"))

    assert problem_of(answer, 401, "UNAUTHORIZED")["detail"] == "Who are you?"


async def test_headers_of_orpc_mean_nothing_here(desk: Desk) -> None:
    answer = await desk.get("/executions", ("x-orpc-batch", "streaming"), ("last-event-id", "7"))

    assert answer.json() == {"executions": []}


async def test_scopes_hold_at_this_door(desk: Desk) -> None:
    access = Access(tasks={"echo"}, procedures={"enqueueTask", "getTaskExecution"})
    tokens = BearerTokens({"app": BearerToken("secret-of-sufficient-length-1", access=access)})
    door = Guard(desk.door, auth=tokens)
    token = ("authorization", "Bearer secret-of-sufficient-length-1")

    async def post(path: str, *headers: tuple[str, str]) -> Answer:
        return await ask(door, path, '{"input": 1}', headers=(JSON, *headers))

    problem_of(await post("/tasks/echo/executions"), 401, "UNAUTHORIZED")
    problem_of(await post("/tasks/send/executions", token), 403, "FORBIDDEN")
    problem_of(await post("/tasks/echo/executions/te_1/cancel", token), 403, "FORBIDDEN")
    assert (await post("/tasks/echo/executions", token)).status == 201


async def test_executor_that_does_not_run_is_told() -> None:
    desk = Desk()

    problem_of(await desk.post("/tasks/echo/executions", {"input": 1}), 503, "SERVICE_UNAVAILABLE")


async def test_caller_that_leaves_ends_its_wait(desk: Desk) -> None:
    execution_id = await desk.enqueue("held", None)
    connection = Connection()
    target = f"/tasks/held/executions/{execution_id}?wait=60"
    waiting = asyncio.create_task(
        desk.door(scope_of("GET", target), connection.receive, connection.send)
    )
    await asyncio.sleep(0.1)  # until it waits; a shorter time would only make this test easier
    connection.hang_up.set()

    await asyncio.wait_for(waiting, timeout=10)
    assert connection.sent == []


async def test_caller_that_leaves_before_its_body_ends_enqueues_nothing(desk: Desk) -> None:
    messages = [{"type": "http.request", "body": b'{"in', "more_body": True}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await desk.door(scope_of("POST", "/tasks/echo/executions", (JSON,)), receive, send)
    assert sent == []
    assert desk.calls == 0
