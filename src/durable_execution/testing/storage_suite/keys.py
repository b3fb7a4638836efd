"""Idempotency keys: one row for each task and key, whoever comes, however often; and tags."""

from __future__ import annotations

import asyncio

import msgspec

from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import DuplicateSleepingIdError, IdempotencyConflictError
from durable_execution.storage.search import Search
from durable_execution.testing.storage_suite.harness import Harness, check, check_same, ids

_ODD = "order 42: ü 雪 😀 '\"\\%_" + "x" * 200


async def check_insert_keeps_keys_and_tags(harness: Harness) -> None:
    """A key and tags come back as they were, on every way that returns rows."""
    tags = (("a.b-c_1", ""), ("long", "v" * 255), ("odd", _ODD[:255]))
    row = await _keyed(harness, _ODD, tags=tags)
    check(await harness.storage.insert([row]) == [None], "a new key was held already")
    await harness.expect(row)
    await harness.register()
    (running,) = (await harness.claim()).records
    check(running.idempotency_key == _ODD and running.tags == tags, "a claim returns others")
    await harness.complete(running)
    stored = await harness.read(row)
    check(stored.idempotency_key == _ODD and stored.tags == tags, "a finish changed them")


async def check_insert_with_a_held_key_returns_the_holder(harness: Harness) -> None:
    """The second row is not inserted; the first comes back as it is by now."""
    first = await _keyed(harness, "order")
    await harness.storage.insert([first])
    await harness.register()
    (running,) = (await harness.claim()).records
    second = await _keyed(harness, "order", input=b"other", tags=(("only", "second"),))
    plain = harness.records.root(await harness.storage.now())
    answers = await harness.storage.insert([plain, second])
    check(answers[0] is None and len(answers) == 2, "the answer does not follow the question")
    check_same(answers[1], running)
    check(await harness.storage.get([second.execution_id]) == [None], "the second row exists")
    await harness.expect(running, plain)


async def check_key_is_held_for_as_long_as_the_row_exists(harness: Harness) -> None:
    """A finished row keeps its key."""
    (done,) = await _insert_one(harness, "order")
    await harness.register()
    await harness.complete(*(await harness.claim()).records)
    again = await _keyed(harness, "order")
    (holder,) = await harness.storage.insert([again])
    check_same(holder, await harness.read(done))


async def check_keys_are_apart_for_each_task(harness: Harness) -> None:
    """Only the same key of the same task is the same, by every letter."""
    now = await harness.storage.now()
    rows = [
        harness.records.root(now, task_id=task_id, label=Label(idempotency_key=key))
        for task_id, key in [
            ("a", "1"),
            ("b", "1"),
            ("a", "11"),
            ("a", "x"),
            ("a", "X"),
            ("a", " "),
        ]
    ]
    check(await harness.storage.insert(rows) == [None] * 6, "another key was taken for it")
    await harness.expect(*rows)
    (holder,) = await harness.storage.insert(
        [harness.records.root(now, task_id="b", label=Label(idempotency_key="1"))]
    )
    check_same(holder, rows[1])


async def check_key_twice_in_one_batch(harness: Harness) -> None:
    """The earlier of two rows wins, the later is answered with it."""
    rows = [await _keyed(harness, key) for key in ("twice", "once", "twice", "twice")]
    answers = await harness.storage.insert(rows)
    check(answers[:2] == [None, None], "the first rows were not inserted")
    for answer in answers[2:]:
        check_same(answer, rows[0])
    check(await harness.storage.get(ids(rows[2:])) == [None, None], "a later row exists")
    await harness.expect(*rows[:2])


async def check_strict_insert_is_all_or_nothing(harness: Harness) -> None:
    """A key that was used with another input, before or in the batch, leaves no row at all."""
    first = await _keyed(harness, "order", input=b"1")
    await harness.storage.insert([first])
    plain = harness.records.root(await harness.storage.now())
    new = await _keyed(harness, "new", input=b"1", tags=(("tenant", "acme"),))
    for other in (
        await _keyed(harness, "order", input=b"2"),
        await _keyed(harness, "new", input=b"2"),
    ):
        rows = [plain, new, other]
        try:
            await harness.storage.insert(rows, strict_ids=frozenset(ids(rows)))
        except IdempotencyConflictError as conflict:
            check(conflict.idempotency_key == other.idempotency_key, "another key is named")
        else:
            raise AssertionError("a key was used with two inputs")
        check(await harness.storage.get(ids(rows)) == [None] * 3, "a row was inserted")
        found = await harness.storage.search(Search(tags=new.tags))
        check(found.records == (), "a tag was inserted")
    await harness.expect(first)


async def check_strict_insert_takes_the_same_input(harness: Harness) -> None:
    """Only strict rows complain, and only about another input."""
    first = await _keyed(harness, "order", input=b"1")
    await harness.storage.insert([first])
    same = await _keyed(harness, "order", input=b"1")
    lenient = await _keyed(harness, "order", input=b"2")
    rows = [same, lenient, harness.records.root(await harness.storage.now())]
    answers = await harness.storage.insert(rows, strict_ids=frozenset(ids([rows[0], rows[2]])))
    check_same(answers[0], first)
    check_same(answers[1], first)
    check(answers[2] is None, "a row without a key was held")
    await harness.expect(first, rows[2])


