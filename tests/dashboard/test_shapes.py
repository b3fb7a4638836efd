from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution.dashboard.shapes import MAX_SHAPE, grouped, shape_of
from durable_execution.errors import StoredError
from tests.dashboard.rows import row


@pytest.mark.parametrize(
    ("one", "other", "shape"),
    [
        ("order 17 not found", "order 4,211 not found", "order ‹n› not found"),
        ("took 1.5 s", "took 20 s", "took ‹n› s"),
        (
            "no user 2f1c9b3e-7a51-4a51-8b0e-0d2f6a1b9c3d",
            "no user 00000000-0000-4000-8000-000000000000",
            "no user ‹id›",
        ),
        ("lost te_06h1fgm4pj8zatdap1391qvz", "lost te_06h1fgm0000000000000000z", "lost ‹id›"),
        ("no 'apples'", 'no "pears"', "no ‹text›"),
        ("10.0.0.7 refused", "192.168.1.20 refused", "‹address› refused"),
        ("at 2026-01-31T12:00:00Z", "at 2026-02-01 09:30:11.250", "at ‹time›"),
        ("commit deadbeef01", "commit 0123456789abcdef", "commit ‹hex›"),
        ("object at 0x7f3a", "object at 0xFFFF0", "object at ‹hex›"),
        ("two\n  lines", "two lines", "two lines"),
    ],
)
def test_the_same_failure_has_the_same_shape(one: str, other: str, shape: str) -> None:
    assert shape_of(one) == shape_of(other) == shape


def test_different_failures_have_different_shapes() -> None:
    messages = ["connection refused", "connection reset", "deadbeef is a word", "facade"]
    assert len({shape_of(message) for message in messages}) == len(messages)


@given(st.text(max_size=500))
def test_a_shape_is_bounded_and_shaping_it_again_changes_nothing_of_its_bounds(text: str) -> None:
    assert len(shape_of(text)) <= MAX_SHAPE + 1


@pytest.mark.parametrize("unit", ["'", '"', "a1", "1.", "1-", "te_", "0x", "'a", "\n1:"])
def test_hostile_messages_take_no_time(unit: str) -> None:
    begun = time.thread_time()
    shape_of(unit * 10_000)
    assert time.thread_time() - begun < 0.2


def test_groups_are_by_task_and_shape_largest_first() -> None:
    def failed(task_id: str, message: str) -> object:
        return row(task_id=task_id, status="failed", error=StoredError(message=message))

    records = [
        failed("a", "order 1"),
        failed("b", "order 1"),
        failed("b", "order 2"),
        failed("b", "timeout"),
    ]
    groups = grouped(records)  # type: ignore[arg-type]

    assert [(group.task_id, group.shape, len(group.records)) for group in groups] == [
        ("b", "order ‹n›", 2),
        ("a", "order ‹n›", 1),
        ("b", "timeout", 1),
    ]
    assert groups[0].newest is records[1]


def test_what_can_be_retried_of_a_group_are_the_roots_of_its_trees() -> None:
    root = row(execution_id="te_root")
    children = [
        row(execution_id=f"te_{place}", root_execution_id="te_root", parent_execution_id="te_root")
        for place in range(2)
    ]

    (group,) = grouped([root, *children])
    assert group.roots == ["te_root"]
