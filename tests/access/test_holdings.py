from __future__ import annotations

import random
from typing import Any

import pytest

from durable_execution.access import Bounds
from durable_execution.access.holdings import (
    COUNTED_OF_A_BODY,
    ExceededError,
    Holding,
    Holdings,
    client_at,
)


def held(holdings: Holdings, client: str) -> Holding:
    holding = holdings.begin()
    holding.is_of(client)
    return holding


def test_client_may_hold_so_many_calls_and_others_as_many() -> None:
    holdings = Holdings(Bounds(calls=2))
    first, _ = held(holdings, "a"), held(holdings, "a")
    third = holdings.begin()
    with pytest.raises(ExceededError) as raised:
        third.is_of("a")
    assert (raised.value.what, raised.value.is_of_client) == ("calls", True)
    third.release()
    held(holdings, "b")
    first.release()
    held(holdings, "a")


def test_all_together_may_hold_so_many_calls() -> None:
    holdings = Holdings(Bounds(total_calls=1))
    holding = holdings.begin()  # whoever is not known yet counts
    with pytest.raises(ExceededError) as raised:
        holdings.begin()
    assert (raised.value.what, raised.value.is_of_client) == ("total_calls", False)
    holding.release()
    holdings.begin()


def test_call_that_becomes_a_stream_leaves_room_for_a_call() -> None:
    holdings = Holdings(Bounds(calls=1, streams=1, total_calls=1))
    stream = held(holdings, "a")
    stream.becomes_stream()
    stream.becomes_stream()  # which it is already
    second = held(holdings, "a")
    with pytest.raises(ExceededError, match="streams"):
        second.becomes_stream()
    stream.release()
    second.becomes_stream()


def test_all_together_may_hold_so_many_streams() -> None:
    holdings = Holdings(Bounds(total_streams=1))
    held(holdings, "a").becomes_stream()
    with pytest.raises(ExceededError, match="total_streams"):
        held(holdings, "b").becomes_stream()


def test_bytes_count_for_the_client_and_for_all() -> None:
    holdings = Holdings(Bounds(body_bytes=100, total_body_bytes=150))
    first = held(holdings, "a")
    first.adds_bytes(60)
    with pytest.raises(ExceededError, match="body_bytes"):
        held(holdings, "a").adds_bytes(50)
    other = held(holdings, "b")
    other.adds_bytes(90)
    with pytest.raises(ExceededError, match="total_body_bytes"):
        first.adds_bytes(10)
    other.release()
    first.adds_bytes(40)


def test_file_counts_no_more_than_what_is_held_in_memory() -> None:
    holdings = Holdings(Bounds(body_bytes=COUNTED_OF_A_BODY))
    upload = held(holdings, "a")
    for _ in range(100):
        upload.adds_bytes(1024 * 1024)
    upload.release()
    held(holdings, "a").adds_bytes(COUNTED_OF_A_BODY)


@pytest.mark.parametrize("seed", range(20))
def test_nobody_stands_in_the_books_once_all_is_released(seed: int) -> None:
    dice = random.Random(seed)
    bounds = Bounds(calls=3, streams=2, body_bytes=500, total_calls=8, total_streams=5)
    holdings = Holdings(bounds)
    under_way: list[Holding] = []
    for _ in range(500):
        try:
            match dice.randrange(4):
                case 0:
                    under_way.append(holdings.begin())
                    under_way[-1].is_of(dice.choice("abcdef"))
                case 1 if under_way:
                    dice.choice(under_way).becomes_stream()
                case 2 if under_way:
                    dice.choice(under_way).adds_bytes(dice.randrange(200))
                case _ if under_way:
                    under_way.pop(dice.randrange(len(under_way))).release()
        except ExceededError:
            pass
        assert holdings.clients <= len(under_way)
        assert len(under_way) <= bounds.total_calls + bounds.total_streams
    for holding in under_way:
        holding.release()
    assert holdings.clients == 0
    for _ in range(bounds.total_calls):  # nothing leaked, nothing was given back twice
        holdings.begin()
    with pytest.raises(ExceededError):
        holdings.begin()


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("10.0.0.7", 5), "at 10.0.0.7"),
        (["10.0.0.7", 6], "at 10.0.0.7"),
        (("::ffff:10.0.0.7", 5), "at 10.0.0.7"),
        (("2001:db8::1", 5), "at 2001:db8::/64"),
        (("2001:db8::ffff:2", 5), "at 2001:db8::/64"),
        (("2001:db8:0:1::1", 5), "at 2001:db8:0:1::/64"),
        (("::1", 5), "at ::/64"),
        (("testclient", 5), "at testclient"),
        (None, "at this machine"),
        ((), "at this machine"),
        (("", 0), "at this machine"),
    ],
)
def test_client_is_an_address_or_a_network(address: Any, client: str) -> None:
    assert client_at(address) == client
