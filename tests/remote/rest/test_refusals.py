"""What the door of plain HTTP refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from durable_execution import DurableExecutor, InMemoryStorage
from durable_execution.server import CallContext, Next, RESTHandler, create_tasks_router, rpc
from tests.orpc._server.driver import Connection, ask, scope_of
from tests.remote.rest.lab import JSON, Desk, problem_of


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("limit=0", "limit", "expected int >= 1"),
        ("limit=ten", "limit", "expected a whole number"),
        ("limit=1&limit=2", "limit", "was given more than once"),
        ("isRoot=1", "isRoot", "expected true or false"),
        ("status=done", "status", "invalid enum value 'done'"),
        ("tag=lot", "tag", "expected name:value"),
        ("tag=a:1&tag=a:2", "tag", "has two values for 'a'"),
        ("tag=a%20b:1", "tag", None),
        ("createdFrom=today", "createdFrom", "invalid RFC3339 encoded datetime"),
        ("createdFrom=2024-01-01T00:00:00", "createdFrom", None),
        ("order=random", "order", "invalid enum value 'random'"),
    ],
)
async def test_wrong_filter_is_named(
    desk: Desk, query: str, parameter: str, detail: str | None
) -> None:
    answer = await desk.get(f"/tasks/echo/executions?{query}")

    (error,) = problem_of(answer, 400, "BAD_REQUEST")["errors"]
    assert error["parameter"] == parameter
    assert detail is None or error["detail"] == detail


async def test_wrong_cursor_is_told(desk: Desk) -> None:
    problem = problem_of(await desk.get("/executions?cursor=mine"), 400, "BAD_REQUEST")

    assert "cursor" in problem["detail"]


@pytest.mark.parametrize(
    "wait", ["-1", "61", "1e9", "1e999", "", "soon", "1&wait=1", "60.0001", "nan"]
)
async def test_wait_is_a_bounded_number_of_seconds(desk: Desk, wait: str) -> None:
    answer = await desk.get(f"/tasks/echo/executions/te_1?wait={wait}")

    (error,) = problem_of(answer, 400, "BAD_REQUEST")["errors"]
    assert error["parameter"] == "wait"


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"input": {"to": 7, "at": "2024-01-01T00:00:00Z"}}, "#/input/to", "expected str, got int"),
        ({"input": {"to": "a", "at": "today"}}, "#/input/at", "invalid RFC3339 encoded datetime"),
        ({}, "#/input", None),
        ([], "#", "expected an object"),
        ({"input": {}, "options": 7}, "#/options", None),
        ({"input": 1, "options": {"timeoutMs": "1"}}, "#/options/timeoutMs", None),
        ({"input": {"__proto__": 1}}, "#/input", None),
    ],
)
async def test_wrong_body_is_named_by_a_pointer(
    desk: Desk, body: object, pointer: str, detail: str | None
) -> None:
    answer = await desk.post("/tasks/send/executions", body)

    (error,) = problem_of(answer, 400, "BAD_REQUEST")["errors"]
    assert error["pointer"] == pointer
    assert detail is None or error["detail"] == detail
    assert (await desk.get("/executions")).json() == {"executions": []}


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "not JSON"),
        ('{"input": 1', "not JSON"),
        ('{"input": NaN}', "not JSON: NaN is not a JSON number"),
        ('{"input": 1e999}', "infinity would arrive as null"),
        ('{"input": ' + "9" * 5000 + "}", "not JSON"),
        ('{"input": ' + "[" * 400 + "]" * 400 + "}", "nested deeper than"),
    ],
)
async def test_body_that_is_not_json_is_refused(desk: Desk, text: str, detail: str) -> None:
    answer = await ask(desk.door, "/tasks/echo/executions", text, headers=(JSON,))

    (error,) = problem_of(answer, 400, "BAD_REQUEST")["errors"]
    assert detail in error["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "text/plain")],
        [("content-type", "application/x-www-form-urlencoded")],
        [JSON, ("content-encoding", "gzip")],
    ],
)
async def test_body_of_another_type_is_refused(
    desk: Desk, headers: Iterable[tuple[str, str]]
) -> None:
    answer = await ask(desk.door, "/tasks/echo/executions", '{"input": 1}', headers=headers)

    problem_of(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert desk.calls == 0


async def test_longer_body_is_not_read_to_its_end(desk: Desk) -> None:
    connection = Connection([b" " * 40_000] * 5)
    await desk.door(
        scope_of("POST", "/tasks/echo/executions", (JSON,)), connection.receive, connection.send
    )

    problem_of(connection.answer(), 413, "PAYLOAD_TOO_LARGE")
    assert connection.chunks_read == 3


async def test_body_of_many_large_integers_fits_when_it_fits(desk: Desk) -> None:
    numbers = [2**64] * 4_000
    execution = await desk.finished("echo", await desk.enqueue("echo", numbers))

    assert execution["output"] == numbers


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/tasks/nobody/executions/te_1", "Task nobody not found"),
        ("/tasks/echo/executions/te_1", "Task execution not found [executionId=te_1]"),
        ("/tasks/echo", "There is nothing at this path"),
        ("/", "There is nothing at this path"),
        ("/tasks//executions/te_1", "Task  not found"),
    ],
)
async def test_what_is_not_there_is_a_problem(desk: Desk, path: str, detail: str) -> None:
    assert problem_of(await desk.get(path), 404, "NOT_FOUND")["detail"] == detail


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tasks/echo/executions/te_1", "GET"),
        ("PUT", "/tasks/echo/executions", "GET, POST"),
        ("GET", "/tasks/echo/wakeup", "POST"),
        ("OPTIONS", "/executions", "GET, POST"),
    ],
)
async def test_other_methods_are_refused_with_those_there_are(
    desk: Desk, method: str, path: str, allowed: str
) -> None:
    answer = await desk.get(path, method=method)

    problem_of(answer, 405, "METHOD_NOT_SUPPORTED")
    assert answer.headers["allow"] == allowed


async def test_failure_of_the_server_is_masked_and_has_an_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(ctx: CallContext, input: object, proceed: Next) -> object:
        raise LookupError("password=hunter2")

    executor = DurableExecutor(InMemoryStorage())
    door = RESTHandler(create_tasks_router(rpc.use(broken), executor, {}))
    answer = await ask(door, "/executions", b"", method="GET", headers=())

    problem = problem_of(answer, 500, "INTERNAL_SERVER_ERROR")
    assert "hunter2" not in answer.body.decode()
    assert problem["detail"] == "Internal server error"
    assert answer.headers["x-error-id"] in str(caplog.records[-1].__dict__)


@pytest.mark.parametrize("size", [0, -1])
def test_bound_of_a_body_is_positive(size: int) -> None:
    with pytest.raises(ValueError, match="max_body_size: expected at least 1 byte"):
        RESTHandler({}, max_body_size=size)
