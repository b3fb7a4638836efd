from __future__ import annotations

import re

from durable_execution._engine.ids import (
    NewIds,
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


def test_pool_of_randomness_is_drawn_again_when_it_is_used_up() -> None:
    new_id = NewIds()
    ids = [new_id(NOW + number // 100) for number in range(2000)]
    assert len(set(ids)) == len(ids)
    assert [each[:12] for each in ids] == sorted(each[:12] for each in ids)


def test_time_and_chance_are_where_they_belong() -> None:
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    instants = [0, 7, NOW, NOW + 1, 2**48 - 1]
    for byte in range(256):
        new_id = NewIds(lambda number, byte=byte: bytes([byte] * number))  # type: ignore[misc]
        for now in instants:
            value = 0
            for letter in new_id(now)[3:]:
                value = value << 5 | letters.index(letter)
            assert value >> 72 == now
            chance = sum((byte & 31) << 5 * place for place in range(14)) | (byte & 3) << 70
            assert value & (1 << 72) - 1 == chance


def test_bounds_of_ids_hold_for_ids_that_were_made_within_a_minute() -> None:
    instant = 1_700_000_000_000
    for late in (-59_000, 0, 59_000):
        assert newest_id_before(instant) < new_execution_id(instant + late)
        assert new_execution_id(instant + late) < oldest_id_after(instant)
    assert new_execution_id(instant - 61_000) < newest_id_before(instant)
    assert oldest_id_after(instant) < new_execution_id(instant + 61_000)
    assert newest_id_before(-5) < new_execution_id(0)
