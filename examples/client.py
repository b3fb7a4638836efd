"""A client: hand work to the executor server, and look at what became of it.

python -m examples.client
"""

from __future__ import annotations

import asyncio
import os

from durable_execution.client import RPCLink, create_orpc_client, create_task_client_handles
from examples import contract
from examples.contract import Batch, Email

EXECUTOR_URL = os.environ.get("EXECUTOR_URL", "http://127.0.0.1:3000/rpc")


async def main() -> None:
    async with RPCLink(EXECUTOR_URL) as link:
        handles = create_task_client_handles(create_orpc_client(link), contract.TASKS)

        # When this returns, the email will be sent, whatever happens to either process.
        emails = handles[contract.send_email]
        execution_id = await emails.enqueue(
            Email(to="ada@example.com", subject="Welcome", body="Thanks for signing up!")
        )
        execution = await emails.get_execution(execution_id)
        print("right after:", execution.status)

        # Wait for it and branch on how it ended...
        finished = await emails.wait_and_get_finished_execution(execution_id, timeout=60)
        if finished.status == "completed":
            print("sent as", finished.output.message_id)
        else:
            print(finished.status, finished.error.message)

        # ...or ask for the output, and have the error raised.
        batches = handles[contract.process_batch]
        batch_id = await batches.enqueue(Batch(items=["anvil", "bellows", "crucible"]))
        summary = await batches.result(batch_id, timeout=60)
        print(f"{summary.processed} of {summary.total} items processed")


if __name__ == "__main__":
    asyncio.run(main())
