"""What both sides agree on: the names of the tasks, and the types of what goes in and comes out.

A client imports this module and none of the code behind the tasks.
"""

from __future__ import annotations

from msgspec import Struct

from durable_execution.client import declare_task


# Python's names here, TypeScript's on the wire: `message_id` travels as `messageId`. Dataclasses,
# TypedDicts and pydantic models work as well.
class Wire(Struct, frozen=True, rename="camel"):
    """A value that crosses the wire."""


class Email(Wire, frozen=True):
    to: str
    subject: str
    body: str


class SentEmail(Wire, frozen=True):
    message_id: str


class Item(Wire, frozen=True):
    item: str


class ProcessedItem(Wire, frozen=True):
    item: str
    length: int


class Batch(Wire, frozen=True):
    items: list[str]


class BatchSummary(Wire, frozen=True):
    processed: int
    total: int


class Order(Wire, frozen=True):
    order_id: str
    amount: float


class Receipt(Wire, frozen=True):
    transaction_id: str


class Payment(Wire, frozen=True):
    provider: str
    amount: float


send_email = declare_task("sendEmail", input=Email, output=SentEmail)
process_item = declare_task("processItem", input=Item, output=ProcessedItem)
process_batch = declare_task("processBatch", input=Batch, output=BatchSummary)
process_order = declare_task("processOrder", input=Order, output=Receipt)
wait_for_webhook = declare_task("waitForWebhook", input=str, output=Payment)
echo = declare_task("echo", input=object, output=object)

TASKS = {
    task.id: task
    for task in (send_email, process_item, process_batch, process_order, wait_for_webhook, echo)
}
