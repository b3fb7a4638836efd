"""Transactions on MySQL and MariaDB, in as few packets as can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asyncmy.errors import MySQLError

from durable_execution.storage.sql.driver import SleepingIdConflictError, Statement
from durable_execution.storage.sql.mysql_batches import together, values_together
from durable_execution.storage.sql.mysql_clock import NOW, SET_NOW
from durable_execution.storage.sql.mysql_connection import (
    UPSERT,
    UPSERT_OF_ALIAS,
    Answer,
    MySqlConnection,
)
from durable_execution.storage.sql.mysql_errors import breaks_check
from durable_execution.storage.sql.mysql_literals import Sql
from durable_execution.storage.sql.mysql_schema import SLEEPING_ID_IS_FREE
from durable_execution.storage.sql.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from durable_execution.storage.sql.mysql_connection import OnStatement

PACKET: Final = 1 << 20
"""Characters of statements that are sent together; a single row may be larger."""
ROWS_TOGETHER: Final = 500


class MySqlTransaction:
    """Statements on one connection.

    What begins the transaction travels with the first of them.

    Args:
        connection: Lent for as long as the transaction lasts.
        begin: What begins it; nothing for a read that is one statement.
        is_single: Whether a statement that does the whole of a call may commit by itself.
        is_row_by_row: Whether each guarded update is one statement.
        tell: Hears the text of every statement.
        is_news: Whether others want to hear of a statement.
    """

    def __init__(
        self,
        connection: MySqlConnection,
        begin: Sequence[str],
        *,
        is_single: bool,
        is_row_by_row: bool,
        tell: OnStatement | None,
        is_news: Callable[[str], bool],
    ) -> None:
        self._connection = connection
        self._begin = begin
        self._is_single = is_single
        self._is_row_by_row = is_row_by_row
        self._tell = tell
        self._is_news = is_news
        self._is_open = False
        self.has_news = False
        """Whether a statement was run that others want to hear of."""

    async def commit(self) -> None:
        """Commit what has been begun."""
        if self._is_open:
            await self._say(["COMMIT"])

    async def roll_back(self, unlock: str) -> None:
        """Take back what has been begun, and let go of a lock by name, which would outlive it."""
        if self._is_open:
            await self._say(["ROLLBACK", unlock])

    async def fetch(self, statement: Statement, values: Row = ()) -> list[Row]:  # noqa: D102
        (answer,) = await self._run([self._written(statement, values)], [statement.text])
        return answer.rows

    async def fetch_each(  # noqa: D102
        self, asked: Sequence[tuple[Statement, Row]], *, ends: bool = False
    ) -> list[list[Row]]:
        texts = [self._written(statement, values) for statement, values in asked]
        told = [statement.text for statement, _ in asked]
        answers = await self._run(texts, told, is_all=False, ends=ends)
        return [answer.rows for answer in answers]

    async def execute(self, statement: Statement, values: Row = ()) -> None:  # noqa: D102
        await self.fetch(statement, values)

    async def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None:  # noqa: D102
        await self._run_for_all(statement, rows)

    async def insert_new(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row], shared: Row = ()
    ) -> bool:
        all_values = [row + shared for row in rows] if shared else rows
        return any(answer.matched for answer in await self._run_for_all(statement, all_values))

    async def insert_while(
        self, held: tuple[Statement, Row], statement: Statement, rows: Sequence[Row]
    ) -> bool:
        """Look in the insert itself: where nothing is found, the first row breaks a constraint."""
        place = statement.names.index("fence")
        first, *others = rows
        fence = Sql(f"IF(({self._written(*held)}) IS NULL, -1, {first[place]!s})")
        first = (*first[:place], fence, *first[place + 1 :])
        try:
            answers = await self._run_for_all(statement, [first, *others], ends=True)
        except SleepingIdConflictError:
            return False
        return any(answer.matched for answer in answers)

    async def _run_for_all(
        self, statement: Statement, rows: Sequence[Row], *, ends: bool = False
    ) -> list[Answer]:
        """Run a statement for all rows, as far as they may travel together."""
        head, row_text, tail = _parts(self._connection.spoken(statement.text))
        try:
            if not head:
                return await self._run_each(statement, rows)
            written = (self._connection.written(row_text, row) for row in rows)
            answers: list[Answer] = []
            for part, is_all, is_last in _with_scope(_parcels(written)):
                text = f"{head}{', '.join(part)}{tail}"
                answers += await self._run(
                    [text], [statement.text], is_all=is_all, ends=ends and is_last
                )
            return answers
        except MySQLError as error:
            if breaks_check(error, SLEEPING_ID_IS_FREE):
                raise SleepingIdConflictError from error
            raise

    async def match_each(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row]
    ) -> list[bool]:
        place = statement.names.index("guard_id")
        # In one order everywhere: two batches that meet in several rows then never wait for each
        # other. The highest id first, because a child's is higher than its parent's.
        ordered = sorted(rows, key=lambda row: str(row[place]), reverse=True)
        if len(rows) > 1 and not self._is_row_by_row:
            matched = await self._count_matches(statement, ordered)
            if matched in (0, len(rows)):
                return [matched > 0] * len(rows)
            if matched is not None:
                raise UnknownMatchError
        answers = await self._run_each(statement, ordered)
        changed = {
            row[place] for row, answer in zip(ordered, answers, strict=True) if answer.matched
        }
        return [row[place] in changed for row in rows]

    async def _count_matches(self, statement: Statement, rows: Sequence[Row]) -> int | None:
        """Update many rows at once; None if each needs a statement of its own."""
        text = together(statement)
        if text is None:
            return None
        matched = 0
        for start in range(0, len(rows), ROWS_TOGETHER):
            values = values_together(rows[start : start + ROWS_TOGETHER])
            if values is None or len(values) > PACKET:
                if start:
                    raise UnknownMatchError  # of what has been updated by now
                return None
            written = self._connection.written(text, (values,))
            (answer,) = await self._run([written], [statement.text], is_all=False)
            matched += answer.matched
        return matched

    async def _run_each(self, statement: Statement, rows: Iterable[Row]) -> list[Answer]:
        written = (self._connection.written(statement.text, row) for row in rows)
        answers: list[Answer] = []
        for part, is_all, _ in _with_scope(_parcels(written)):
            answers += await self._run(part, [statement.text], is_all=is_all)
        return answers

    def _written(self, statement: Statement, values: Row) -> str:
        return self._connection.written(self._connection.spoken(statement.text), values)

    async def _run(
        self, texts: Sequence[str], told: Sequence[str], *, is_all: bool = True, ends: bool = False
    ) -> list[Answer]:
        """Run statements in one packet.

        `is_all` says that the call runs no others, `ends` that the transaction does not.
        """
        before: Sequence[str] = ()
        if self._begin:
            if (self._is_single or ends) and is_all and len(texts) == 1:
                before = [SET_NOW] if NOW in told[0] else []
            else:
                before, self._begin = self._begin, ()
                self._is_open = True
        after = ["COMMIT"] if ends and self._is_open else []
        for text in (*before, *told, *after):
            if self._tell is not None:
                self._tell(text)
            self.has_news = self.has_news or self._is_news(text)
        answers = await self._connection.run([*before, *texts, *after])
        if after:
            self._is_open = False
        return answers[len(before) : len(before) + len(texts)]

    async def _say(self, texts: Sequence[str]) -> None:
        if self._tell is not None:
            for text in texts:
                self._tell(text)
        await self._connection.run(texts)


class UnknownMatchError(Exception):
    """Some rows of a batch matched, and the count does not tell which: begin again, row by row."""


def _upsert_of(text: str) -> str:
    return UPSERT_OF_ALIAS if UPSERT_OF_ALIAS in text else UPSERT


@lru_cache
def _parts(text: str) -> tuple[str, str, str]:
    """Return what is before, in and after the row of an insert; nothing for other statements."""
    before, values, row = text.partition(" VALUES ")
    row, duplicate, after = row.partition(_upsert_of(text))
    if not text.startswith("INSERT ") or not duplicate:
        return "", "", ""
    # What has no values is not written out, and its signs for percent stay doubled.
    return before + values, row, duplicate + after % ()


def _parcels(written: Iterable[str]) -> Iterator[list[str]]:
    """Put texts together as far as they may travel together."""
    part: list[str] = []
    size = 0
    for text in written:
        if part and (size + len(text) > PACKET or len(part) == ROWS_TOGETHER):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _with_scope(parcels: Iterator[list[str]]) -> Iterator[tuple[list[str], bool, bool]]:
    """Tell of each parcel whether it is the only one, and whether it is the last."""
    part = next(parcels, None)
    is_first = True
    while part is not None:
        following = next(parcels, None)
        yield part, is_first and following is None, following is None
        part, is_first = following, False
