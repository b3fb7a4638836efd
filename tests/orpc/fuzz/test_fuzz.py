"""A few thousand damaged messages for each run of the tests; `make fuzz` sends millions."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.orpc.fuzz import calling, serving

FEW = settings(
    max_examples=2000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DICE = st.randoms(use_true_random=False)


@pytest.fixture
def complaints() -> Iterator[serving.Complaints]:
    collected = serving.Complaints()
    logging.getLogger().addHandler(collected)
    yield collected
    logging.getLogger().removeHandler(collected)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@FEW
@given(dice=DICE)
def test_damaged_request_is_answered_and_not_with_500(
    loop: asyncio.Runner, complaints: serving.Complaints, dice: random.Random
) -> None:
    loop.run(serving.check_request(serving.damaged_request(dice), complaints))


@FEW
@given(dice=DICE)
def test_damaged_response_gives_a_value_or_an_error_of_the_client(
    loop: asyncio.Runner, dice: random.Random
) -> None:
    loop.run(calling.check_answer(calling.damaged_answer(dice)))


def test_procedure_that_fails_would_be_noticed(
    loop: asyncio.Runner, complaints: serving.Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(ctx: object, value: object) -> None:
        raise ValueError("a bug")

    broken = serving.RPCHandler({"echo": serving.rpc.handler(fail)}, prefix="/rpc")
    monkeypatch.setitem(serving.apps(), "v1", broken)
    request = serving.Damaged("v1", "POST", "/rpc/echo", (), [b"{}"], hangs_up=False)
    with pytest.raises(AssertionError, match="A procedure failed"):
        loop.run(serving.check_request(request, complaints))
