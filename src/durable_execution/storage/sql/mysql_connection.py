"""Connections to MySQL and MariaDB.

Statements that belong together travel in one packet, separated by semicolons. The server answers
each with the number of rows that it matched, changed or not.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import asyncmy
from asyncmy.constants.CLIENT import FOUND_ROWS
from asyncmy.errors import MySQLError

from durable_execution.errors import StorageError
from durable_execution.storage.sql.mysql_errors import ENDED, code_of
from durable_execution.storage.sql.mysql_literals import literal
from durable_execution.storage.sql.rows import PAYLOADS, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncmy.connection import Connection as DriverConnection

    OnStatement: TypeAlias = Callable[[str], None]

CONNECT_TIMEOUT: Final = 10.0
COMMAND_TIMEOUT: Final = 60.0
"""Seconds after which an answer counts as lost, and the connection with it."""
UPSERT: Final = " ON DUPLICATE KEY UPDATE "
UPSERT_OF_ALIAS: Final = f" AS new_row{UPSERT}"
_OF_NEW_ROW: Final = re.compile(r"\bVALUES\((\w+)\)")
_IN_NEW_ROW: Final = r"new_row.\1"

_SETTINGS: Final = (
    # What does not fit is an error, a backslash escapes, and names stand in double quotes.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION innodb_lock_wait_timeout = 10",
    # Nobody reads notes, such as that a table exists already; the driver would log each.
    "SET SESSION sql_notes = 0",
)
# Trees may be deep; MariaDB would stop looking without a word. There, too, a process that stands
# still in a transaction loses its locks.
_OF_MYSQL: Final = "SET SESSION cte_max_recursion_depth = 1000000"
_OF_MARIADB: Final = "SET SESSION max_recursive_iterations = 1000000, idle_transaction_timeout = 30"
_ABOUT: Final = "SELECT VERSION(), @@max_allowed_packet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database is, and how to speak to it. The password is in no representation."""

    name: str
    options: dict[str, Any]


class Answer(NamedTuple):
    """What one statement came to: rows, or the number of rows that it matched."""

    rows: list[Row]
    matched: int


async def connect(place: Place) -> MySqlConnection:
    """Connect, and make the session what the storage expects."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        driver = await asyncmy.connect(
            **place.options,
            charset="utf8mb4",
            autocommit=True,
            client_flag=FOUND_ROWS,
            connect_timeout=CONNECT_TIMEOUT,
            program_name="durable-execution",
        )
        connection = MySqlConnection(driver)
        try:
            *_, about = await connection.run([*_SETTINGS, _ABOUT])
            version, max_packet = map(str, about.rows[0])
            connection.max_packet = int(max_packet)
            connection.has_row_alias = has_row_alias(version)
            await connection.run([_OF_MARIADB if "MariaDB" in version else _OF_MYSQL])
        except BaseException:
            connection.terminate()
            raise
    return connection


class MySqlConnection:
    """One session, as a pool keeps it."""

    max_packet = 1 << 20
    has_row_alias = False
    """Whether an upsert names its new row; `VALUES()` is deprecated where it can."""

    def __init__(self, driver: DriverConnection) -> None:
        self._driver = driver

    async def run(self, texts: Sequence[str]) -> list[Answer]:
        """Run statements in one packet, each to its end before the next; the first error ends all.

        Raises:
            StorageError: The server would not take a packet of that size.
        """
        packet = "; ".join(texts).encode(errors="surrogateescape")
        if len(packet) >= self.max_packet:
            raise StorageError(
                f"a row of {len(packet)} bytes is larger than the server's max_allowed_packet, "
                f"which is {self.max_packet}: raise it there, or keep less in inputs and outputs"
            )
        async with asyncio.timeout(COMMAND_TIMEOUT):
            async with self._driver.cursor() as cursor:
                await cursor.execute(packet)
                answers = [await _answer(cursor)]
                while await cursor.nextset():
                    answers.append(await _answer(cursor))
        return answers

    async def doze(self, seconds: float, begun: Callable[[], None]) -> bool:
        """Stand still in the server; return whether somebody ended that early (`KILL QUERY`).

        `begun` is called once no end can be missed any more.
        """
        async with asyncio.timeout(seconds + COMMAND_TIMEOUT):
            async with self._driver.cursor() as cursor:
                try:
                    # The first answer says that the statement has begun: who ends it from then on
                    # ends its second half, too.
                    await cursor.execute(f"SELECT 1; SELECT SLEEP({seconds:g})")
                    begun()
                    if not await cursor.nextset():
                        return True
                    ((was_ended,),) = await cursor.fetchall()
                except MySQLError as error:
                    if code_of(error) not in ENDED:
                        raise
                    return True
        return bool(was_ended)

    def written(self, text: str, values: Row) -> str:
        """Return the statement with its values.

        Raises:
            UnicodeEncodeError: A text has characters that no text can be stored with.
        """
        return text % tuple(map(literal, values))

    def spoken(self, text: str) -> str:
        """Return a statement as this server has it."""
        return with_row_alias(text) if self.has_row_alias else text

    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        return not self._driver.connected

    def is_in_transaction(self) -> bool:
        """Whether the server said last that a transaction is open."""
        return self._driver.get_transaction_status()

    def get_server_pid(self) -> int:
        """Return the server's number of the connection."""
        return self._driver.thread_id()

    def terminate(self) -> None:
        """Cut the connection."""
        self._driver.close()

    async def close(self, *, timeout: float) -> None:
        """Say goodbye and close the connection."""
        async with asyncio.timeout(timeout):
            await self._driver.ensure_closed()


async def _answer(cursor: Any) -> Answer:
    if cursor.description is None:
        return Answer([], cursor.rowcount)
    texts = [place for place, column in enumerate(cursor.description) if column[0] not in PAYLOADS]
    rows = []
    for row in await cursor.fetchall():
        values = list(row)
        for place in texts:
            value = values[place]
            if type(value) is bytes:
                values[place] = value.decode()
        rows.append(tuple(values))
    return Answer(rows, len(rows))


def has_row_alias(version: str) -> bool:
    """Whether a server of that version names the new row of an upsert: MySQL from 8.0.19 on."""
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    return "MariaDB" not in version and numbers >= (8, 0, 19)


@lru_cache
def with_row_alias(text: str) -> str:
    """Return an upsert that names its new row `new_row`; other statements as they are."""
    before, upsert, after = text.partition(UPSERT)
    if not upsert:
        return text
    return f"{before}{UPSERT_OF_ALIAS}{_OF_NEW_ROW.sub(_IN_NEW_ROW, after)}"
