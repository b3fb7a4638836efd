"""One SQLite connection in a thread of its own, and transactions on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from durable_execution.errors import StorageError
from durable_execution.storage.sql.driver import SleepingIdConflictError, Statement, Work
from durable_execution.storage.sql.rows import Row
from durable_execution.storage.sql.sqlite_errors import to_storage_error
from durable_execution.storage.sql.sqlite_lock import Begin, begin_transaction
from durable_execution.storage.sql.sqlite_rows import ROWS, calls_of

T = TypeVar("T")
OnStatement = Callable[[str], None]
"""Hears the text of every statement, in the connection's thread, before it runs."""

_MOST_JOBS: Final = 64
"""Pieces of work that share a transaction at most."""


class SqliteConnection:
    """A connection that lives in one thread; calls queue up and run in the order they came.

    Writes that have queued up meanwhile share a transaction, because to commit takes longer than
    most work does: it waits for the disk. One that fails is no matter of the others: all are rolled
    back then, and run again one by one. So work must not remember that it ran before.

    Args:
        connect: Opens and prepares the connection; called in the thread.
        database: The name of the database for messages.
        on_statement: Hears every statement of the transactions.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        database: str,
        on_statement: OnStatement | None,
    ) -> None:
        self._connect = connect
        self._database = database
        self._on_statement = on_statement
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._jobs: deque[_Job[Any]] = deque()

    async def open(self) -> None:
        """Start the thread and connect in it.

        Raises:
            StorageError: The database cannot be opened; the thread has ended.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="durable-sqlite")
        try:
            await self._call(self._open)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let queued work end, close the connection and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            await asyncio.wrap_future(thread.submit(self._close))
        finally:
            thread.shutdown()

    async def run(self, work: Work[T], begin: Begin) -> T:
        """Run work in a transaction, which may be that of other work, too.

        Raises:
            StorageError: It failed and was rolled back.
        """
        thread = self._running()
        job = _Job(work, begin)
        self._jobs.append(job)
        thread.submit(self._run_queued)
        return await self._answered(job.answer)

    def ask(self, pragma: str) -> Future[object]:
        """Ask for the value of a pragma; the answer comes from the connection's thread."""
        return self._running().submit(lambda: self._pragma(pragma))

    async def _call(self, function: Callable[[], T]) -> T:
        return await self._answered(self._running().submit(function))

    async def _answered(self, answer: Future[T]) -> T:
        try:
            return await asyncio.wrap_future(answer)
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise to_storage_error(error, self._database) from error

    def _running(self) -> ThreadPoolExecutor:
        if self._thread is None:
            raise StorageError("the storage is not open: await storage.open() first")
        return self._thread

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorageError("the storage is not open: await storage.open() first")
        return self._connection

    def _open(self) -> None:
        self._connection = self._connect()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _pragma(self, pragma: str) -> object:
        text = f"PRAGMA {pragma}"
        self._tell(text)
        return self._opened().execute(text).fetchone()[0]

    def _run_queued(self) -> None:
        """Run what is in the queue, which may have been emptied by the call before."""
        jobs: list[_Job[Any]] = []
        while self._jobs and len(jobs) < _MOST_JOBS:
            job = self._jobs.popleft()
            if job.answer.set_running_or_notify_cancel():
                jobs.append(job)
        for begin, part in groupby(jobs, key=attrgetter("begin")):
            together = list(part)
            # What only reads gains nothing: its commit is no work.
            is_shared = begin == "BEGIN IMMEDIATE" and len(together) > 1
            if not is_shared or not self._are_settled_together(together):
                for job in together:
                    self._run_alone(job)

    def _are_settled_together(self, jobs: list[_Job[Any]]) -> bool:
        """Run jobs in one transaction; or roll it back, if it cannot be that of all of them."""
        try:
            results = self._transact([job.work for job in jobs], jobs[0].begin)
        except _NotBegunError as error:
            for job in jobs:  # all of them have waited for the lock
                job.answer.set_exception(error.reason)
            return True
        except BaseException:  # whose it is will be told when they run alone
            return False
        for job, result in zip(jobs, results, strict=True):
            job.answer.set_result(result)
        return True

    def _run_alone(self, job: _Job[T]) -> None:
        try:
            try:
                (result,) = self._transact([job.work], job.begin)
            except _UnknownMatchError:
                (result,) = self._transact([job.work], job.begin, is_row_by_row=True)
        except _NotBegunError as error:
            job.answer.set_exception(error.reason)
        except BaseException as error:  # raised again by who waits for the answer
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)

    def _transact(
        self, works: Sequence[Work[T]], begin: Begin, *, is_row_by_row: bool = False
    ) -> list[T]:
        connection = self._opened()
        self._tell(begin)
        try:
            begin_transaction(connection, begin)
        except sqlite3.Error as error:
            raise _NotBegunError(error) from error
        try:
            transaction = SqliteTransaction(connection, self._tell, is_row_by_row=is_row_by_row)
            results = [run_to_end(work(transaction)) for work in works]
            self._tell("COMMIT")
            connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors, such as a full disk.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _tell(self, text: str) -> None:
        if self._on_statement is not None:
            self._on_statement(text)


