from __future__ import annotations

from durable_execution.dashboard import logins
from durable_execution.dashboard.logins import LoginAttempts


def test_a_client_waits_after_as_many_failures_as_may_be() -> None:
    attempts = LoginAttempts(of_client=2, window=60)
    attempts.failed("a", now=0)
    assert attempts.wait_before("a", now=1) == 0
    attempts.failed("a", now=10)

    assert attempts.wait_before("a", now=20) == 40
    assert attempts.wait_before("b", now=20) == 0
    assert attempts.wait_before("a", now=60) == 0


def test_failures_that_go_on_make_for_more_waiting() -> None:
    attempts = LoginAttempts(of_client=2, window=60)
    for now in (0, 10, 60):
        attempts.failed("a", now=now)

    assert attempts.wait_before("a", now=61) == 9


def test_many_clients_together_are_bounded_too() -> None:
    attempts = LoginAttempts(of_client=10, of_all=3, window=60)
    for place in range(3):
        attempts.failed(str(place), now=place)

    assert attempts.wait_before("somebody else", now=5) == 55


def test_who_gets_in_has_not_failed() -> None:
    attempts = LoginAttempts(of_client=1, of_all=1, window=60)
    attempts.failed("a", now=0)
    attempts.succeeded("a")

    assert attempts.wait_before("a", now=0) == 0
    attempts.succeeded("never seen")


def test_strangers_do_not_fill_the_memory() -> None:
    attempts = LoginAttempts()
    for place in range(logins.MOST_CLIENTS + 100):
        attempts.failed(str(place), now=float(place))

    assert len(attempts._clients) == logins.MOST_CLIENTS
