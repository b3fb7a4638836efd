"""Damaged requests at a locked server: what must never happen, whoever sends whatever."""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from starlette.responses import PlainTextResponse

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from durable_execution.access import Access, BearerToken, BearerTokens
from durable_execution.orpc import BatchHandlerPlugin, CORSPlugin, RPCHandler, rpc
from durable_execution.server import (
    RESTHandler,
    create_executor_app,
    create_operators_router,
    create_tasks_router,
)
from tests.orpc.fuzz.mutations import (
    Pairs,
    damaged_headers,
    damaged_json,
    damaged_text,
    pieces_of,
)
from tests.orpc.fuzz.serving import HANG, Complaints

LIMITED: Final = "a-token-for-the-open-task"
OTHER: Final = "a-token-that-was-taken-away"
KNOWN: Final = re.compile(rf"bearer +{re.escape(LIMITED)} *", re.IGNORECASE)

_TARGETS: Final = [
    "/rpc",
    "/api",
    "/api/../ui",
    "/rpc/",
    "/ui",
    "/",
    "//rpc/enqueueTask",
    "/rpc/../ui",
    "/%72pc/x",
    "*",
]
_METHODS: Final = ["POST", "GET", "HEAD", "OPTIONS", "PUT", "SEARCH", "post"]
_SCHEMES: Final = [
    "Bearer ",
    "bearer ",
    "BEARER  ",
    "Basic ",
    "Bearer",
    "Bearer\t",
    "",
    "Bearer x,",
]
_JSON: Final = ("content-type", "application/json")
_PREFLIGHT: Final = (
    ("origin", "https://app.example"),
    ("access-control-request-method", "POST"),
)


@dataclass(frozen=True)
class Knock:
    """One request as an ASGI server would hand it on."""

    method: str
    target: str
    headers: Pairs
    pieces: list[bytes]
    hangs_up: bool

    @property
    def is_known(self) -> bool:
        """Whether its sender has the token: said here in words of its own."""
        given = [value for name, value in self.headers if name == "authorization"]
        # Case is of the scheme only.
        return len(given) == 1 and bool(KNOWN.fullmatch(given[0])) and LIMITED in given[0]


class House:
    """A server with a task that its one caller may use, and one that nobody may."""

    def __init__(self) -> None:
        self.storage = InMemoryStorage()
        self.executor = DurableExecutor(self.storage)
        self.ran: set[str] = set()

        @self.executor.task(id="open")
        async def open_task(ctx: TaskContext, input: object) -> None:
            self.ran.add("open")

        @self.executor.task(id="closed")
        async def closed_task(ctx: TaskContext, input: object) -> None:
            self.ran.add("closed")

        sleeper = self.executor.sleeping_task("sleeper")
        tasks = {"open": open_task, "closed": closed_task, "sleeper": sleeper}
        access = Access(
            tasks="open",
            procedures={
                *("enqueueTask", "enqueueTasks", "getTaskExecution", "cancelTaskExecution"),
                # Does not stand for what operators do.
                *("retry*", "*Tree", "*Stats", "prune*"),
            },
        )
        router = create_tasks_router(rpc, self.executor, tasks)
        operators = create_operators_router(rpc, self.executor, tasks)
        plugins = [CORSPlugin(), BatchHandlerPlugin()]
        handler = RPCHandler({**router, **operators}, plugins=plugins)
        self.app = create_executor_app(
            self.executor,
            {"/rpc": handler, "/api": RESTHandler(router), "/ui": PlainTextResponse("a page")},
            auth=BearerTokens({"web-app": BearerToken(LIMITED, access=access)}),
        )


def knock(dice: random.Random) -> Knock:
    """A request that would be answered, with a few things wrong, sometimes none."""
    method = "POST"
    kind = dice.random()
    if kind < 0.2:
        target, headers, body = _batch(dice)
    elif kind < 0.4:
        method, target, headers, body = _rest(dice)
    else:
        name, value = _call(dice)
        target, headers, body = f"/rpc/{name}", (_JSON,), json.dumps({"json": value}).encode()
    headers = (*headers, *_credentials(dice))
    for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
        match dice.randrange(7):
            case 0:
                method = dice.choice(_METHODS)
                headers = (*headers, *_PREFLIGHT) if method == "OPTIONS" else headers
            case 1:
                target = dice.choice(_TARGETS)
            case 2:
                changed = damaged_text(dice, target, _TARGETS)
                target = "/" + "".join(c for c in changed if "!" <= c <= "~").lstrip("/")
            case 3 | 4:
                headers = damaged_headers(dice, headers)
            case _:
                body = damaged_json(dice, body)
    headers = tuple(pair for pair in headers if pair[0] != "content-length")
    return Knock(method, target, headers, pieces_of(dice, body), hangs_up=dice.random() < 0.05)


