"""A contract as an application writes it; the tests implement it and call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from pydantic import BaseModel

from durable_execution.orpc import Contract, Declared, DefinedError, declared


@dataclass
class FindItem:
    id: int


class Item(Struct, frozen=True, rename="camel"):
    id: int
    first_seen: datetime


class NewItem(BaseModel):
    name: str


@dataclass
class Stock:
    left: int


class ItemNotFound(DefinedError[FindItem], code="ITEM_NOT_FOUND", status=404):
    pass


class OutOfStock(DefinedError[Stock], status=409):
    pass


class NotSignedIn(DefinedError[None], code="UNAUTHORIZED"):
    pass


class Items(Contract):
    find: Declared[FindItem, Item] = declared(method="GET", errors=[ItemNotFound])
    create: Declared[NewItem, Item]
    order: Declared[FindItem, None] = declared(errors=[OutOfStock, NotSignedIn])
    watch: Declared[FindItem, AsyncIterator[Item]] = declared(errors=[OutOfStock])


class Shop(Contract, rename="camel"):
    items: Items
    server_time: Declared[None, datetime]
    find_all: Declared[None, list[Item]] = declared(method="GET")
    odd: Declared[str | None, str | None] = declared(name="odd name/é")
