"""What `doctor` looks at, one question after the other; each answer says what to do."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal, NamedTuple

from durable_execution.cli.exits import MISUSED, CommandError
from durable_execution.cli.printing import span
from durable_execution.errors import StorageError
from durable_execution.storage import SqlStorage, open_storage
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

Verdict = Literal["good", "note", "bad"]

CLOCK_NOTE: Final = 1.0
"""Seconds of difference between this clock and the database's that are worth a word."""
SLOW: Final = 0.05
"""Seconds for one question that are slow for a database nearby."""
BACKLOG_NOTE: Final = 60.0
"""Seconds that something ready has waited, when it is worth a word."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    finding: str
    advice: str = ""


async def examine(url: str, table: str | None) -> list[Finding]:
    """Look at a database and change nothing.

    Raises:
        CommandError: It is a storage in memory.
        InvalidOptionError: The URL is none.
        StorageError: It cannot be reached at all.
    """
    tables = DEFAULT_TABLES if table is None else TaskExecutionTables(name=table)
    storage = open_storage(url, tables=tables, migrate=False)
    if not isinstance(storage, SqlStorage):
        raise CommandError("executions in memory have no database", MISUSED)
    state = await storage.schema_state()
    found = [_schema(state.found, state.newest, has_tables=state.has_tables)]
    if found[0].verdict == "bad":
        return found
    try:
        await storage.open()
    except StorageError as error:
        advice = "run durable-execution db upgrade, or the migrations that make the tables"
        return [*found, Finding("tables", "bad", str(error), advice)]
    try:
        found += await _server(storage)
        found.append(await _clock(storage))
        found.append(_notifications(storage))
        found += await _work(storage)
    finally:
        await storage.close()
    return found


def _schema(found: int | None, newest: int, *, has_tables: bool) -> Finding:
    if found == newest:
        return Finding("schema", "good", f"version {found}")
    if found is None and has_tables:
        return Finding("schema", "note", "tables without a version: migrated by the application")
    if found is None:
        return Finding("schema", "bad", "there are no tables", "run durable-execution db upgrade")
    if found > newest:
        text = f"version {found}, this release knows only {newest}"
        return Finding("schema", "bad", text, "use the release that wrote it, or a newer one")
    text = f"version {found}, this release needs {newest}"
    return Finding("schema", "bad", text, "run durable-execution db upgrade")


async def _server(storage: SqlStorage) -> list[Finding]:
    facts = await storage.server_facts()
    found = [Finding("database", "good", f"{facts.name} {facts.version}")]
    if facts.missing_indexes:
        names = ", ".join(facts.missing_indexes)
        found.append(
            Finding(
                "indexes",
                "bad",
                f"missing: {names}",
                "lists and claims read the whole table; make them as the schema has them",
            )
        )
    else:
        found.append(Finding("indexes", "good", "all are there"))
    if facts.connections is not None and facts.max_connections is not None:
        text = f"{facts.connections} of {facts.max_connections} are taken"
        is_full = facts.connections > 0.8 * facts.max_connections
        advice = "lower ?pool_size= of executors, or let a pooler share connections"
        found.append(
            Finding("connections", "note", text, advice)
            if is_full
            else Finding("connections", "good", text)
        )
    return found


async def _clock(storage: SqlStorage) -> Finding:
    begun = time.time()
    now = await storage.now()
    took = time.time() - begun
    offset = now / 1000 - (begun + took / 2)
    text = f"{abs(offset) * 1000:.0f} ms {'ahead of' if offset > 0 else 'behind'} this machine"
    text += f"; an answer takes {span(took)}"
    if abs(offset) > CLOCK_NOTE:
        advice = "nothing breaks: the database's clock decides; but times in logs will differ"
        return Finding("clock", "note", text, advice)
    if took > SLOW:
        return Finding("clock", "note", text, "the database is far away: every step waits for it")
    return Finding("clock", "good", text)


def _notifications(storage: SqlStorage) -> Finding:
    if storage.can_notify:
        return Finding("notifications", "good", "executors are told of new work")
    return Finding(
        "notifications",
        "note",
        "the database does not promise to tell of new work: executors look every second, too",
        "on PostgreSQL connect past the pooler; on MySQL and MariaDB executors of one user ring",
    )


async def _work(storage: SqlStorage) -> list[Finding]:
    now, executors = await asyncio.gather(storage.now(), storage.executors(1000))
    alive = [each for each in executors if each.lease_expires_at > now and each.task_ids]
    known = frozenset().union(*(each.task_ids or () for each in alive))
    text = f"{len(alive)} alive, {len(known)} tasks"
    found = [
        Finding("executors", "good", text)
        if alive
        else Finding("executors", "note", "none is alive", "start one: nothing runs until then")
    ]
    backlog = await storage.backlog(10_000, since=now, id_from="~")
    unknown = sorted(task_id for task_id in backlog.ready if task_id not in known)
    if unknown and alive:
        advice = "roll out the release that has them, or cancel what is left of them"
        found.append(Finding("work that nobody knows", "bad", ", ".join(unknown[:20]), advice))
    first = min((start for _, start in backlog.ready.values()), default=now)
    number = sum(count for count, _ in backlog.ready.values())
    waits = (now - first) / 1000
    text = f"{number}{'+' if number >= 10_000 else ''} ready"
    if waits > BACKLOG_NOTE and alive:
        text += f", the first for {span(waits)}"
        found.append(Finding("backlog", "note", text, "start more executors, or give them room"))
    else:
        found.append(Finding("backlog", "good", text))
    return found
