from __future__ import annotations

from durable_execution._engine.ahead import Ahead


def learned(*seconds: float, threads: int = 8) -> Ahead:
    ahead = Ahead(threads, soon=0.05)
    for each in seconds:
        ahead.note(each)
    return ahead


def test_nothing_waits_for_functions_that_nobody_knows() -> None:
    assert learned().places == 0
    assert learned(0.001, 0.001, 0.001).places == 0


def test_as_many_wait_as_begin_in_a_moment() -> None:
    assert learned(*[0.05] * 50).places == 8
    assert learned(*[0.025] * 50).places == 16


def test_only_so_many_wait_for_a_thread_however_short_they_are() -> None:
    assert learned(*[0.0] * 200).places == 24


def test_one_long_function_is_remembered_for_a_while() -> None:
    short = [0.001] * 60
    assert learned(*short, 0.06).places == 0
    assert learned(*short, 0.06, *[0.001] * 10).places == 19


def test_nothing_waits_after_a_wait_in_vain() -> None:
    ahead = learned(*[0.001] * 60)
    ahead.note_vain_wait()
    assert ahead.places == 0
