from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace

import msgspec
import pytest

from durable_execution import InMemoryStorage
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine import trees
from durable_execution._engine.trees import MAX_DEPTH, Bounds, Grown, tree_below
from durable_execution.testing.records import RecordBuilder

NOW = 1_000_000
PAYLOAD = b'{"json":"%s"}' % (b"x" * 89)
"""A hundred bytes."""


class Forest(InMemoryStorage):
    """A storage in which trees are planted whole, and that tells how it is read."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOW)
        self.builder = RecordBuilder()
        self.got: list[int] = []
        self.listed: list[int] = []

    async def plant(self, *widths: int) -> ExecutionRecord:
        """Insert a root, and so many children of each row of a generation."""
        root = self.builder.root(NOW, input=PAYLOAD)
        rows, generation = [], [root]
        for width in (*widths, 0):
            below: list[ExecutionRecord] = []
            for row in generation:
                children = self.builder.children(row, NOW, width)
                below += (msgspec.structs.replace(each, input=PAYLOAD) for each in children)
                waiting = NOW if width else None
                rows.append(
                    msgspec.structs.replace(
                        row, children_count=width, waiting_for_children_at=waiting
                    )
                )
            generation = below
        await self.insert(rows)
        return rows[0]

    async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
        self.got.append(len(execution_ids))
        return await super().get(execution_ids)

    async def children_of(
        self, parent_execution_ids: Sequence[str], *, with_payloads: bool = True
    ) -> list[ExecutionRecord]:
        assert not with_payloads
        self.listed.append(len(parent_execution_ids))
        return await super().children_of(parent_execution_ids, with_payloads=with_payloads)


def left_out(tree: Sequence[Grown]) -> dict[int, int]:
    """Where in a tree how many are left out."""
    return {index: each.left_out for index, each in enumerate(tree) if each.left_out}


async def test_parents_come_before_their_children_in_order() -> None:
    forest = Forest()
    root = await forest.plant(2, 3)
    tree = await tree_below(forest, root, Bounds(rows=100))
    assert len(tree) == 9
    seen: list[str | None] = [None]
    for each in tree:
        assert each.record.parent_execution_id in seen
        assert each.record.input == PAYLOAD
        seen.append(each.record.execution_id)
    assert [each.record.index_in_parent for each in tree] == [0, 0, 1, 0, 1, 2, 0, 1, 2]
    assert left_out(tree) == {}
    assert forest.listed == [1, 2]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(0, {0: 2}), (1, {0: 1, 1: 3}), (2, {1: 3, 2: 3}), (4, {1: 1, 2: 3}), (6, {2: 2}), (8, {})],
    ids=str,
)
async def test_what_is_left_out_is_counted_where_it_would_be(
    rows: int, expected: dict[int, int]
) -> None:
    forest = Forest()
    root = await forest.plant(2, 3)
    tree = await tree_below(forest, root, Bounds(rows=rows))
    assert len(tree) == rows + 1
    assert left_out(tree) == expected


async def test_a_tree_is_shown_so_deep_and_no_deeper() -> None:
    forest = Forest()
    root = await forest.plant(*[1] * (MAX_DEPTH + 1))
    tree = await tree_below(forest, root, Bounds(rows=1_000))
    assert left_out(tree) == {MAX_DEPTH: 1}


async def test_children_of_many_parents_are_read_in_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trees, "_PARENTS", 3)
    forest = Forest()
    root = await forest.plant(7, 1)
    assert len(await tree_below(forest, root, Bounds(rows=100))) == 15
    assert forest.listed == [1, 3, 3, 1]
    monkeypatch.setattr(trees, "_ROWS", 4)
    forest = Forest()
    root = await forest.plant(3, 3)
    assert len(await tree_below(forest, root, Bounds(rows=100))) == 13
    assert forest.listed == [1, 1, 1, 1]


async def test_of_more_children_than_are_read_together_only_some_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trees, "_ROWS", 4)
    monkeypatch.setattr(trees, "MAX_PAGE", 2)
    forest = Forest()
    root = await forest.plant(9)
    tree = await tree_below(forest, root, Bounds(rows=5))
    assert [each.record.index_in_parent for each in tree] == [0, 0, 1, 2, 3, 4]
    assert (left_out(tree), forest.listed) == ({0: 4}, [])
    tree = await tree_below(forest, root, Bounds(rows=50))
    assert (len(tree), left_out(tree), forest.listed) == (10, {}, [])


async def test_payloads_are_read_few_at_a_time_and_only_so_many() -> None:
    forest = Forest()
    root = await forest.plant(100)
    tree = await tree_below(forest, root, Bounds(rows=100, payload_bytes=5_000))
    assert [each.has_payloads for each in tree] == [True] * 51 + [False] * 50
    assert max(forest.got) == 16
    forest.got.clear()
    tree = await tree_below(forest, root, Bounds(rows=100, payload_bytes=1_000_000))
    assert all(each.record.input == PAYLOAD for each in tree)
    assert forest.got == [16, 32, 52]


async def test_time_that_is_over_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr(trees, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    forest = Forest()
    root = await forest.plant(2, 1)
    # The first look at the clock is that of the bounds, the second before the first children.
    tree = await tree_below(forest, root, Bounds(rows=100, seconds=1.5))
    assert left_out(tree) == {1: 1, 2: 1}
    assert not any(each.has_payloads for each in tree[1:])


async def test_what_is_deleted_meanwhile_is_shown_as_it_was() -> None:
    class Deleting(Forest):
        async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
            return [None for _ in execution_ids]

    forest = Deleting()
    root = await forest.plant(2)
    tree = await tree_below(forest, root, Bounds(rows=100))
    assert [each.has_payloads for each in tree] == [True, False, False]
