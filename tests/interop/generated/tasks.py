"""Tasks whose hints have everything in them that the codec carries, and a server of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import msgspec
import pydantic

from durable_execution import (
    Done,
    DurableExecutor,
    InMemoryStorage,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    TaskContext,
    child_task,
)
from durable_execution.orpc import BigInt, JsMap
from durable_execution.server import (
    AllowedOptions,
    RESTHandler,
    RPCHandler,
    create_executor_app,
    create_operators_router,
    create_tasks_router,
    rpc,
)

T = TypeVar("T")

NIL = UUID(int=0)

CustomerId = NewType("CustomerId", int)


class Color(Enum):
    """What an item looks like."""

    RED = "red"
    BLUE = "blue"


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Category:
    """A category, and those below it."""

    name: str
    children: list[Category] = field(default_factory=list)


class Card(msgspec.Struct, tag="card", rename="camel"):
    last_digits: str


class Transfer(msgspec.Struct, tag="transfer", rename="camel"):
    account_number: BigInt
    reference: str = ""


class Point(NamedTuple):
    latitude: float
    longitude: float = 0


class Address(TypedDict):
    street: str
    floor: NotRequired[int]


@dataclass
class Item:
    sku: Annotated[str, msgspec.Meta(min_length=1, description="The number of the article.")]
    color: Color
    size: Size = Size.SMALL
    price: Decimal = Decimal("9.90")


@dataclass
class Page(Generic[T]):
    entries: list[T]
    next_page: int | None = None


@dataclass
class Order:
    """An order as the shop sends it."""

    customer: CustomerId
    placed_at: datetime
    payment: Card | Transfer
    items: Page[Item]
    address: Address
    place: Point
    labels: set[str]
    counts: dict[int, str]
    stock: JsMap[str, int]
    total: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    priority: Literal["low", "high", 3] = "low"
    note: str | None = None
    category: Category | None = None
    due: date | None = None
    patience: timedelta = timedelta(hours=1)
    token: UUID = NIL
    picture: bytes = b""
    by_color: dict[Color, int] = field(default_factory=dict)
    by_mood: dict[Mood, int] = field(default_factory=dict)
    pair: tuple[int, str] = (0, "")
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Line:
    sku: str
    price: Decimal = Decimal(0)


class Invoice(pydantic.BaseModel):
    """An invoice."""

    model_config = pydantic.ConfigDict(populate_by_name=True)

    invoice_number: int = pydantic.Field(alias="invoiceNumber", description="Counted from 1.")
    issued_at: datetime = pydantic.Field(alias="issuedAt")
    lines: list[Line] = []
    password: str = pydantic.Field("", exclude=True)

    @pydantic.computed_field  # type: ignore[prop-decorator] # as pydantic documents it
    @property
    def year(self) -> int:
        return self.issued_at.year


NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def define(executor: DurableExecutor) -> dict[str, Any]:
    """The tasks, by the names that clients call them."""

    @executor.task(id="place_order")
    async def place_order(ctx: TaskContext, order: Order) -> Order:
        """Place an order, and give it back as it was understood."""
        assert isinstance(order.payment, Card | Transfer)
        assert isinstance(order.placed_at, datetime)
        assert isinstance(order.labels, set)
        assert all(isinstance(item, Item) for item in order.items.entries)
        return order

    @executor.task
    async def bill(ctx: TaskContext, invoice: Invoice) -> Invoice:
        return invoice

    @executor.task
    async def greet(ctx: TaskContext, name: str | None) -> str:
        return f"Hello, {name or 'you'}"

    @executor.task
    async def ping(ctx: TaskContext) -> None:
        """Do nothing."""

    @executor.task
    async def count(ctx: TaskContext, goal: int) -> int:
        ctx.progress(0.5, "half of it")
        await asyncio.Event().wait()
        return goal

    @executor.task(retry=RetryOptions(max_retries=0))
    async def fail(ctx: TaskContext, message: str) -> int:
        raise LookupError(message)

    approval = executor.sleeping_task("approval", output=Item)
    return {
        "placeOrder": place_order,
        "bill": bill,
        "greet": greet,
        "ping": ping,
        "fail": fail,
        "count": count,
        "approval": approval,
        **define_larger(executor),
    }


def define_larger(executor: DurableExecutor) -> dict[str, Any]:
    """The tasks that are made of others."""

    @executor.parent_task(id="double_all")
    async def double_all(ctx: TaskContext, numbers: list[int]) -> ParentTaskOutput[int]:
        return ParentTaskOutput(len(numbers), [child_task(double, each) for each in numbers])

    async def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        return sum(result.outputs_of(double))

    @executor.parent_task(id="sum_all", finalize=total)
    async def sum_all(ctx: TaskContext, numbers: list[int]) -> ParentTaskOutput[int]:
        return ParentTaskOutput(len(numbers), [child_task(double, each) for each in numbers])

    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    @executor.task
    async def turn(ctx: TaskContext, goal: int) -> Done[Point] | NotDone:
        return Done(Point(goal)) if goal > 0 else NotDone()

    seek = executor.looping_task("seek", turn, 2, 0)
    return {"double-all": double_all, "sumAll": sum_all, "seek": seek}


executor = DurableExecutor(InMemoryStorage())
tasks = define(executor)


def make_app() -> Any:
    """A server of its own executor, for each call another."""
    mine = DurableExecutor(InMemoryStorage())
    mounted = define(mine)
    router = create_tasks_router(rpc, mine, mounted, allow_options=AllowedOptions(tags=True))
    whole = {**router, **create_operators_router(rpc, mine, mounted)}
    return create_executor_app(mine, {"/rpc": RPCHandler(whole), "/api": RESTHandler(router)})
