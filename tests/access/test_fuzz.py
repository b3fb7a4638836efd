"""Whoever knocks, and however: strangers reach nothing, callers only what is theirs."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.access.knocking import House, Knock, check_knock, knock
from tests.orpc.fuzz.serving import Complaints

FEW = settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    collected = Complaints()
    logging.getLogger().addHandler(collected)
    yield collected
    logging.getLogger().removeHandler(collected)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def house(loop: asyncio.Runner) -> Iterator[House]:
    house = loop.run(_built())
    yield house
    loop.run(house.executor.shutdown())


async def _built() -> House:
    house = House()
    await house.executor.start()
    return house


def test_no_request_passes_a_lock_that_is_not_its_own(
    loop: asyncio.Runner, house: House, complaints: Complaints
) -> None:
    statuses: Counter[int] = Counter()

    @FEW
    @given(dice=st.randoms(use_true_random=False))
    def check(dice: random.Random) -> None:
        statuses[loop.run(check_knock(house, knock(dice), complaints))] += 1

    check()
    # Those who are known did get somewhere: else nothing was tried here.
    assert {200, 401, 403, 404} <= statuses.keys(), statuses
    assert house.executor.is_healthy


def test_open_door_would_be_noticed(
    loop: asyncio.Runner, house: House, complaints: Complaints
) -> None:
    house.app.router.entrance = house.app.router.entrance._app  # type: ignore[attr-defined]
    request = Knock("POST", "/rpc/enqueueTask", (), [b'{"json":{"taskId":"open"}}'], hangs_up=False)
    with pytest.raises(AssertionError, match="a stranger was answered 200"):
        loop.run(check_knock(house, request, complaints))
