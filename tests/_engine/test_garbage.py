from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from durable_execution import tune_garbage_collector


@pytest.fixture
def restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("restored")
def test_what_exists_is_looked_through_no_more_and_cycles_still_go() -> None:
    tune_garbage_collector()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] > 10_000
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
