"""The tasks of an executor over plain HTTP and JSON, in process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from durable_execution.orpc import BigInt, JsMap, JsSet
from durable_execution.server import (
    AllowedOptions,
    CallContext,
    Next,
    ORPCError,
    RESTHandler,
    create_tasks_router,
    rpc,
)
from tests.orpc._server.driver import Answer, ask

JSON = ("content-type", "application/json")


@dataclass
class Email:
    to: str
    at: datetime
    copies: set[str] = field(default_factory=set)


@dataclass
class Rich:
    big: BigInt
    seen: JsSet[int]
    stock: JsMap[str, int]
    counts: dict[int, str]
    total: int
    picture: bytes


class Desk:
    """A door, and what is behind it."""

    def __init__(self) -> None:
        self.executor = DurableExecutor(InMemoryStorage())
        self.gate = asyncio.Event()
        self.calls = 0
        self.router = create_tasks_router(
            rpc.use(self._count),
            self.executor,
            self._define(),
            allow_options=AllowedOptions(tags=True),
        )
        self.door = RESTHandler(self.router, max_body_size=100_000)

    async def _count(self, ctx: CallContext, input: object, proceed: Next) -> object:
        self.calls += 1
        if ctx.headers.get("authorization") == "nobody":
            raise ORPCError("UNAUTHORIZED", "Who are you?")
        return await proceed()

    def _define(self) -> dict[str, Any]:
        executor = self.executor

        @executor.task
        async def send(ctx: TaskContext, email: Email) -> Email:
            assert isinstance(email.at, datetime)
            assert isinstance(email.copies, set)
            return email

        @executor.task
        async def enrich(ctx: TaskContext, rich: Rich) -> Rich:
            assert isinstance(rich.big, BigInt)
            assert isinstance(rich.stock, JsMap)
            return rich

        @executor.task
        async def echo(ctx: TaskContext, value: object) -> object:
            return value

        @executor.task
        async def held(ctx: TaskContext) -> str:
            await self.gate.wait()
            return "let go"

        return {
            "send": send,
            "enrich": enrich,
            "echo": echo,
            "held": held,
            "a/b c": echo,
            "approval": executor.sleeping_task("approval", output=Email),
        }

    async def post(self, path: str, body: Any = None, *headers: tuple[str, str]) -> Answer:
        text = b"" if body is None else json.dumps(body)
        return await ask(self.door, path, text, headers=(JSON, *headers))

    async def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
        return await ask(self.door, path, b"", method=method, headers=headers)

    async def enqueue(self, task: str, input: object) -> str:
        answer = await self.post(f"/tasks/{task}/executions", {"input": input})
        assert answer.status == 201, answer.body
        execution_id: str = answer.json()["executionId"]
        return execution_id

    async def finished(self, task: str, execution_id: str) -> dict[str, Any]:
        answer = await self.get(f"/tasks/{task}/executions/{execution_id}?wait=20")
        assert answer.status == 200, answer.body
        execution: dict[str, Any] = answer.json()
        return execution


def problem_of(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    return problem
