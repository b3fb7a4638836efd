from __future__ import annotations

from durable_execution._engine.commits import PATIENT_TRIES
from durable_execution._engine.patience import Patience


def pauses(jitter: float, count: int) -> list[float]:
    patience = Patience(lambda: jitter)
    return [patience.next_pause() for _ in range(count)]


def test_callers_wait_for_about_two_seconds() -> None:
    shortest, longest = (sum(pauses(jitter, PATIENT_TRIES - 1)) for jitter in (0.0, 1.0))
    assert 1 < shortest < 2 < longest < 3


def test_pauses_double_up_to_a_second() -> None:
    assert pauses(1.0, 8) == [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_chance_takes_away_half_a_pause_at_most() -> None:
    assert pauses(0.0, 8) == [each / 2 for each in pauses(1.0, 8)]


def test_patience_begins_anew_after_a_success() -> None:
    patience = Patience(lambda: 1.0)
    patience.next_pause()
    patience.reset()
    assert patience.next_pause() == 0.025
