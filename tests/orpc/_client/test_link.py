from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping
from datetime import timedelta

import pytest

from durable_execution._codec import EncodeError
from durable_execution.orpc._client import (
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._protocol import Request, Response
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.orpc.pieces import Pieces

URL = "http://localhost/rpc"
PONG = json_response(b'{"json":"pong"}')


async def never(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_call_returns_the_decoded_output() -> None:
    assert await RPCLink(URL, sender=FakeSender(PONG)).call(["ping"]) == "pong"


async def test_header_function_is_asked_before_each_call() -> None:
    tokens = iter(["first", "second"])
    sender = FakeSender(PONG)
    link = RPCLink(URL, headers=lambda: {"authorization": next(tokens)}, sender=sender)
    await link.call(["ping"])
    await link.call(["ping"])
    assert [request.header("authorization") for request in sender.requests] == ["first", "second"]


async def test_header_function_may_be_async() -> None:
    async def headers() -> Mapping[str, str]:
        await asyncio.sleep(0)
        return {"authorization": "token"}

    sender = FakeSender(PONG)
    await RPCLink(URL, headers=headers, sender=sender).call(["ping"])
    assert sender.requests[0].header("authorization") == "token"


async def test_header_function_that_hangs_counts_against_the_timeout() -> None:
    async def headers() -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}

    sender = FakeSender(PONG)
    with pytest.raises(RPCTimeoutError):
        await RPCLink(URL, headers=headers, timeout=0.01, sender=sender).call(["ping"])
    assert sender.requests == []


async def test_timeout_of_the_header_function_itself_keeps_its_name() -> None:
    def headers() -> Mapping[str, str]:
        raise TimeoutError("token server")

    with pytest.raises(TimeoutError, match="token server") as caught:
        await RPCLink(URL, headers=headers, sender=FakeSender(PONG)).call(["ping"])
    assert not isinstance(caught.value, RPCTimeoutError)


async def test_headers_of_a_call_win_over_those_of_the_link() -> None:
    sender = FakeSender(PONG)
    link = RPCLink(URL, headers={"X-A": "link", "x-b": "link"}, sender=sender)
    await link.call(["ping"], headers={"x-a": "call"}, last_event_id="7")
    assert dict(sender.requests[0].headers) == {
        "x-a": "call",
        "x-b": "link",
        "last-event-id": "7",
        "content-type": "application/json",
    }


async def test_method_function_sees_path_and_input() -> None:
    sender = FakeSender(PONG)
    link = RPCLink(
        URL,
        method=lambda path, value: "GET" if path[-1] == "find" and value == 1 else "POST",
        sender=sender,
    )
    await link.call(["planets", "find"], 1)
    await link.call(["planets", "find"], 2)
    assert [request.method for request in sender.requests] == ["GET", "POST"]


async def test_call_beyond_its_timeout_is_given_up() -> None:
    given_up = asyncio.Event()

    async def hang(request: Request) -> Response:
        try:
            return await never(request)
        finally:
            given_up.set()

    link = RPCLink(URL, timeout=0.01, sender=FakeSender(hang))
    with pytest.raises(RPCTimeoutError, match=r"No answer within 0\.01 seconds") as caught:
        await link.call(["ping"])
    assert isinstance(caught.value, TimeoutError)
    assert given_up.is_set()


async def test_timeout_of_a_call_wins_over_that_of_the_link() -> None:
    link = RPCLink(URL, timeout=None, sender=FakeSender(never))
    with pytest.raises(RPCTimeoutError):
        await link.call(["ping"], timeout=timedelta(milliseconds=10))


async def test_cancelling_a_call_is_no_timeout() -> None:
    link = RPCLink(URL, sender=FakeSender(never))
    call = asyncio.create_task(link.call(["ping"]))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_failure_names_the_procedure_and_hides_the_query() -> None:
    failure = RPCConnectionError("Cannot connect", was_sent=False)
    link = RPCLink(f"{URL}?key=secret", sender=FakeSender(failure))
    with pytest.raises(RPCConnectionError) as caught:
        await link.call(["planets", "find"])
    assert caught.value.__notes__ == ["while calling planets/find at http://localhost/rpc"]


async def test_response_over_the_limit_is_refused_whatever_the_sender_does() -> None:
    sender = FakeSender(PONG)
    link = RPCLink(URL, max_response_size=len(PONG.body) - 1, sender=sender)
    with pytest.raises(RPCResponseError, match="larger than 14 bytes"):
        await link.call(["ping"])
    assert sender.sizes == [14]


async def test_response_whose_body_arrives_in_pieces_is_put_together() -> None:
    body = Pieces([b'{"json":', b'"pong"}'])
    link = RPCLink(URL, sender=FakeSender(Response(200, PONG.headers, body)))
    assert await link.call(["ping"]) == "pong"
    assert body.times_closed == 1


async def test_body_in_pieces_over_the_limit_is_given_up() -> None:
    body = Pieces([b"x" * 10] * 100)
    link = RPCLink(URL, max_response_size=25, sender=FakeSender(Response(200, PONG.headers, body)))
    with pytest.raises(RPCResponseError, match="larger than 25 bytes"):
        await link.call(["ping"])
    assert (body.times_closed, body.left) == (1, 97)


async def test_small_response_limit_leaves_large_requests_alone() -> None:
    sender = FakeSender(PONG)
    await RPCLink(URL, max_response_size=20, sender=sender).call(["ping"], "x" * 1000)
    assert len(sender.requests[0].body) > 1000


async def test_unusable_input_is_not_sent() -> None:
    sender = FakeSender(PONG)
    with pytest.raises(EncodeError):
        await RPCLink(URL, sender=sender).call(["ping"], object())
    assert sender.requests == []


async def test_leaving_the_block_closes_the_sender_and_refuses_calls() -> None:
    sender = FakeSender(PONG)
    async with RPCLink(URL, sender=sender) as link:
        await link.call(["ping"])
    assert sender.times_closed == 1
    with pytest.raises(RuntimeError, match="is closed"):
        await link.call(["ping"])
    assert len(sender.requests) == 1


async def test_closed_link_does_not_ask_for_headers() -> None:
    def headers() -> Mapping[str, str]:
        raise AssertionError("asked")

    link = RPCLink(URL, headers=headers, sender=FakeSender(PONG))
    await link.aclose()
    with pytest.raises(RuntimeError, match="is closed"):
        await link.call(["ping"])


async def test_link_never_used_closes_without_opening_anything() -> None:
    async with RPCLink(URL):
        pass


def test_link_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="one in each process"):
        pickle.dumps(RPCLink(URL))


