"""Searching: filters, order, pages; and counting."""

from __future__ import annotations

from itertools import product

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import InvalidInputError
from durable_execution.storage.search import Search
from durable_execution.testing.storage_suite.harness import (
    FAILED,
    Harness,
    check,
    check_same,
    ids,
)

_FILTERS: tuple[Search, ...] = (
    Search(),
    Search(task_ids=frozenset({"a"})),
    Search(task_ids=frozenset({"a", "b", "nobody"})),
    Search(task_ids=frozenset()),
    Search(statuses=frozenset({"completed"})),
    Search(statuses=frozenset({"failed", "ready"})),
    Search(statuses=frozenset({"running"})),
    Search(statuses=frozenset({"ready", "waiting_for_children", "waiting_for_finalize"})),
    Search(statuses=frozenset()),
    Search(is_root=True),
    Search(is_root=False),
    Search(tags=(("tenant", "acme"),)),
    Search(tags=(("tenant", "acme"), ("tier", "1"))),
    Search(tags=(("tier", "1"), ("tenant", "other"))),
    Search(tags=(("tenant", ""),)),
    Search(tags=(("TENANT", "acme"),)),
    Search(tags=(("tenant", "acme"),), statuses=frozenset({"ready"}), is_root=True),
    Search(tags=(("tenant", "acme"),), is_root=False),
)

_MANY = 2_100
"""More than an SQL storage looks at first for what no index leads to."""


async def check_search_finds_what_matches(harness: Harness) -> None:
    """Every filter, and filters together, find just the rows that `Search.matches` names."""
    rows = await _scene(harness)
    await _expect_found(harness, rows, *_FILTERS)
    tasks, statuses = frozenset({"a", "task"}), frozenset({"failed", "completed", "ready"})
    pairs = [
        msgspec.structs.replace(search, task_ids=tasks, statuses=statuses) for search in _FILTERS
    ]
    await _expect_found(harness, rows, *pairs)


async def check_search_by_instants(harness: Harness) -> None:
    """A range includes its beginning and excludes its end; a row without the instant is outside."""
    rows = await _scene(harness)
    created = sorted({row.created_at for row in rows})
    finished = sorted({row.finished_at for row in rows if row.finished_at is not None})
    check(len(created) > 3 and len(finished) > 2, "the scene is too short")
    await _expect_found(
        harness,
        rows,
        *[Search(created_from=instant) for instant in created],
        *[Search(created_before=instant) for instant in created],
        *[Search(finished_from=instant) for instant in finished],
        *[Search(finished_before=instant) for instant in finished],
        Search(created_from=created[1], created_before=created[3]),
        Search(finished_from=finished[0], finished_before=finished[-1]),
        Search(created_from=created[1], finished_before=finished[-1]),
    )


async def check_search_by_place_in_a_tree(harness: Harness) -> None:
    """Children are found by their parent, all that is below by the root."""
    rows = await _scene(harness)
    parents = {row.parent_execution_id for row in rows} | {rows[0].execution_id, "no such row"}
    for parent_id in parents - {None}:
        await _expect_found(
            harness,
            rows,
            Search(parent_execution_id=parent_id),
            Search(root_execution_id=parent_id),
            Search(parent_execution_id=parent_id, statuses=frozenset({"completed"})),
            Search(root_execution_id=parent_id, statuses=frozenset({"ready"})),
            Search(root_execution_id=parent_id, is_root=True),
            Search(parent_execution_id=parent_id, tags=(("tenant", "acme"),)),
        )


async def check_search_by_ids(harness: Harness) -> None:
    """Ids bound a search, with every order and every leading filter."""
    rows = sorted(await _scene(harness), key=_id)
    low, high = rows[2].execution_id, rows[-3].execution_id
    for search in (Search(), Search(tags=(("tenant", "acme"),)), Search(is_root=False)):
        expected = [row for row in rows if low <= row.execution_id < high and search.matches(row)]
        for order in ("oldest_first", "newest_first"):
            page = await harness.storage.search(
                msgspec.structs.replace(search, id_from=low, id_before=high, order=order)
            )
            wanted = expected if order == "oldest_first" else expected[::-1]
            check(ids(page.records) == ids(wanted), f"{order}: found {ids(page.records)}")