class _Job(Generic[T]):
    """Work that is to run, and who waits for what comes of it."""

    __slots__ = ("answer", "begin", "work")

    def __init__(self, work: Work[T], begin: Begin) -> None:
        self.work = work
        self.begin = begin
        self.answer: Future[T] = Future()


class SqliteTransaction:
    """An open transaction. Its coroutines never wait, they run in the connection's thread."""

    def __init__(
        self, connection: sqlite3.Connection, tell: OnStatement, *, is_row_by_row: bool
    ) -> None:
        self._connection = connection
        self._tell = tell
        self._is_row_by_row = is_row_by_row

    async def fetch(self, statement: Statement, values: Row = ()) -> list[Row]:  # noqa: D102
        self._tell(statement.text)
        return self._connection.execute(statement.text, values).fetchall()

    async def fetch_each(  # noqa: D102
        self, asked: Sequence[tuple[Statement, Row]], *, ends: bool = False
    ) -> list[list[Row]]:
        return [await self.fetch(statement, values) for statement, values in asked]

    async def execute(self, statement: Statement, values: Row = ()) -> None:  # noqa: D102
        self._tell(statement.text)
        self._connection.execute(statement.text, values)

    async def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None:  # noqa: D102
        self._tell(statement.text)
        try:
            self._connection.executemany(statement.text, rows)
        except sqlite3.IntegrityError as error:
            is_unique = error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE
            if is_unique and "sleeping_unique_id" in str(error):
                raise SleepingIdConflictError from error
            raise

    async def insert_new(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row], shared: Row = ()
    ) -> bool:
        self._tell(statement.text)
        all_values = [row + shared for row in rows] if shared else rows
        return self._run_together(statement, all_values) > 0

    async def insert_while(  # noqa: D102
        self, held: tuple[Statement, Row], statement: Statement, rows: Sequence[Row]
    ) -> bool:
        return bool(await self.fetch(*held)) and await self.insert_new(statement, rows)

    async def match_each(  # noqa: D102
        self, statement: Statement, rows: Sequence[Row]
    ) -> list[bool]:
        self._tell(statement.text)
        if self._is_row_by_row:
            return [self._connection.execute(statement.text, row).rowcount == 1 for row in rows]
        if ROWS in statement.text:
            matched = self._run_together(statement, rows)
        else:
            matched = self._connection.executemany(statement.text, rows).rowcount
        if matched not in (0, len(rows)):
            raise _UnknownMatchError
        return [matched > 0] * len(rows)

    def _run_together(self, statement: Statement, rows: Sequence[Row]) -> int:
        """Run a statement on many rows at a time; return how many rows it changed."""
        run = self._connection.execute
        return sum(run(text, values).rowcount for text, values in calls_of(statement, rows))


class _NotBegunError(Exception):
    """The transaction could not be begun, so nobody's work has run."""

    def __init__(self, reason: sqlite3.Error) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _UnknownMatchError(Exception):
    """Some rows of a batch matched, and the count does not tell which: begin again, row by row."""


def run_to_end(work: Coroutine[None, None, T]) -> T:
    """Run the body of a transaction, which never waits here."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("the body of a transaction awaited something else than its transaction")