async def test_path_that_is_one_text_is_not_taken_apart() -> None:
    sender = FakeSender(PONG)
    with pytest.raises(TypeError, match="path: expected a sequence of names"):
        await RPCLink(URL, sender=sender).call("ping")
    assert sender.requests == []


def test_application_in_place_of_a_sender_is_refused() -> None:
    async def app(scope: object, receive: object, send: object) -> None: ...

    with pytest.raises(TypeError, match=r"sender: expected .* AsgiSender\(app\)"):
        RPCLink(URL, sender=app)  # type: ignore[arg-type]  # the point of the test


def test_unknown_method_is_refused_at_the_door() -> None:
    with pytest.raises(ValueError, match="method: expected one of DELETE, GET"):
        RPCLink(URL, method="HEAD")  # type: ignore[arg-type]  # what a caller without types does


async def test_unknown_method_of_a_function_is_refused() -> None:
    link = RPCLink(URL, method=lambda path, value: "get", sender=FakeSender(PONG))  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="method: expected one of"):
        await link.call(["ping"])


@pytest.mark.parametrize("size", [0, -1, True, 1.5])
def test_senseless_response_limit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="max_response_size: expected a positive int"):
        RPCLink(URL, max_response_size=size)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), timedelta(0)])
def test_senseless_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout: expected more than zero seconds"):
        RPCLink(URL, timeout=timeout)


@pytest.mark.parametrize("timeout", ["30", True])
def test_timeout_of_another_type_is_refused(timeout: float) -> None:
    with pytest.raises(TypeError, match="timeout: expected seconds"):
        RPCLink(URL, timeout=timeout)