async def check_search_goes_page_by_page(harness: Harness) -> None:
    """Cursors lead through all rows once, in both orders, whatever the size of a page."""
    rows = sorted(await _scene(harness), key=_id)
    searches = (Search(), Search(tags=(("tenant", "acme"),)), Search(is_root=False))
    for search, limit, order in product(searches, (1, 2, 1000), ("oldest_first", "newest_first")):
        paged = msgspec.structs.replace(search, limit=limit, order=order)
        found = await _all_pages(harness, paged)
        expected = [row.execution_id for row in rows if search.matches(row)]
        check(found == (expected if order == "oldest_first" else expected[::-1]), f"{paged}")
    exact = Search(limit=len(rows))
    check((await harness.storage.search(exact)).next_cursor is None, "a full last page has more")


async def check_search_finds_what_is_far(harness: Harness) -> None:
    """What runs is found at both ends of thousands that do not run, page by page."""
    old = await harness.running(3)
    between = await harness.insert_roots(_MANY, task_id="b")
    new = await harness.running(3)
    expected = ids([*old, *new])
    running = Search(statuses=frozenset({"running"}))
    for limit, order in product((2, 4, 100), ("oldest_first", "newest_first")):
        paged = msgspec.structs.replace(running, limit=limit, order=order)
        found = await _all_pages(harness, paged)
        check(found == (expected if order == "oldest_first" else expected[::-1]), f"{paged}")
    bounds = {"id_from": old[1].execution_id, "id_before": new[2].execution_id}
    page = await harness.storage.search(msgspec.structs.replace(running, **bounds))
    check(ids(page.records) == expected[4:0:-1], "bounds of ids are passed over")
    unfinished = msgspec.structs.replace(running, statuses=frozenset({"ready", "running"}), limit=9)
    page = await harness.storage.search(unfinished)
    newest = sorted(ids([*between, *new]), reverse=True)
    check(ids(page.records) == newest[: unfinished.limit], "the newest page is another one")


async def check_pages_survive_changes_between_them(harness: Harness) -> None:
    """Rows that come meanwhile make no other row appear twice or not at all."""
    before = await harness.insert_roots(6)
    first = await harness.storage.search(Search(limit=3))
    await harness.insert_roots(4)
    rest = await harness.storage.search(Search(limit=100, cursor=first.next_cursor))
    check(ids(first.records) + ids(rest.records) == ids(before)[::-1], "a row moved")


async def check_search_refuses_foreign_cursors(harness: Harness) -> None:
    """A cursor that no search returned, or one of the other order, is an error that says so."""
    await harness.insert_roots(3)
    cursor = (await harness.storage.search(Search(limit=1))).next_cursor or ""
    bad = ["", "x", "!", cursor + "!", cursor[:-1], f" {cursor}", "x" * 10_000, "ü", "\ud800", "bg"]
    searches = [Search(cursor=each) for each in bad]
    for search in [*searches, Search(cursor=cursor, order="oldest_first")]:
        try:
            await harness.storage.search(search)
        except InvalidInputError as error:
            check("cursor" in error.message, f"the error does not name the cursor: {error}")
        else:
            raise AssertionError(f"the cursor {search.cursor!r} was accepted")


async def check_search_limits_are_checked(harness: Harness) -> None:
    """A page has 1 to 1,000 rows."""
    await harness.insert_roots(3)
    for limit in (0, -1, 1001):
        try:
            Search(limit=limit)
        except InvalidInputError as error:
            check("limit" in error.message, f"the error does not name the limit: {error}")
        else:
            raise AssertionError(f"the limit {limit} was accepted")


async def check_search_returns_payloads_only_when_asked(harness: Harness) -> None:
    """Without payloads all other fields are there."""
    rows = {row.execution_id: row for row in await _scene(harness)}
    for row in (await harness.storage.search(Search(with_payloads=True))).records:
        check_same(row, rows[row.execution_id])
    for row in (await harness.storage.search(Search())).records:
        full = rows[row.execution_id]
        check_same(row, msgspec.structs.replace(full, input=b"", run_output=None, output=None))


