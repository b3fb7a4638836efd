"""Connections to PostgreSQL, and transactions on them."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import asyncpg  # type: ignore[import-untyped]  # has no types

from durable_execution.storage.sql.driver import SleepingIdConflictError, Statement
from durable_execution.storage.sql.postgres_new_rows import packed
from durable_execution.storage.sql.rows import Row, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    OnStatement: TypeAlias = Callable[[str], None]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

CONNECT_TIMEOUT: Final = 10.0
COMMAND_TIMEOUT: Final = 60.0
"""Seconds after which an answer counts as lost, and the connection with it."""
SILENCE: Final = 10
"""Seconds without a sign of a machine after which it is gone: its power cut, or its network."""
_KEEPALIVE: Final = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, 1),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, SILENCE // 2),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, 1),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, SILENCE // 2),
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, SILENCE * 1000),
}
"""By option of a socket: its level and value. Other systems than Linux lack some."""
SETTINGS: Final = {
    # Every statement has one good plan, by index and row by row, and keeps it: statistics that are
    # too young to know a table that grows from nothing to millions cannot spoil it, nobody plans
    # the same again (half the time of a single row), and batches that meet in several rows take
    # their locks in one order.
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    # A process that stands still in a transaction must not hold its locks for good.
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "10s",
}
NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
UNLED_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "on"}
)
"""For what no index leads to. Reading all pages in their order, by several processes, takes half as
long as finding all rows by their ids; where enough of them match, or few ids are asked for, the
planner sees it by the values and walks the ids."""
Begin = Literal["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database is, and how to speak to it. The password is in no representation."""

    name: str
    hosts: tuple[dict[str, Any], ...]
    """The servers, one of which takes writes: `host` and `port` of each, as far as known."""
    options: dict[str, Any]
    schema: str | None
    is_pooled: bool | None
    """Whether a pooler lends a server for one transaction at a time; None to find out."""


async def connect(place: Place, host: dict[str, Any], *, is_pooled: bool) -> Connection:
    """Connect to one server of the place; where there are others, only if it takes writes.

    Behind a pooler nothing outlives a transaction: no prepared statements, and the settings are
    sent with each `begin` instead.
    """
    others = {} if len(place.hosts) == 1 else {"target_session_attrs": "read-write"}
    settings = {"application_name": "durable-execution"}
    if not is_pooled:
        settings |= SETTINGS
        if place.schema is not None:
            settings["search_path"] = quoted(place.schema)
    connection: Connection = await asyncpg.connect(
        **place.options,
        **host,
        **others,
        # One that is gone without a word must leave time to ask the next.
        timeout=CONNECT_TIMEOUT / len(place.hosts),
        command_timeout=COMMAND_TIMEOUT,
        server_settings=settings,
        statement_cache_size=0 if is_pooled else 200,
        max_cached_statement_lifetime=0,
    )
    _notice_silence(connection)
    return connection


def _notice_silence(connection: Connection) -> None:
    """Have the kernel end the connection when the machine at its other end is gone.

    Its system would say so for a server that died; a machine says nothing, and an answer that is
    waited for would be for as long as the longest statement may take.
    """
    # The driver has neither options for this nor a way to the socket.
    transport = getattr(connection, "_transport", None)
    door = None if transport is None else transport.get_extra_info("socket")
    if door is None or door.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for name, (level, value) in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):
                door.setsockopt(level, option, value)


def opening_of(
    begin: Begin, place: Place, settings: Mapping[str, str] = NO_SETTINGS, *, is_pooled: bool
) -> str:
    """Return the text that begins a transaction, in which other settings hold than usually."""
    if is_pooled:
        settings = {**SETTINGS, **settings}
    texts = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
    if is_pooled and place.schema is not None:
        texts.append(f"SET LOCAL search_path = {quoted(place.schema)}")
    return "; ".join([begin, *texts])


def quoted(name: str) -> str:
    """Return an identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


class PostgresTransaction:
    """Statements on one connection, whoever begins and commits."""

    def __init__(self, connection: Connection, tell: OnStatement | None) -> None:
        self._connection = connection
        self._tell = tell

    async def fetch(self, statement: Statement, values: Row = ()) -> list[Row]:  # noqa: D102
        if self._tell is not None:
            self._tell(statement.text)
        return list(map(tuple, await self._connection.fetch(statement.text, *values)))

    async def fetch_each(  # noqa: D102
        self, asked: Sequence[tuple[Statement, Row]], *, ends: bool = False
    ) -> list[list[Row]]:
        return [await self.fetch(statement, values) for statement, values in asked]

    async def execute(self, statement: Statement, values: Row = ()) -> None:  # noqa: D102
        await self.fetch(statement, values)

    async def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None:  # noqa: D102
        try:
            await self.fetch(statement, _columns(rows))
        except asyncpg.UniqueViolationError as error:
            if str(error.constraint_name).endswith("_sleeping_unique_id"):
                raise SleepingIdConflictError from error
            raise

    async def insert_new(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row], shared: Row = ()
    ) -> bool:
        if self._tell is not None:
            self._tell(statement.text)
        values = packed(statement.names, rows, shared)
        # What it returns is `INSERT 0` and the number of rows: to be told each id costs more.
        answer = await self._connection.execute(statement.text, *values)
        return not answer.endswith(" 0")

    async def insert_while(  # noqa: D102
        self, held: tuple[Statement, Row], statement: Statement, rows: Sequence[Row]
    ) -> bool:
        return bool(await self.fetch(*held)) and await self.insert_new(statement, rows)

    async def match_each(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row]
    ) -> list[bool]:
        place = statement.names.index("guard_id")
        # In one order everywhere: two batches that meet in several rows then never wait for each
        # other. The highest id first, because a child's is higher than its parent's.
        ordered = sorted(rows, key=itemgetter(place), reverse=True)
        changed = {row[0] for row in await self.fetch(statement, _columns(ordered))}
        return [row[place] in changed for row in rows]


def _columns(rows: Sequence[Row]) -> tuple[Value, ...]:
    return tuple(zip(*rows, strict=True))  # type: ignore[arg-type]  # lists, as `unnest` takes them
