from __future__ import annotations

import re

from durable_execution._engine.ids import (
    new_execution_id,
    new_executor_id,
    newest_id_before,
    oldest_id_after,
)

NOW = 1_700_000_000_000


def test_ids_have_the_reference_s_shape() -> None:
    assert re.fullmatch(r"te_[0-9a-hjkmnp-tv-z]{24}", new_execution_id(NOW))
    assert re.fullmatch(r"de_[0-9a-hjkmnp-tv-z]{8}", new_executor_id())


def test_ids_are_in_the_order_of_time() -> None:
    instants = [0, 1, NOW, NOW + 1, NOW + 1000, 2**48 - 1]
    ids = [new_execution_id(now) for now in instants]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {27}


def test_ids_of_one_instant_are_unique() -> None:
    assert len({new_execution_id(NOW) for _ in range(10_000)}) == 10_000


def test_bounds_of_ids_hold_for_ids_that_were_made_within_a_minute() -> None:
    instant = 1_700_000_000_000
    for late in (-59_000, 0, 59_000):
        assert newest_id_before(instant) < new_execution_id(instant + late)
        assert new_execution_id(instant + late) < oldest_id_after(instant)
    assert new_execution_id(instant - 61_000) < newest_id_before(instant)
    assert oldest_id_after(instant) < new_execution_id(instant + 61_000)
    assert newest_id_before(-5) < new_execution_id(0)