async def check_search_sees_rows_as_they_are(harness: Harness) -> None:
    """A row is found by its status of now, and no more by the one before."""
    (row,) = await harness.insert_roots()
    await harness.register()
    await harness.claim()
    ready, running = (Search(statuses=frozenset({each})) for each in ("ready", "running"))
    check((await harness.storage.search(ready)).records == (), "found by a status it had")
    found = (await harness.storage.search(running)).records
    check(ids(found) == [row.execution_id], "not found by its status")


async def check_counts_by_task_and_status(harness: Harness) -> None:
    """Every row is counted once, and nothing is counted that is not there."""
    check(await harness.storage.counts() == {}, "an empty storage counts rows")
    rows = await _scene(harness)
    expected: dict[str, dict[str, int]] = {}
    for row in rows:
        of_task = expected.setdefault(row.task_id, {})
        of_task[row.status] = of_task.get(row.status, 0) + 1
    counts = await harness.storage.counts()
    check(counts == expected, f"counted {counts}, expected {expected}")
    some = await harness.storage.counts(frozenset({"a", "nobody"}))
    check(some == {"a": expected["a"]}, f"counted {some} of one task")
    check(await harness.storage.counts(frozenset()) == {}, "counted rows of no task")


async def _scene(harness: Harness) -> list[ExecutionRecord]:
    """Rows of several tasks, statuses, instants, tags and places; returns all as they are."""
    acme = Label(tags=(("tenant", "acme"),))
    tagged = (
        acme,
        Label(tags=(("tenant", "acme"), ("tier", "1"))),
        Label(tags=(("tenant", "other"), ("tier", "1"))),
        Label(tags=(("tenant", ""),)),
        Label(),
    )
    made: list[ExecutionRecord] = []
    for task_id, label in product(("a", "b"), tagged):
        now = await harness.storage.now()
        made.append(harness.records.root(now, task_id=task_id, label=label))
        await harness.storage.insert(made[-1:])
        await harness.advance(10)
    parent, children = await harness.waiting(3)
    (first, *_) = (await harness.claim(limit=1)).records
    _, leaves = await harness.spawn(first, 2)
    made += [parent, *children, *leaves]
    await harness.advance(10)
    claimed = list((await harness.claim("a", "task", limit=5)).records)
    while claimed:
        now = await harness.storage.now()
        row = claimed.pop()
        fails = len(claimed) % 2 == 0
        await harness.apply_all(
            law.fail(row, status="failed", error=FAILED, now=now)
            if fails
            else law.complete(row, output=b"[1]", now=now)
        )
        await harness.advance(7)
    return [await harness.read(row) for row in made]


async def _expect_found(harness: Harness, rows: list[ExecutionRecord], *searches: Search) -> None:
    for search in searches:
        page = await harness.storage.search(search)
        expected = sorted((_id(row) for row in rows if search.matches(row)), reverse=True)
        check(ids(page.records) == expected, f"{search} found {ids(page.records)}")
        check(page.next_cursor is None, f"{search} promises more")


async def _all_pages(harness: Harness, search: Search) -> list[str]:
    found: list[str] = []
    while True:
        page = await harness.storage.search(search)
        check(len(page.records) <= search.limit, "a page is larger than its limit")
        found += ids(page.records)
        if page.next_cursor is None:
            return found
        search = msgspec.structs.replace(search, cursor=page.next_cursor)


def _id(row: ExecutionRecord) -> str:
    return row.execution_id


CHECKS = (
    check_search_finds_what_matches,
    check_search_by_instants,
    check_search_by_place_in_a_tree,
    check_search_by_ids,
    check_search_goes_page_by_page,
    check_search_finds_what_is_far,
    check_pages_survive_changes_between_them,
    check_search_refuses_foreign_cursors,
    check_search_limits_are_checked,
    check_search_returns_payloads_only_when_asked,
    check_search_sees_rows_as_they_are,
    check_counts_by_task_and_status,
)
