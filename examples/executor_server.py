"""An executor server: it owns the tasks, their state and their retries.

    durable-execution serve examples.executor_server:app

The dashboard is at `/ui`. `DATABASE_URL` says where executions are kept, `APP_URL` where the web
app has its procedures, and `LEASE` after how many seconds a dead server's work is taken over. Start
it twice on one database: both share the work.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    Task,
    TaskContext,
    child_task,
    open_storage,
)
from durable_execution.server import (
    RPCHandler,
    RPCLink,
    convert_procedure_client_to_task,
    create_dashboard,
    create_executor_app,
    create_orpc_client,
    create_tasks_router,
    rpc,
)
from examples import contract
from examples.contract import (
    Batch,
    BatchSummary,
    Email,
    Item,
    Order,
    Payment,
    ProcessedItem,
    Receipt,
    SentEmail,
)

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///durable-execution.db")
APP_URL = os.environ.get("APP_URL", "http://127.0.0.1:3001/rpc")
LEASE = float(os.environ.get("LEASE", "15"))

executor = DurableExecutor(open_storage(DATABASE_URL), ExecutorOptions(lease=LEASE))


@executor.implement(
    contract.send_email, timeout=30, retry=RetryOptions(max_retries=3, base_delay=1)
)
async def send_email(ctx: TaskContext, email: Email) -> SentEmail:
    # Send the email here. A crash may repeat an attempt, so let the mail provider tell repetitions
    # by the execution's id.
    return SentEmail(message_id=f"msg_{ctx.execution_id}")


@executor.implement(contract.process_item, timeout=60)
async def process_item(ctx: TaskContext, item: Item) -> ProcessedItem:
    await asyncio.sleep(2)  # The work on one item goes here.
    return ProcessedItem(item=item.item, length=len(item.item))


async def summarize(ctx: TaskContext, batch: ParentTaskResult[int]) -> BatchSummary:
    """Runs once all children have ended, well or not, and gives the parent its output."""
    return BatchSummary(processed=len(batch.outputs_of(process_item)), total=batch.output)


@executor.parent_task(id="processBatch", timeout=60, finalize=summarize)
async def process_batch(ctx: TaskContext, batch: Batch) -> ParentTaskOutput[int]:
    children = [child_task(process_item, Item(item=item)) for item in batch.items]
    return ParentTaskOutput(len(children), children)


# Enqueued with an id of your choice, asleep without a process until somebody wakes that id.
wait_for_webhook = executor.sleeping_task("waitForWebhook", timeout=86_400, output=Payment)


@executor.implement(contract.echo)
async def echo(ctx: TaskContext, value: object) -> object:
    return value


# The code of this one stays in the web app: every attempt is a call of the app's procedure.
app_link = RPCLink(APP_URL)
process_order = convert_procedure_client_to_task(
    executor,
    {
        "id": "processOrder",
        "timeout": 60,
        "retry": RetryOptions(max_retries=5, base_delay=1, delay_multiplier=2),
    },
    create_orpc_client(app_link).processOrder,
    input=Order,
    output=Receipt,
)

tasks: dict[str, Task[Any, Any]] = {
    "sendEmail": send_email,
    "processItem": process_item,
    "processBatch": process_batch,
    "processOrder": process_order,
    "waitForWebhook": wait_for_webhook,
    "echo": echo,
}

app = create_executor_app(
    executor,
    {
        "/rpc": RPCHandler(create_tasks_router(rpc, executor, tasks)),
        "/ui": create_dashboard(executor),
    },
    resources=[app_link],
)
