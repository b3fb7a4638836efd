from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from durable_execution.dashboard.charts import HEIGHT, WIDTH, chart_of, round_up


def test_a_line_goes_from_the_left_to_the_right() -> None:
    chart = chart_of([("n", [(0, 0.0), (50, 5.0), (100, 10.0)])], begin=0, end=100, step=50)

    assert chart.top == 10
    assert chart.lines[0].path == "M0.0 120.0L300.0 60.0L600.0 0.0"
    assert chart.lines[0].area == "M0.0 120.0L300.0 60.0L600.0 0.0V120H0.0Z"
    assert chart.lines[0].last == 10


def test_a_line_is_broken_where_nobody_looked() -> None:
    chart = chart_of([("n", [(0, 1.0), (10, 1.0), (90, 1.0)])], begin=0, end=100, step=10)
    assert chart.lines[0].path.count("M") == 2


def test_what_is_not_known_is_not_drawn() -> None:
    chart = chart_of([("n", [(0, None), (10, None)])], begin=0, end=10, step=10)

    assert not chart.lines[0].path
    assert chart.lines[0].last is None
    assert chart.top == 1


def test_the_scale_ends_at_a_round_number() -> None:
    values = (0, 0.3, 1, 1.1, 4.9, 5, 99, 101)
    assert [round_up(value) for value in values] == [1, 1, 1, 1.5, 5, 5, 100, 150]


numbers = st.floats(0, 1e12)


@given(st.lists(st.tuples(st.integers(-10, 110), numbers | st.none())))
def test_every_point_lies_within_the_chart(points: list[tuple[int, float | None]]) -> None:
    chart = chart_of([("n", sorted(points, key=lambda point: point[0]))], begin=0, end=100, step=5)

    for x, y in re.findall(r"([\d.e+-]+) ([\d.e+-]+)", chart.lines[0].path):
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT


@given(numbers)
def test_no_value_is_above_the_scale(value: float) -> None:
    assert value <= round_up(value) * (1 + 1e-9)
