from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution import DurableExecutor, InvalidInputError, TaskContext
from durable_execution._core.status import STATUSES
from durable_execution.dashboard.filters import Filters, read_filters, search_for_one

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

ids = st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=1, max_size=24).map("te_{}".format)
instants = st.integers(0, 4_000_000_000_000).map(
    lambda at: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
)
filters = st.builds(
    Filters,
    task=st.none() | st.text("abcXYZ_09", min_size=1, max_size=9),
    statuses=st.frozensets(st.sampled_from(sorted(STATUSES))),
    tag=st.none()
    | st.tuples(
        st.text("abc._-", min_size=1, max_size=5),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9).map(str.strip),
    ),
    id=st.none() | ids,
    created_from=st.none() | instants,
    created_before=st.none() | instants,
    roots_only=st.booleans(),
    cursor=st.none() | st.text("abcdef", min_size=1),
)


@given(filters)
def test_an_address_says_all_that_is_looked_for(given: Filters) -> None:
    assert read_filters(parse_qs(given.query(), keep_blank_values=True)) == given


def test_nothing_typed_is_no_filter() -> None:
    empty = {name: ["", "  "] for name in ("id", "task", "tag", "status", "from", "before")}

    assert read_filters(empty) == Filters()
    assert not read_filters({}).is_narrowed
    assert not Filters(cursor="x").is_narrowed
    assert Filters(task="a").is_narrowed
    assert Filters().query() == ""


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("id", "has spaces"),
        ("id", "é"),
        ("task", "no-dashes"),
        ("status", "sleepy"),
        ("tag", "customer"),
        ("tag", "no spaces=1"),
        ("tag", "nul=\0"),
        ("from", "yesterday"),
        ("from", "0001-01-01T00:00+23:59"),
        ("before", "2026-13-01T00:00"),
    ],
)
def test_what_is_malformed_is_named(field: str, text: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{field}|tag"):
        read_filters({field: [text]})


def test_times_without_a_zone_are_utc() -> None:
    assert read_filters({"from": ["2026-01-31T12:00"]}).created_from == NOON
    assert read_filters({"from": ["2026-01-31T13:00+01:00"]}).created_from == NOON


async def test_filters_find_what_they_say(executor: DurableExecutor) -> None:
    @executor.task
    async def greet(ctx: TaskContext) -> None: ...

    one = await executor.enqueue_task(greet, tags={"customer": "1"})
    two = await executor.enqueue_task(greet, tags={"customer": "2"})
    for handle in (one, two):
        await handle.result()

    async def found(**given: object) -> list[str]:
        wanted = Filters(**given)  # type: ignore[arg-type]
        page = await executor.search_stored_task_executions(wanted.search())
        return [record.execution_id for record in page.records]

    assert await found() == sorted([one.execution_id, two.execution_id], reverse=True)
    assert await found(tag=("customer", "1")) == [one.execution_id]
    assert await found(task="greet", statuses=frozenset({"completed"})) == await found()
    assert await found(task="other") == []
    assert await found(statuses=frozenset({"failed"})) == []
    assert await found(id=one.execution_id) == [one.execution_id]
    assert await found(id=one.execution_id[:8]) == await found()
    assert await found(id=one.execution_id + "0") == []
    now = datetime.now(UTC)
    assert await found(created_from=now - timedelta(minutes=1)) == await found()
    assert await found(created_from=now + timedelta(hours=1)) == []
    assert await found(created_before=now - timedelta(hours=1)) == []
    assert await found(id=one.execution_id, created_before=now - timedelta(hours=1)) == []


async def test_one_execution_is_found_by_its_id_alone(executor: DurableExecutor) -> None:
    @executor.task
    async def greet(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(greet)
    await executor.enqueue_task(greet)

    page = await executor.search_stored_task_executions(search_for_one(handle.execution_id))
    assert [record.execution_id for record in page.records] == [handle.execution_id]
    assert page.records[0].input
    for near in (handle.execution_id[:-1], handle.execution_id + "!"):
        page = await executor.search_stored_task_executions(search_for_one(near))
        assert page.records == ()


@pytest.mark.parametrize("execution_id", ["", "a b", "é", "x" * 101, "\0"])
def test_what_cannot_be_an_id_is_looked_for_nowhere(execution_id: str) -> None:
    with pytest.raises(InvalidInputError):
        search_for_one(execution_id)


def test_what_was_created_since_ever_has_no_lower_bound() -> None:
    search = Filters(created_from=datetime(1970, 1, 1, tzinfo=UTC)).search()
    assert (search.created_from, search.id_from) == (None, None)
