"""How long lists, pages and counts take once a million executions are stored.

`python -m bench.million --storages sqlite,postgres --rows 1000000` fills an empty database with a
month of executions and prints the milliseconds of every kind of list, its slowest of several, each
first page and the one after it; and those of every page and call of operators over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from bench.pages import Request, grow_tree, measure_pages, requests
from bench.storages import Storages
from durable_execution import open_storage
from durable_execution._core.offspring import Label, Seed, root_record
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED, Status
from durable_execution._engine.ids import new_execution_id, oldest_id_after
from durable_execution.errors import StoredError
from durable_execution.storage import SqlStorage
from durable_execution.storage.search import Search

MONTH_MS: Final = 30 * 86_400_000
BATCH: Final = 5_000
TIMES: Final = 5
TASKS: Final = tuple(f"task_{number}" for number in range(50))
BOUND_MS: Final = 300
_FAILURE: Final = StoredError(message="connection refused by the payment provider")


@dataclass(frozen=True)
class Month:
    """A month of executions that ends now."""

    rows: int
    now: int

    def records(self) -> Iterator[ExecutionRecord]:
        """Make the rows, the oldest first: nearly all have completed, and the newest are under way.

        Half of them are of one task; one task ran twenty times, a month ago.
        """
        random = Random(7)
        step = MONTH_MS / self.rows
        for number in range(self.rows):
            at = self.now - MONTH_MS + int(number * step)
            task = "task_0" if random.random() < 0.5 else random.choice(TASKS)
            if number < 2_000 and number % 100 == 0:
                task = "rare"
            tags = (("tenant", f"t{random.randrange(100)}"),) if number % 10 == 0 else ()
            seed = Seed(
                execution_id=new_execution_id(at, random.randbytes),
                task_id=task,
                input=b'{"json":{"orderId":%d,"cents":1999}}' % number,
                timeout_ms=60_000,
            )
            record = root_record(seed, now=at, label=Label(tags=tags))
            yield self._aged(record, random, left=self.rows - number)

    def _aged(self, record: ExecutionRecord, random: Random, *, left: int) -> ExecutionRecord:
        at = record.created_at
        if left <= 200 or (random.random() < 0.0002):
            return record
        taken = random.randrange(5, 2_000)
        luck = random.random()
        status: Status = "completed"
        if luck < 0.01:
            status = "failed" if luck < 0.008 else "timed_out"
        return msgspec.structs.replace(
            record,
            status=status,
            fence=1,
            executor_id="de_bench",
            started_at=at + 1,
            expires_at=at + 60_001,
            updated_at=at + taken,
            finished_at=at + taken,
            output=b'{"json":{"receipt":"r-2931"}}' if status == "completed" else None,
            error=_FAILURE if status in ERRORED else None,
        )


def lists(now: int, some_id: str) -> Mapping[str, Search]:
    """Return one search of each kind."""
    day = 86_400_000
    return {
        "newest first": Search(limit=50),
        "oldest first": Search(limit=50, order="oldest_first"),
        "a common task": Search(limit=50, task_ids=frozenset({"task_0"})),
        "a rare task": Search(limit=50, task_ids=frozenset({"rare"})),
        "a task that there is not": Search(limit=50, task_ids=frozenset({"nothing"})),
        "several tasks": Search(limit=50, task_ids=frozenset({"rare", "task_7", "task_8"})),
        "failures": Search(limit=50, statuses=ERRORED),
        "timed out": Search(limit=50, statuses=frozenset({"timed_out"})),
        "cancelled, of which there are none": Search(limit=50, statuses=frozenset({"cancelled"})),
        "failures of a task": Search(limit=50, statuses=ERRORED, task_ids=frozenset({"task_9"})),
        "failures of a rare task": Search(limit=50, statuses=ERRORED, task_ids=frozenset({"rare"})),
        "completed": Search(limit=50, statuses=frozenset({"completed"})),
        "ready": Search(limit=50, statuses=frozenset({"ready"})),
        "running, of which there are none": Search(limit=50, statuses=frozenset({"running"})),
        "waiting, of which there are none": Search(
            limit=50, statuses=frozenset({"waiting_for_children", "waiting_for_finalize"})
        ),
        "unfinished": Search(
            limit=50,
            statuses=frozenset(
                {"ready", "running", "waiting_for_children", "waiting_for_finalize"}
            ),
        ),
        "a tag": Search(limit=50, tags=(("tenant", "t7"),)),
        "a tag and failures": Search(limit=50, tags=(("tenant", "t7"),), statuses=ERRORED),
        "created a week ago": Search(
            limit=50,
            created_before=now - 7 * day,
            id_before=oldest_id_after(now - 7 * day),
        ),
        "finished a week ago": Search(
            limit=50,
            finished_before=now - 7 * day,
            id_before=oldest_id_after(now - 7 * day),
        ),
        "by the beginning of an id": Search(limit=50, id_from=some_id, id_before=some_id + "~"),
    }


async def fill(storage: SqlStorage, rows: int) -> tuple[int, str]:
    """Insert the rows; return the clock, and the beginning of an id in the middle."""
    now, some_id = await storage.now(), ""
    batch: list[ExecutionRecord] = []
    for number, record in enumerate(Month(rows, now).records()):
        batch.append(record)
        if number == rows // 2:
            some_id = record.execution_id[:12]
        if len(batch) == BATCH:
            await storage.insert(batch)
            batch.clear()
    await storage.insert(batch)
    return now, some_id


async def measure(storage: SqlStorage, name: str, search: Search) -> None:
    """Print how long a list takes, or the page after it if that is slower."""
    pages: list[float] = []
    found = 0
    for _ in range(2):
        took: list[float] = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            page = await storage.search(search)
            took.append((time.perf_counter() - begun) * 1000)
        found += len(page.records)
        pages.append(max(took))
        if page.next_cursor is None:
            break
        search = msgspec.structs.replace(search, cursor=page.next_cursor)
    tell(f"{name:36} {found:4} rows", max(pages))


def tell(name: str, milliseconds: float) -> None:
    """Print how long something takes."""
    mark = "  <-- slow" if milliseconds > BOUND_MS else ""
    print(f"  {name:46} {milliseconds:8.1f} ms{mark}", flush=True)


async def run(url: str, rows: int) -> Mapping[str, Request]:
    """Fill a database and measure all lists; return what to ask for over HTTP."""
    storage = open_storage(url)
    assert isinstance(storage, SqlStorage)
    async with AsyncExitStack() as stack:
        await storage.open()
        stack.push_async_callback(storage.close)
        begun = time.perf_counter()
        now, some_id = await fill(storage, rows)
        print(f"  {rows} rows in {time.perf_counter() - begun:.0f} s", flush=True)
        for name, search in lists(now, some_id).items():
            await measure(storage, name, search)
        tree_id = await grow_tree(url)
        children = await storage.search(Search(parent_execution_id=tree_id, limit=1))
        middle = await storage.search(Search(id_from=some_id, order="oldest_first", limit=1))
    return requests(
        middle.records[0].execution_id, tree_id, child_id=children.records[0].execution_id
    )


def main() -> None:
    """Run for every storage that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storages", default="sqlite-normal,postgres,mariadb")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    with Storages() as storages:
        for name in asked.storages.split(","):
            print(name)
            with storages.place(name, scale=1, minutes=0) as place:
                wanted = asyncio.run(run(place.url, asked.rows))
                took = measure_pages(place.url, [*TASKS, "rare"], wanted)
                for kind, milliseconds in took.items():
                    tell(kind, milliseconds)


if __name__ == "__main__":
    main()
