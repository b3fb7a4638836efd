"""A web app that keeps its business logic and lets an executor server care for retries.

durable-execution serve examples.web_app:app --port 3001
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from durable_execution.server import CallContext, ORPCError, RPCHandler, rpc
from examples.contract import Order, Receipt


@rpc.handler
async def process_order(ctx: CallContext, order: Order) -> Receipt:
    # The payment provider is busy at first. 503 is worth another attempt; 400 would not be.
    if ctx.headers["x-durable-attempt"] == "0":
        raise ORPCError("SERVICE_UNAVAILABLE", "the payment provider is busy")
    # Charge the customer here. All attempts of an execution carry the same id: charge it once.
    return Receipt(transaction_id=f"txn_{ctx.headers['x-durable-execution-id']}")


app = Starlette(routes=[Mount("/rpc", RPCHandler({"processOrder": process_order}))])
