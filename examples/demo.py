"""Tasks that outlive their server: enqueue some, kill the server while it works, watch them end.

    make demo

Starts the executor server and the web app of this folder as processes of their own, in a temporary
folder and on free ports, and leaves nothing behind. Exits 0 when everything ended as it should.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from durable_execution.client import (
    DurableExecutionError,
    RPCLink,
    TaskClientHandle,
    create_orpc_client,
    create_task_client_handles,
)
from examples import contract
from examples.contract import Batch, BatchSummary, Email, Order, Payment
from examples.server_process import ServerProcess
from examples.timeline import Timeline

TIME_LIMIT: Final = 60
LEASE: Final = 2
ITEMS: Final = ("anvil", "bellows", "crucible")

EMAIL: Final = contract.send_email.id
ECHO: Final = contract.echo.id
WEBHOOK: Final = contract.wait_for_webhook.id
BATCH: Final = contract.process_batch.id
ORDER: Final = contract.process_order.id


class Story:
    """What the demo does, and the executions that it follows meanwhile."""

    def __init__(self, timeline: Timeline, link: RPCLink, followers: asyncio.TaskGroup) -> None:
        self._timeline = timeline
        self._handles = create_task_client_handles(create_orpc_client(link), contract.TASKS)
        self._followers = followers
        self._outputs: dict[str, object] = {}

    async def tell(self, server: ServerProcess) -> None:
        """Enqueue one of each, kill the server and start it again, wake the sleeper."""
        seen, say = self._timeline, self._timeline.say
        await self._enqueue(EMAIL, Email("ada@example.com", "Welcome", "Thanks for signing up!"))
        await self._enqueue(ECHO, {"any": ["value", 2**70, None]})
        await self._enqueue(WEBHOOK, "order-7")
        await self._enqueue(BATCH, Batch(items=list(ITEMS)))
        await seen.until(lambda: seen.executors.keys() >= set(ITEMS))
        await self._enqueue(ORDER, Order(order_id="order-7", amount=129.5))
        await seen.until(lambda: ORDER in seen.retried)

        await server.end(signal.SIGKILL)
        say("executor server", "killed with SIGKILL, in the middle of its work", "bold red")
        await asyncio.sleep(1)  # For the eye: nothing moves while nobody is there.
        say("executor server", f"started again: {await server.start()}", "bold green")

        say(WEBHOOK, "to be woken by its id, as a webhook would do", "cyan")
        payment = Payment(provider="bank", amount=129.5)
        await self._handles[contract.wait_for_webhook].wakeup("order-7", output=payment)

    def flaws(self) -> list[str]:
        """Return what did not end as it should, once all has ended."""
        checks = {
            **{f"{who} did not complete": out is not None for who, out in self._outputs.items()},
            "the batch did not count every item": self._outputs[BATCH] == BatchSummary(3, 3),
            "the order was not tried again": ORDER in self._timeline.retried,
            **{
                f"{item} was not recovered": len(self._timeline.executors[item]) > 1
                for item in ITEMS
            },
        }
        return [flaw for flaw, is_well in checks.items() if not is_well]

    async def _enqueue(self, key: str, value: object) -> None:
        handle = self._handles[key]
        execution_id = await handle.enqueue(value)
        self._timeline.say(key, f"enqueued as {execution_id}")
        self._follow(key, handle, execution_id)

    def _follow(self, label: str, handle: TaskClientHandle[Any, Any], execution_id: str) -> None:
        self._outputs[label] = None
        self._followers.create_task(self._watch(label, handle, execution_id))

    async def _watch(
        self, label: str, handle: TaskClientHandle[Any, Any], execution_id: str
    ) -> None:
        """Look at an execution until it has finished, and at its children from when it has some."""
        is_parent = False
        while True:
            try:
                execution = await handle.get_execution(execution_id)
            except DurableExecutionError as error:
                if not error.is_retryable:  # It is while the server is away.
                    raise
                await asyncio.sleep(0.05)
                continue
            self._timeline.see(label, execution)
            if execution.status == "waiting_for_children" and not is_parent:
                is_parent = True
                for item, child in zip(ITEMS, execution.children, strict=True):
                    self._follow(item, self._handles[child.task_id], child.execution_id)
            if execution.status == "completed":
                self._outputs[label] = execution.output
            if hasattr(execution, "finished_at"):
                return
            await asyncio.sleep(0.05)


async def show(folder: Path, timeline: Timeline) -> list[str]:
    """Run the servers and the story; return what went wrong."""
    async with AsyncExitStack() as stack:
        web_app = ServerProcess("examples.web_app:app", folder / "web_app.log")
        stack.push_async_callback(web_app.end, signal.SIGTERM)
        timeline.say("web app", f"started: {await web_app.start()}", "bold green")

        server = ServerProcess(
            "examples.executor_server:app",
            folder / "executor_server.log",
            DATABASE_URL=f"sqlite:///{folder}/tasks.db",
            APP_URL=f"{web_app.origin}/rpc",
            LEASE=str(LEASE),
        )
        stack.push_async_callback(server.end, signal.SIGTERM)
        timeline.say("executor server", f"started: {await server.start()}", "bold green")

        link = await stack.enter_async_context(RPCLink(f"{server.origin}/rpc"))
        try:
            async with asyncio.timeout(TIME_LIMIT), asyncio.TaskGroup() as followers:
                story = Story(timeline, link, followers)
                await story.tell(server)
        except (TimeoutError, ExceptionGroup) as error:
            return [f"did not get to its end: {error!r}", server.log()]
        flaws = story.flaws()
        if await server.end(signal.SIGTERM) != 0:
            flaws.append("the executor server did not shut down in order")
        return flaws


def main() -> int:
    """Run the demo; return its exit status."""
    timeline = Timeline()
    with tempfile.TemporaryDirectory(prefix="durable-execution-demo-") as folder:
        flaws = asyncio.run(show(Path(folder), timeline))
    for flaw in flaws:
        timeline.say("demo", flaw, "bold red")
    if not flaws:
        timeline.say("demo", "all that was enqueued has ended, as it should", "bold green")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
