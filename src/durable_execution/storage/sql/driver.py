"""What the storage asks of a database driver, and what a dialect says about its SQL.

The storage's logic is written once, as coroutines over a `Transaction`. A driver may await for
real (a network connection) or run the coroutine to its end in a thread of its own (SQLite).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import IdempotencyConflictError
from durable_execution.storage.sql.rows import Row, Value
from durable_execution.storage.table_names import TaskExecutionTables

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Column, ColumnElement, Index, Table
    from sqlalchemy.engine import Dialect
    from sqlalchemy.schema import ExecutableDDLElement
    from sqlalchemy.sql.selectable import FromClause

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Statement:
    """Compiled SQL, and the names of its parameters in the order of their places."""

    text: str
    names: tuple[str, ...]

    def bind(self, **values: Value) -> Row:
        """Return the parameters in their order, without those that the dialect does not use."""
        return tuple(values[name] for name in self.names)


class SleepingIdConflictError(Exception):
    """An insert met a row that has the same sleeping id; never leaves the storage."""

    records: Sequence[ExecutionRecord] = ()
    """The rows that were to be inserted."""


class KeyConflictError(Exception):
    """An insert met a key that was used with another input; never leaves the storage.

    Its `conflict` does. That is a ValueError, which some drivers raise when a connection breaks.
    """

    def __init__(self, conflict: IdempotencyConflictError) -> None:
        self.conflict = conflict


class StartRefusedError(Exception):
    """Rows that are claimed already must not be inserted; never leaves the storage."""


class Transaction(Protocol):
    """An open transaction. A failure of any call fails the whole transaction."""

    async def fetch(self, statement: Statement, values: Row = ()) -> list[Row]:
        """Run a statement and return its rows."""
        ...

    async def fetch_each(
        self, asked: Sequence[tuple[Statement, Row]], *, ends: bool = False
    ) -> list[list[Row]]:
        """Run statements one after the other, together where they can travel so.

        `ends` says that nothing follows in the transaction, which may commit with them.
        """
        ...

    async def execute(self, statement: Statement, values: Row = ()) -> None:
        """Run a statement."""
        ...

    async def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None:
        """Run a statement for each row.

        Raises:
            SleepingIdConflictError: A row has a sleeping id that another one has.
        """
        ...

    async def insert_new(self, statement: Statement, rows: Sequence[Row], shared: Row = ()) -> bool:
        """Run one of the inserts of new roots or children for rows of its layout.

        Return whether any is new. `shared` are the values of the parameters that follow those of a
        row, for all rows.
        """
        ...

    async def insert_while(
        self, held: tuple[Statement, Row], statement: Statement, rows: Sequence[Row]
    ) -> bool:
        """Do the same if the statement `held` finds a row. Nothing follows in the transaction."""
        ...

    async def match_each(self, statement: Statement, rows: Sequence[Row]) -> list[bool]:
        """Run a guarded update for each row; tell for each whether it changed one.

        Called before any other write of its transaction, so that a driver which learns only the
        number of changes may begin again and ask row by row.
        """
        ...


Work = Callable[[Transaction], Coroutine[None, None, T]]
"""The body of a transaction. May be run again from its start, on a new transaction."""


class SqlDialect(Protocol):
    """The differences of a database's SQL."""

    @property
    def name(self) -> str:
        """The name of the dialect, as of its golden files."""
        ...

    @property
    def tables(self) -> TaskExecutionTables:
        """What the tables are called."""
        ...

    @property
    def compiler(self) -> Dialect:
        """SQLAlchemy's dialect, with the parameter style of the driver."""
        ...

    @property
    def schema_lock(self) -> str | None:
        """What makes others wait who migrate, where transactions that write do not anyway."""
        ...

    @property
    def schema_unlock(self) -> str | None:
        """What lets them go on, where the end of the transaction does not."""
        ...

    @property
    def finds_unfinished(self) -> bool:
        """Whether an index leads to what is unfinished, in the order of ids."""
        ...

    @property
    def does_claim_look_ahead(self) -> bool:
        """Whether `claim` has the next start as one more column, in a row without id if need be."""
        ...

    @property
    def does_insert_look_for_lease(self) -> bool:
        """Whether `insert_claimed` inserts nothing for an executor without a lease."""
        ...

    def ddl(self, tables: Sequence[Table], indexes: Sequence[Index]) -> list[ExecutableDDLElement]:
        """Return the statements that create the tables and the indexes."""
        ...

    def adapted(self, statements: dict[str, ClauseElement]) -> dict[str, ClauseElement]:
        """Return the statements, some written as the database runs them best."""
        ...

    def now(self) -> ColumnElement[int]:
        """Return the database's clock in milliseconds, or the parameter `now`."""
        ...

    def failed_id(self) -> ColumnElement[str]:
        """Return the id of a row as the index of what has failed holds it."""
        ...

    def has_failed(self) -> ColumnElement[bool]:
        """Return the condition that a row has failed, as that index has it."""
        ...

    def ready_at(self) -> ColumnElement[int]:
        """Return the start of a ready row as the index of ready rows holds it."""
        ...

    def is_ready(self) -> ColumnElement[bool]:
        """Return the condition that a row is ready, as the index of ready rows has it."""
        ...

    def is_any_of(self, column: Column[str], parameter: str) -> ColumnElement[bool]:
        """Return the condition that the column is one of the texts in one list parameter."""
        ...

    def listed(self, parameter: str) -> FromClause:
        """Return one list parameter as rows with the column `value`."""
        ...

    def place_of(self, part: ColumnElement[str], text: ColumnElement[str]) -> ColumnElement[int]:
        """Return where a part of a text begins first, from 1."""
        ...

    def texts(self, values: Sequence[str]) -> Value:
        """Return texts as the value of such a parameter."""
        ...

    def insert(self) -> ClauseElement:
        """Return the insert of a row of `FIELDS` that leaves a row alone whose id exists."""
        ...

    def insert_root(self, layout: Sequence[str]) -> ClauseElement:
        """Return the same for a row of `ROOT` or `TRACED_ROOT`."""
        ...

    def insert_child(self, layout: Sequence[str]) -> ClauseElement:
        """Return the same for a row of `CHILD` or `TRACED_CHILD`."""
        ...

    def insert_claimed(self, layout: Sequence[str]) -> ClauseElement:
        """Return the same for a row that an executor has claimed, of a root or `CLAIMED_CHILD`.

        Where `does_insert_look_for_lease`, it inserts only while that executor has a lease.
        """
        ...

    def insert_keyed(self) -> ClauseElement:
        """Return the same for rows with a key: leaves alone whose id or task and key exist.

        A key that exists is noticed before a sleeping id that exists.
        """
        ...

    def insert_tag(self) -> ClauseElement:
        """Return the insert of a row of `TAG` that leaves a row alone that exists."""
        ...

    def put_progress(self) -> ClauseElement:
        """Return the insert of a row of `PROGRESS` that replaces what is older, and only that.

        Newer is a greater fence, or the same fence and a greater number.
        """
        ...

    def claim(self) -> ClauseElement:
        """Return the statement that claims rows and returns them, in any order.

        Parameters: `executor_id`, `task_ids` (a list), `limit`, and `now` where `now()` is one.

        Where a database cannot return what it updates, the statement locks the rows and returns
        them as they were, followed by the instant of the claim; `claim_locked` updates them.
        """
        ...