async def check_insert_with_key_repeated_is_harmless(harness: Harness) -> None:
    """An insert whose answer was lost is sent again: the row is not taken for another one."""
    row = await _keyed(harness, "again", tags=(("t", "v"),))
    await harness.storage.insert([row])
    check(await harness.storage.insert([row]) == [None], "a row was answered with itself")
    await harness.register()
    (running,) = (await harness.claim()).records
    check(await harness.storage.insert([row, row]) == [None] * 2, "a row was answered with itself")
    await harness.expect(running)


async def check_inserts_of_one_key_at_once(harness: Harness) -> None:
    """Of many inserts at the same moment, on two storages, one succeeds; all hear of that row."""
    storages = [harness.storage, await harness.second()]
    rows = [await _keyed(harness, "race") for _ in range(10)]
    answers = await asyncio.gather(
        *[storages[number % 2].insert([row]) for number, row in enumerate(rows)]
    )
    (winner,) = [row for row, (holder,) in zip(rows, answers, strict=True) if holder is None]
    for (holder,) in answers:
        check(holder is None or holder.execution_id == winner.execution_id, "two rows won")
    found = [row for row in await harness.storage.get(ids(rows)) if row is not None]
    check(ids(found) == [winner.execution_id], "not exactly one row was inserted")


async def check_key_is_noticed_before_a_sleeping_id(harness: Harness) -> None:
    """A sleeping row that is enqueued again under its key is found, not refused."""
    now = await harness.storage.now()
    label = Label(idempotency_key="wake")
    first, again, refused = [
        harness.records.sleeper(now, "bell", label=each)
        for each in (label, label, Label(idempotency_key="other"))
    ]
    await harness.storage.insert([first])
    (holder,) = await harness.storage.insert([again])
    check_same(holder, first)
    try:
        await harness.storage.insert([refused])
    except DuplicateSleepingIdError as error:
        check(error.sleeping_unique_id == "bell", f"names {error.sleeping_unique_id!r}")
    else:
        raise AssertionError("a taken sleeping id was accepted under a new key")
    check(await harness.storage.get([refused.execution_id]) == [None], "a refused row exists")


async def check_refused_batch_leaves_its_keys_free(harness: Harness) -> None:
    """All or nothing: a batch with a taken sleeping id inserts neither rows, keys nor tags."""
    now = await harness.storage.now()
    await harness.storage.insert([harness.records.sleeper(now, "taken")])
    row = await _keyed(harness, "free", tags=(("t", "v"),))
    try:
        await harness.storage.insert([row, harness.records.sleeper(now, "taken")])
    except DuplicateSleepingIdError:
        pass
    else:
        raise AssertionError("a taken sleeping id was accepted")
    later = await _keyed(harness, "free")
    check(await harness.storage.insert([later]) == [None], "the key is held by a row that is not")


async def check_children_do_not_take_keys(harness: Harness) -> None:
    """Children of a root with key and tags have neither, and are no obstacle to the key."""
    (root,) = await _insert_one(harness, "family", tags=(("t", "v"),))
    await harness.register()
    (running,) = (await harness.claim()).records
    _, children = await harness.spawn(running, 2)
    check(all(child.idempotency_key is None for child in children), "a child has a key")
    check(all(child.tags == () for child in children), "a child has tags")
    await harness.cancel(await harness.read(root))
    (holder,) = await harness.storage.insert([await _keyed(harness, "family")])
    check(holder is not None and holder.status == "cancelled", "the key's row is another one")


async def check_large_batch_of_keys(harness: Harness) -> None:
    """A thousand keys at once, half of them held."""
    rows = [await _keyed(harness, f"key {number}") for number in range(1000)]
    await harness.storage.insert(rows[:500])
    again = [
        msgspec.structs.replace(row, execution_id=harness.records.new_id()) for row in rows[:500]
    ]
    answers = await harness.storage.insert([*again, *rows[500:]])
    for answer, row in zip(answers, rows[:500], strict=False):
        check_same(answer, row)
    check(answers[500:] == [None] * 500, "a new key was held already")
    await harness.expect(*rows)


async def _keyed(
    harness: Harness,
    key: str,
    *,
    input: bytes = b'{"json":null}',
    tags: tuple[tuple[str, str], ...] = (),
) -> ExecutionRecord:
    now = await harness.storage.now()
    label = Label(idempotency_key=key, tags=tags)
    return harness.records.root(now, input=input, label=label)


async def _insert_one(
    harness: Harness, key: str, *, tags: tuple[tuple[str, str], ...] = ()
) -> list[ExecutionRecord]:
    rows = [await _keyed(harness, key, tags=tags)]
    await harness.storage.insert(rows)
    return rows


CHECKS = (
    check_insert_keeps_keys_and_tags,
    check_insert_with_a_held_key_returns_the_holder,
    check_key_is_held_for_as_long_as_the_row_exists,
    check_keys_are_apart_for_each_task,
    check_key_twice_in_one_batch,
    check_strict_insert_is_all_or_nothing,
    check_strict_insert_takes_the_same_input,
    check_insert_with_key_repeated_is_harmless,
    check_inserts_of_one_key_at_once,
    check_key_is_noticed_before_a_sleeping_id,
    check_refused_batch_leaves_its_keys_free,
    check_children_do_not_take_keys,
    check_large_batch_of_keys,
)
