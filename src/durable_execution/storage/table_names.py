"""What the tables are called: one name that the user may choose, and all that follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from durable_execution.errors import InvalidOptionError

EXECUTIONS: Final = "durable_task_executions"
_ENDS: Final = {
    EXECUTIONS: "",
    "durable_task_execution_tags": "_tags",
    "durable_task_execution_progress": "_progress",
    "durable_execution_schema": "_schema",
}
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
# Not what stands in quotes: a text within SQL, or a name that has been put in already.
_OURS: Final = re.compile(r"""(?<!['"])\bdurable_\w+""")


@dataclass(frozen=True, slots=True)
class TaskExecutionTables:
    """Where executions are kept within a database.

    Args:
        name: The table of executions, 1 to 40 lower-case letters, digits and underscores. The
            other tables, the indexes and the trigger are named after it.
        schema: The schema that holds them, on PostgreSQL; the connection's own if None.

    Raises:
        InvalidOptionError: One of them is no such name.
    """

    name: str = EXECUTIONS
    schema: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidOptionError(
                "the name of the table must be 1 to 40 lower-case letters, digits and "
                f"underscores, not beginning with a digit, got {self.name!r}"
            )
        if self.schema is not None and not _SCHEMA.fullmatch(self.schema):
            raise InvalidOptionError(
                "the schema must be 1 to 63 letters, digits and underscores, "
                f"not beginning with a digit, got {self.schema!r}"
            )

    def named(self, ours: str) -> str:
        """Return what a table, an index or another thing of ours is called here."""
        if self.name == EXECUTIONS:
            return ours
        end = _ENDS.get(ours, ours.removeprefix("durable"))
        return f"{self.name}{end}"

    def renamed(self, sql: str) -> str:
        """Return compiled SQL with the names of here.

        Values never stand in compiled SQL, and every name of ours begins with `durable_` and is
        not quoted, so that what looks like one is one.
        """
        if self.name == EXECUTIONS:
            return sql
        return _OURS.sub(lambda found: f'"{self.named(found[0])}"', sql)


DEFAULT_TABLES: Final = TaskExecutionTables()
