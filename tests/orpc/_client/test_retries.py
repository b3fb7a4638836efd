"""When a call is sent again, and when it must not be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from durable_execution.orpc._client import (
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCTimeoutError,
)
from durable_execution.orpc._protocol import ORPCError, Request, Response
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.orpc.pieces import Pieces

URL = "http://localhost/rpc"
PONG = json_response(b'{"json":"pong"}')
UNSENT = RPCConnectionError("Cannot connect", was_sent=False)
BROKEN = RPCConnectionError("The connection broke", was_sent=True)


def in_turn(*outcomes: Response | Exception) -> FakeSender:
    """A sender that gives one outcome after the other, and the last one from then on."""
    left = list(outcomes)

    async def answer(request: Request) -> Response:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return FakeSender(answer)


def busy(status: int, after: str | None) -> Response:
    headers = () if after is None else (("retry-after", after),)
    return Response(status, (("content-type", "application/json"), *headers), b"{}")


async def test_call_the_server_cannot_have_seen_is_sent_again() -> None:
    sender = in_turn(UNSENT, UNSENT, PONG)
    assert await RPCLink(URL, sender=sender).call(["ping"]) == "pong"
    assert len(sender.requests) == 3


async def test_server_that_stays_away_is_an_error_after_the_last_attempt() -> None:
    sender = in_turn(UNSENT)
    with pytest.raises(RPCConnectionError, match="Cannot connect"):
        await RPCLink(URL, sender=sender, retries=Retries(attempts=2)).call(["ping"])
    assert len(sender.requests) == 2


async def test_call_that_may_have_run_is_not_sent_again() -> None:
    sender = in_turn(BROKEN, PONG)
    with pytest.raises(RPCConnectionError, match="broke"):
        await RPCLink(URL, sender=sender).call(["ping"])
    assert len(sender.requests) == 1


async def test_call_that_may_run_twice_is_sent_again() -> None:
    retries = Retries(repeatable=lambda path, value: path[-1] == "find" and value == 1)
    sender = in_turn(BROKEN, PONG)
    assert await RPCLink(URL, sender=sender, retries=retries).call(["find"], 1) == "pong"

    sender = in_turn(BROKEN, PONG)
    with pytest.raises(RPCConnectionError):
        await RPCLink(URL, sender=sender, retries=retries).call(["find"], 2)
    assert len(sender.requests) == 1


async def test_answer_that_breaks_off_while_it_is_read_counts_as_sent() -> None:
    sender = in_turn(Response(200, PONG.headers, Pieces([b"{"], failure=BROKEN)), PONG)
    link = RPCLink(URL, sender=sender, retries=Retries(repeatable=True))
    assert await link.call(["ping"]) == "pong"


async def test_pause_that_would_outlast_the_timeout_is_not_begun() -> None:
    sender = in_turn(UNSENT)
    link = RPCLink(URL, sender=sender, timeout=0.01, retries=Retries(attempts=100))
    with pytest.raises(RPCConnectionError, match="Cannot connect"):
        await link.call(["ping"])
    assert len(sender.requests) == 1


async def test_timeout_holds_for_all_attempts_together() -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.02)  # far less than the timeout, many times over far more
        raise UNSENT

    link = RPCLink(
        URL,
        sender=FakeSender(slow),
        timeout=0.1,
        retries=Retries(attempts=1000, longest_pause=0),
    )
    with pytest.raises(RPCTimeoutError):
        await link.call(["ping"])


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_server_is_asked_again_when_it_said(status: int) -> None:
    sender = in_turn(busy(status, "0"), PONG)
    link = RPCLink(URL, sender=sender, retries=Retries(retry_after=True))
    assert await link.call(["ping"]) == "pong"


async def test_busy_server_is_left_alone_unless_told_otherwise() -> None:
    sender = in_turn(busy(503, "0"), PONG)
    with pytest.raises(ORPCError) as caught:
        await RPCLink(URL, sender=sender).call(["ping"])
    assert (caught.value.status, len(sender.requests)) == (503, 1)


@pytest.mark.parametrize("after", [None, "soon", "61", "1e3", "-1", "٣"])
async def test_busy_server_that_names_no_moment_near_enough_is_not_asked_again(
    after: str | None,
) -> None:
    sender = in_turn(busy(429, after), PONG)
    link = RPCLink(URL, sender=sender, retries=Retries(retry_after=True))
    with pytest.raises(ORPCError) as caught:
        await link.call(["ping"])
    assert (caught.value.status, len(sender.requests)) == (429, 1)


@pytest.mark.parametrize(
    ("after", "low", "high"), [(timedelta(seconds=30), 28, 30), (timedelta(seconds=-30), 0, 0)]
)
def test_date_is_how_far_it_is_away(after: timedelta, low: float, high: float) -> None:
    moment = format_datetime(datetime.now(UTC) + after, usegmt=True)
    pause = Retries(retry_after=True).pause_after_answer(busy(429, moment), attempt=0)
    assert pause is not None
    assert low <= pause <= high


def test_pauses_grow_and_differ_between_callers() -> None:
    retries = Retries(attempts=10, longest_pause=1)
    pauses = [
        retries.pause_after_failure(UNSENT, attempt=attempt, may_repeat=lambda: False)
        for attempt in range(9)
    ]
    for attempt, pause in enumerate(pauses):
        whole = min(0.1 * 2**attempt, 1)
        assert pause is not None
        assert whole / 2 <= pause <= whole


async def test_body_that_is_a_stream_is_sent_once() -> None:
    sender = in_turn(UNSENT, PONG)
    link = RPCLink(URL, sender=sender)
    whole = link._codec.encode

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"{}"

    def encode(*args: Any, **options: Any) -> Request:
        request = whole(*args, **options)
        return Request(request.method, request.path, headers=request.headers, body=pieces())

    link._codec.encode = encode  # type: ignore[method-assign]  # no input of the link streams yet
    with pytest.raises(RPCConnectionError):
        await link.call(["ping"])
    assert len(sender.requests) == 1


async def test_answer_401_brings_a_new_token_once() -> None:
    token = "old"

    async def renew() -> None:
        nonlocal token
        token = "new"

    sender = in_turn(busy(401, None), PONG)
    link = RPCLink(
        URL, headers=lambda: {"authorization": token}, sender=sender, on_unauthorized=renew
    )
    assert await link.call(["ping"]) == "pong"
    assert [request.header("authorization") for request in sender.requests] == ["old", "new"]


async def test_answer_401_to_the_new_token_is_given_to_the_caller() -> None:
    renewals: list[int] = []
    sender = in_turn(busy(401, None))
    link = RPCLink(URL, sender=sender, on_unauthorized=lambda: renewals.append(1))
    with pytest.raises(ORPCError) as caught:
        await link.call(["ping"])
    assert (caught.value.code, len(sender.requests), renewals) == ("UNAUTHORIZED", 2, [1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "attempts: expected an int of at least 1"),
        ({"attempts": True}, "attempts: expected an int"),
        ({"repeatable": 1}, "repeatable: expected a bool or a function"),
        ({"longest_pause": -1}, "longest_pause: expected seconds"),
        ({"longest_pause": float("nan")}, "longest_pause: expected seconds"),
    ],
)
def test_unusable_retries_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Retries(**options)


def test_link_refuses_what_is_no_policy_and_no_function() -> None:
    with pytest.raises(TypeError, match=r"retries: expected Retries\(...\)"):
        RPCLink(URL, retries=3)  # type: ignore[arg-type]  # what a caller without types does
    with pytest.raises(TypeError, match="on_unauthorized: expected a function"):
        RPCLink(URL, on_unauthorized="token")  # type: ignore[arg-type]
