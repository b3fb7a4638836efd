"""An application for tests of commands: written into a folder, and run by real processes."""

from __future__ import annotations

APPLICATION = """
import asyncio
import os
import time
from pathlib import Path

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    ParentTaskResult,
    TaskContext,
    child_task,
    open_storage,
)
from durable_execution.access import Access, BearerToken, BearerTokens, FULL_ACCESS
from durable_execution.server import (
    RPCHandler,
    create_executor_app,
    create_operators_router,
    create_tasks_router,
    rpc,
)

executor = DurableExecutor(
    open_storage(os.environ["SHOP_DATABASE"]), ExecutorOptions(lease=2, shutdown_timeout=20)
)


@executor.task
async def charge(ctx: TaskContext, cents: int) -> str:
    if cents > 100 and not Path("funded").exists():
        raise DurableExecutionError(f"{cents} cents were \\x1b[31mrefused [bold]now[/bold]")
    for step in range(1, 3):
        ctx.progress(step / 2, f"step {step}")
    return f"paid {cents}"


@executor.task
async def work(ctx: TaskContext, seconds: float) -> int:
    Path(f"began-{os.getpid()}").touch()
    await asyncio.sleep(seconds)
    return os.getpid()


@executor.task
async def hang(ctx: TaskContext) -> int:
    # The first time, hold the event loop for good.
    if not Path("has-hung").exists():
        Path("has-hung").touch()
        time.sleep(3600)
    return os.getpid()


async def total(ctx: TaskContext, batch: ParentTaskResult[None]) -> int:
    if len(batch.outputs_of(charge)) < len(batch.children):
        raise DurableExecutionError("not all are paid")
    return len(batch.children)


@executor.parent_task(finalize=total)
async def order(ctx: TaskContext, amounts: list[int]) -> ParentTaskOutput[None]:
    return ParentTaskOutput(None, [child_task(charge, cents) for cents in amounts])


bell = executor.sleeping_task("bell", timeout=600, output=str)

tasks = {"charge": charge, "work": work, "order": order, "bell": bell}
tasks_router = create_tasks_router(rpc, executor, tasks)
operators_router = create_operators_router(rpc, executor, tasks)
callers = Access(tasks="*", procedures={"*Task", "*TaskExecution*", "get*"})
stoppers = Access(tasks="*", procedures={"cancelTaskExecution"})
app = create_executor_app(
    executor,
    {"/rpc": RPCHandler({**tasks_router, **operators_router}), "/old": RPCHandler(tasks_router)},
    auth=BearerTokens(
        {
            "operator": BearerToken(["a" * 40], access=FULL_ACCESS),
            "caller": BearerToken(["c" * 40], access=callers),
            "stopper": BearerToken(["s" * 40], access=stoppers),
        }
    ),
)
nothing = DurableExecutor(open_storage("sqlite:///empty.db"))
in_memory = DurableExecutor(open_storage("memory://"))


@in_memory.task
async def lonely(ctx: TaskContext) -> None: ...
"""
TOKEN = "a" * 40
CALLER = "c" * 40
STOPPER = "s" * 40