class Driver(Protocol):
    """A way to a database."""

    @property
    def dialect(self) -> SqlDialect:
        """The SQL that the database speaks."""
        ...

    @property
    def can_notify(self) -> bool:
        """Whether `listen` hears of changes. Known once the driver is open."""
        ...

    @property
    def is_deaf(self) -> bool:
        """Whether somebody listens who cannot hear at this moment."""
        ...

    async def open(self) -> None:
        """Connect. Idempotent."""
        ...

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        ...

    def sibling(self) -> Driver:
        """Return another driver to the same database, not yet open."""
        ...

    def clock(self) -> int:
        """Return the value of the parameter `now`, where the dialect uses one."""
        ...

    async def now(self) -> int:
        """Return the clock that decides for all who share the database."""
        ...

    async def write(self, work: Work[T], *, is_single: bool = False) -> T:
        """Run work in a transaction that may write.

        With `is_single` the work is one statement, or its statements need not hold together: each
        may commit by itself, which spares the trips to begin and to commit.

        Raises:
            StorageError: It failed; nothing was written, unless it is a
                `StorageUnavailableError` and the answer of the commit was lost.
            SleepingIdConflictError: From `execute_many`; nothing was written.
        """
        ...

    async def read(self, work: Work[T], *, is_single: bool = False) -> T:
        """Run work that only reads, all from one snapshot; does not wait for writers.

        With `is_single` the work is one statement.
        """
        ...

    async def look_up(self, work: Work[T]) -> T:
        """Do the same for work of one statement that reads a few rows by their keys.

        It may block the thread for as long as that takes.
        """
        ...

    async def scan(self, work: Work[T], *, is_led: bool = True) -> T:
        """Do the same for work that may read for long, and that `read` must not wait for.

        Where no index leads to what is looked for, it is not `is_led`: then it is for the database
        to decide, each time, whether it walks an index or reads the whole table.
        """
        ...

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` soon after another process may have changed rows."""
        ...
