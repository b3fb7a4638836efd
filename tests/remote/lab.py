"""An executor server in this process: real executor, router, link and codec, no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from durable_execution import (
    Done,
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    SleepingTask,
    Task,
    TaskContext,
    child_task,
)
from durable_execution.orpc import AsgiSender, ORPCClient, RPCLink, create_orpc_client
from durable_execution.server import RPCHandler, create_tasks_router, rpc


@dataclass
class Email:
    to: str
    send_at: datetime
    tags: set[str] = field(default_factory=set)


@dataclass
class Sent:
    message_id: str
    at: datetime
    sizes: dict[str, int]


class Lab:
    """The tasks of the server, and what drives them from outside."""

    def __init__(self, shutdown_timeout: float = 5) -> None:
        self.storage = InMemoryStorage()
        options = ExecutorOptions(shutdown_timeout=shutdown_timeout)
        self.executor = DurableExecutor(self.storage, options)
        self.gate = asyncio.Event()
        self.steps: asyncio.Queue[None] = asyncio.Queue()
        self.tasks = self._define(self.executor)

    def _define(self, executor: DurableExecutor) -> dict[str, Task]:
        @executor.task(id="send_email_v2")
        async def send_email(ctx: TaskContext, email: Email) -> Sent:
            return Sent(f"to {email.to}", email.send_at, dict.fromkeys(sorted(email.tags), 1))

        @executor.task
        async def echo(ctx: TaskContext, input: object) -> object:
            return input

        @executor.task
        async def describe(ctx: TaskContext, input: object) -> str:
            return repr(input)

        @executor.task
        async def held(ctx: TaskContext) -> str:
            await self.gate.wait()
            return "let go"

        @executor.task
        async def broken(ctx: TaskContext) -> None:
            raise LookupError("nothing there")

        @executor.task
        async def stepping(ctx: TaskContext, steps: int) -> str:
            for step in range(1, steps + 1):
                ctx.progress(step / steps, f"step {step}")
                await self.steps.get()
            return "done"

        @executor.task
        async def paced(ctx: TaskContext, steps: int) -> int:
            for step in range(1, steps + 1):
                ctx.progress(step / steps, f"step {step}")
                await asyncio.sleep(0.2)  # for watchers that cannot say when they have seen it
            return steps

        self.send_email = send_email
        self.held = held
        self.approval: SleepingTask[int] = executor.sleeping_task("approval", output=int)
        return {
            "sendEmail": send_email,
            "mail": send_email,
            "echo": echo,
            "describe": describe,
            "held": held,
            "broken": broken,
            "stepping": stepping,
            "paced": paced,
            "approval": self.approval,
            **self._define_parents(executor, echo),
        }

    def _define_parents(self, executor: DurableExecutor, echo: Task) -> dict[str, Task]:
        def count(ctx: TaskContext, result: ParentTaskResult[str]) -> int:
            return len(result.children)

        @executor.parent_task(finalize=count)
        async def family(ctx: TaskContext, size: int) -> ParentTaskOutput[str]:
            return ParentTaskOutput("ran", [child_task(echo, n) for n in range(size)])

        async def refuse(ctx: TaskContext, result: ParentTaskResult[str]) -> int:
            raise LookupError("not these children")

        @executor.parent_task(finalize=refuse)
        async def orphanage(ctx: TaskContext) -> ParentTaskOutput[str]:
            return ParentTaskOutput("ran", [child_task(echo, 1)])

        @executor.task
        async def turn(ctx: TaskContext, input: int) -> Done[int] | NotDone:
            return Done(input)

        loop = executor.looping_task("loop", turn, 3)
        return {"family": family, "orphanage": orphanage, "loop": loop}

    @property
    def rows(self) -> int:
        """How many executions are stored."""
        return len(msgspec.msgpack.decode(self.storage.save())["records"])

    def client(self) -> ORPCClient:
        router = create_tasks_router(rpc, self.executor, self.tasks)
        return client_of(RPCHandler(router, prefix="/rpc"))


def client_of(app: Any, **options: Any) -> ORPCClient:
    return create_orpc_client(RPCLink("http://lab/rpc", sender=AsgiSender(app), **options))


@asynccontextmanager
async def started_lab() -> AsyncIterator[Lab]:
    lab = Lab()
    async with lab.executor:
        yield lab
        lab.gate.set()
