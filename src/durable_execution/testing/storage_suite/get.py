"""Looking up: by id, by sleeping id, by parent."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution.testing.storage_suite.harness import Harness, check, check_same, ids


async def check_get_answers_in_the_order_of_the_ids(harness: Harness) -> None:
    """Unknown ids are None in their place, repeated ids are repeated."""
    first, second = await harness.insert_roots(2)
    wanted = [second.execution_id, "no such row", first.execution_id, second.execution_id]
    found = await harness.storage.get(wanted)
    check(len(found) == 4 and found[1] is None, "the answer does not follow the question")
    for row, expected in zip(found[::2], [second, first], strict=True):
        check_same(row, expected)
    check_same(found[3], second)


async def check_get_of_nothing(harness: Harness) -> None:
    """No ids, no rows."""
    await harness.insert_roots()
    check(await harness.storage.get([]) == [], "no id gave a row")
    check(await harness.storage.children_of([]) == [], "no parent gave a child")


async def check_get_treats_ids_as_text(harness: Harness) -> None:
    """An id is never a pattern, a number, or a piece of a statement."""
    parent, _ = await harness.waiting(1)
    longer = f"{parent.execution_id}\0"
    odd = [
        longer,
        "\ud800",
        "",
        "%",
        "_",
        "'",
        '"',
        "\\",
        "x%",
        "0",
        "1e0",
        "null",
        "雪😀",
        "x" * 10_000,
        "a,b",
        "[]",
    ]
    check(await harness.storage.get(odd) == [None] * len(odd), "an odd id found a row")
    check(await harness.storage.children_of(odd) == [], "an odd id has children")
    last = await harness.storage.last_children_of(odd)
    check(last == [None] * len(odd), "an odd id has a last child")


async def check_get_of_a_thousand(harness: Harness) -> None:
    """A thousand ids are one question."""
    rows = await harness.insert_roots(1000)
    found = await harness.storage.get(ids(rows)[::-1])
    check(found == rows[::-1], "a thousand ids did not bring their thousand rows")


async def check_get_by_sleeping_unique_id(harness: Harness) -> None:
    """A sleeping row is found by its unique id, before and after its end."""
    now = await harness.storage.now()
    sleeper = harness.records.sleeper(now, "door bell")
    await harness.storage.insert([sleeper, harness.records.sleeper(now, "door")])
    check_same(await harness.storage.get_by_sleeping_unique_id("door bell"), sleeper)
    check(await harness.storage.get_by_sleeping_unique_id("bell") is None, "found half an id")
    await harness.apply_all(law.wake_up(sleeper, output=b"1", error=None, now=now))
    found = await harness.storage.get_by_sleeping_unique_id("door bell")
    check(found is not None and found.status == "completed", "the woken row is not found")


async def check_children_come_by_parent_and_index(harness: Harness) -> None:
    """Children: grouped in the order of the parents, by index, the finalize child last."""
    now = await harness.storage.now()
    parents = await harness.insert_roots(3)
    last, first, empty = parents
    finalize = harness.records.child(first, now, index=0, is_finalize=True)
    firsts = [harness.records.child(first, now, index=index) for index in (2, 10, 1)]
    lasts = [harness.records.child(last, now, index=index) for index in (1, 0)]
    grandchild = harness.records.child(firsts[0], now)
    await harness.storage.insert([finalize, *firsts, *lasts, grandchild])
    found = await harness.storage.children_of(ids([first, empty, last, first]))
    expected = [firsts[2], firsts[0], firsts[1], finalize, lasts[1], lasts[0]]
    check(ids(found) == ids(expected), f"expected {ids(expected)}, got {ids(found)}")
    for row, wanted in zip(found, expected, strict=True):
        check_same(row, wanted)


async def check_children_without_payloads(harness: Harness) -> None:
    """Lists of children leave payloads out, and nothing else."""
    parent, _ = await harness.waiting(2)
    first, second = (await harness.claim()).records
    now = await harness.storage.now()
    await harness.complete(first, output=b"a large output")
    await harness.apply_all(law.spawn(second, run_output=b"large", children=(), now=now))
    full = await harness.storage.children_of([parent.execution_id])
    check([row.input for row in full] != [b"", b""], "the scene has no payloads")
    light = await harness.storage.children_of([parent.execution_id], with_payloads=False)
    check(len(light) == 2, "not both children")
    for row, whole in zip(light, full, strict=True):
        expected = msgspec.structs.replace(whole, input=b"", run_output=None, output=None)
        check_same(row, expected)


async def check_last_children(harness: Harness) -> None:
    """The last child: the finalize child, or the one of highest index; by parent, in order."""
    now = await harness.storage.now()
    parents = await harness.insert_roots(3)
    loop, joined, empty = parents
    turns = [harness.records.child(loop, now, index=index) for index in (0, 10, 9)]
    finalize = harness.records.child(joined, now, index=0, is_finalize=True)
    others = [harness.records.child(joined, now, index=index) for index in (1, 2)]
    await harness.storage.insert([*turns, finalize, *others])
    wanted = ids([joined, empty, loop, joined])
    found = await harness.storage.last_children_of([*wanted, "no such row"])
    check(len(found) == 5 and found[1] is None and found[4] is None, f"found {found}")
    check_same(found[0], finalize)
    check_same(found[2], turns[1])
    check_same(found[3], finalize)
    check(await harness.storage.last_children_of([]) == [], "no parent gave a child")


CHECKS = (
    check_get_answers_in_the_order_of_the_ids,
    check_get_of_nothing,
    check_get_treats_ids_as_text,
    check_get_of_a_thousand,
    check_get_by_sleeping_unique_id,
    check_children_come_by_parent_and_index,
    check_children_without_payloads,
    check_last_children,
)