def _call(dice: random.Random) -> tuple[str, dict[str, Any]]:
    key = dice.choice(("open", "open", "closed", "sleeper", "missing"))
    one = {"taskId": key, "input": dice.choice((1, None, {"a": [1]}))}
    named = {"taskId": key, "executionId": "te_1"}
    return dice.choice(
        (
            ("enqueueTask", one),
            ("enqueueTask", {**one, "options": {"timeoutMs": 5}}),
            ("enqueueTasks", {"tasks": [{"taskId": "open", "input": 1}, one]}),
            ("getTaskExecution", named),
            ("cancelTaskExecution", named),
            ("waitTaskExecution", {**named, "timeoutMs": 1}),
            ("listTaskExecutions", {"taskIds": [key]}),
            ("listTaskExecutions", {}),
            *((name, named) for name in ("retryTaskExecution", "getTaskExecutionTree")),
            ("getExecutorStats", {}),
            ("pruneTaskExecutions", {"olderThanMs": 0}),
            (
                "wakeupSleepingTaskExecution",
                {"taskId": key, "sleepingTaskUniqueId": "u", "options": {"status": "completed"}},
            ),
        )
    )


def _rest(dice: random.Random) -> tuple[str, str, Pairs, bytes]:
    key = dice.choice(("open", "open", "closed", "sleeper", "missing", "op%65n", "clos%65d"))
    tail = dice.choice(("", "", "/te_1", "/te_1?wait=0", "/te_1/cancel", "?limit=2"))
    target = f"/api/tasks/{key}/executions{tail}"
    return dice.choice(("POST", "GET")), target, (_JSON,), b'{"a": [1]}'


def _batch(dice: random.Random) -> tuple[str, Pairs, bytes]:
    calls = [_call(dice) for _ in range(dice.choice((1, 2, 3)))]
    items = [{"url": f"http://h/rpc/{name}", "body": {"json": value}} for name, value in calls]
    if dice.random() < 0.3:  # a call that says by itself who it is
        items[0]["headers"] = {"authorization": f"Bearer {dice.choice((LIMITED, OTHER))}"}
    mode = dice.choice(("streaming", "buffered"))
    return "/rpc/__batch__", (_JSON, ("x-orpc-batch", mode)), json.dumps(items).encode()


def _credentials(dice: random.Random) -> Pairs:
    wrong = (OTHER, LIMITED[:-1], LIMITED.upper(), "")
    token = LIMITED if dice.random() < 0.8 else dice.choice(wrong)
    value = (dice.choice(_SCHEMES) if dice.random() < 0.2 else "Bearer ") + token
    match dice.randrange(12):
        case 0:
            return ()
        case 1:
            return (("authorization", value), ("authorization", value))
        case 2:
            changed = damaged_text(dice, value, _SCHEMES)
            return (("authorization", "".join(c for c in changed if c not in "\r\n\0")),)
        case 3:
            return (("cookie", f"token={token}"), ("x-authorization", value))
        case _:
            return (("authorization", value),)


async def check_knock(house: House, request: Knock, complaints: Complaints) -> int:
    """Send it, and check what must hold for any request; gives the status, 0 for none.

    Raises:
        AssertionError: It does not hold.
    """
    complaints.records.clear()
    house.ran.clear()
    left, sent, read = list(request.pieces), [], 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        if left:
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}
        if not request.hangs_up:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = request.target.partition("?")
    scope = {
        "type": "http",
        "method": request.method,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "client": ("10.0.0.7", 5),
        "headers": [(n.encode(), v.encode("latin-1", "replace")) for n, v in request.headers],
    }
    async with asyncio.timeout(HANG):
        await house.app(scope, receive, send)
    assert complaints.records == [], complaints.records
    status: int = sent[0]["status"] if sent else 0
    assert status < 500, f"status {status}"
    assert sent or (request.hangs_up and request.is_known), "no answer"
    if not request.is_known and unquote(path) != "/healthz":
        is_preflight = request.method == "OPTIONS" and status == 204
        assert status == 401 or is_preflight, f"a stranger was answered {status}"
        assert read == 0, "the request of a stranger was read"
    body = b"".join(message.get("body", b"") for message in sent[1:])
    assert b"a page" not in body
    for told in (b'"crashCount"', b'"countedAtMost"', b'"isDone"'):
        assert told not in body, "somebody who is no operator was answered like one"
    assert b'"closed"' not in body or status >= 400 or b"FORBIDDEN" in body
    assert all(task == "open" for task in _rows(house)), "a task out of reach was reached"
    assert "closed" not in house.ran
    return status


def _rows(house: House) -> list[str]:
    """The tasks of all executions there are."""
    return [row.task_id for row in house.storage._shelf.rows()]
