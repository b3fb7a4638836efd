"""The lock around an application: who is let in, how others are told, and what nobody can hold."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution import InvalidOptionError
from durable_execution.access import (
    FULL_ACCESS,
    Access,
    BearerToken,
    BearerTokens,
    Bounds,
    Caller,
    Guard,
    auth_of,
)
from durable_execution.orpc import CallContext, ORPCError, Request, RPCHandler, rpc
from tests.orpc._server.driver import Answer, Connection, ask, scope_of

FULL, LIMITED = "a-token-for-everything", "a-token-for-one-thing"
AUTH = BearerTokens(
    {
        "operator": BearerToken(FULL, access=FULL_ACCESS),
        "web-app": BearerToken(LIMITED, access=Access(tasks="mail", procedures={"whoami"})),
    }
)
JSON = (("content-type", "application/json"),)


def with_token(token: str) -> tuple[tuple[str, str], ...]:
    return (*JSON, ("authorization", f"Bearer {token}"))


class ReachedError(AssertionError):
    """Something that is locked was reached."""


async def locked(scope: Any, receive: Any, send: Any) -> None:
    raise ReachedError


async def page(scope: Any, receive: Any, send: Any) -> None:
    """An application that knows nothing of scopes; says whom it sees."""
    caller = scope.get("state", {}).get("caller")
    name = b"nobody" if caller is None else caller.name.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name})


@rpc.handler
async def whoami(ctx: CallContext) -> str:
    return ctx.context["caller"].name


@rpc.handler
async def delete_all(ctx: CallContext) -> str:
    return "deleted"


PROCEDURES = RPCHandler({"whoami": whoami, "admin": {"deleteAll": delete_all}})


async def test_caller_is_known_to_procedures_and_held_to_its_access() -> None:
    guard = Guard(PROCEDURES, auth=AUTH)

    assert (await ask(guard, "/whoami", headers=with_token(LIMITED))).json() == {"json": "web-app"}
    refused = await ask(guard, "/admin/deleteAll", headers=with_token(LIMITED))
    assert (refused.status, refused.error()["code"]) == (403, "FORBIDDEN")
    assert refused.error()["message"] == "This caller may not call admin.deleteAll"
    assert (await ask(guard, "/admin/deleteAll", headers=with_token(FULL))).status == 200


async def test_stranger_is_refused_before_the_request_is_read() -> None:
    connection = Connection([b"{", b"}"])
    guard = Guard(PROCEDURES, auth=AUTH)

    await guard(scope_of("POST", "/whoami", JSON), connection.receive, connection.send)

    answer = connection.answer()
    assert connection.chunks_read == 0
    assert (answer.status, answer.error()["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="durable-execution"'


async def test_wrong_token_is_told_apart_from_none_and_from_nothing_else() -> None:
    answers = [
        await ask(Guard(PROCEDURES, auth=AUTH), path, headers=with_token(token))
        for path in ("/whoami", "/admin/deleteAll", "/nothing/here")
        for token in ("not-a-token-of-anybody", FULL[:-1], LIMITED.upper())
    ]

    assert {answer.body for answer in answers} == {answers[0].body}
    assert answers[0].headers["www-authenticate"].endswith('error="invalid_token"')


async def test_application_without_scopes_is_for_full_access_only() -> None:
    guard = Guard(page, auth=AUTH)

    stranger, limited, full = [
        await ask(guard, "/ui", headers=headers)
        for headers in (JSON, with_token(LIMITED), with_token(FULL))
    ]

    assert (stranger.status, limited.status, full.body) == (401, 403, b"operator")
    assert stranger.headers["content-type"] == "application/problem+json"
    assert stranger.json() == {
        "title": "Authentication is required",
        "status": 401,
        "code": "UNAUTHORIZED",
    }
    assert limited.json()["title"] == "This caller may only call procedures"


async def test_client_cannot_say_who_it_is_by_the_scope() -> None:
    connection = Connection([b""])
    state = {"caller": Caller(name="root", access=FULL_ACCESS), "pool": 1}
    scope = {**scope_of("GET", "/", with_token(FULL)), "state": state}

    await Guard(page, auth=AUTH)(scope, connection.receive, connection.send)

    assert connection.answer().body == b"operator"
    assert state["caller"].name == "root"  # what others share is left alone


class ForBrowsers:
    """Asks people itself; says what it was left to ask with."""

    serves_browsers = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        state = scope.get("state", {})
        words = f"{state.get('auth') is AUTH} {state.get('caller')}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": words.encode()})


async def test_application_that_asks_people_itself_gets_what_to_ask_with() -> None:
    for headers in ((), with_token(FULL), with_token("x" * 20)):
        answer = await ask(Guard(ForBrowsers(), auth=AUTH), "/", method="GET", headers=headers)
        assert (answer.status, answer.body) == (200, b"True None")
    answer = await ask(Guard(ForBrowsers(), auth=None), "/", method="GET")
    assert answer.body == b"False None"


async def test_open_paths_are_exact() -> None:
    guard = Guard(page, auth=AUTH, open_paths={"/healthz"})

    assert (await ask(guard, "/healthz")).body == b"nobody"
    for path in ("/healthz/", "/healthz/x", "/healthzz", "//healthz", "/x/../healthz", "/%68ealth"):
        assert (await ask(guard, path)).status == 401, path
    assert (await ask(guard, "/app/healthz", root_path="/app")).body == b"nobody"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "SEARCH", "post"])
async def test_no_method_passes_by(method: str) -> None:
    assert (await ask(Guard(locked, auth=AUTH), "/", method=method)).status == 401
    assert (await ask(Guard(PROCEDURES, auth=AUTH), "/whoami", method=method)).status == 401


async def test_websocket_is_for_full_access_only() -> None:
    seen: list[Any] = []

    async def socket(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "caller": scope["state"]["caller"].name})

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        seen.append(message)

    for headers in (JSON, with_token(LIMITED), with_token(FULL)):
        scope = {**scope_of("GET", "/", headers), "type": "websocket"}
        await Guard(socket, auth=AUTH)(scope, receive, send)
    closed = {"type": "websocket.close", "code": 1008}
    assert seen == [closed, closed, {"type": "websocket.accept", "caller": "operator"}]


async def test_lifespan_passes_by() -> None:
    with pytest.raises(ReachedError):
        await Guard(locked, auth=AUTH)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]


class Custom:
    challenge = "DPoP"

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    async def authenticate(self, request: Request) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


async def test_authenticator_of_ones_own_chooses_the_challenge_and_the_error() -> None:
    answer = await ask(Guard(locked, auth=Custom(None)), "/")
    assert answer.headers["www-authenticate"] == 'DPoP realm="durable-execution"'
    error = ORPCError("SERVICE_UNAVAILABLE", "The keys cannot be had")
    answer = await ask(Guard(locked, auth=Custom(error)), "/")
    assert (answer.status, answer.json()["title"]) == (503, "The keys cannot be had")


@pytest.mark.parametrize("outcome", [LookupError("secret"), "ada", True], ids=repr)
async def test_authenticator_that_fails_lets_nobody_in(
    outcome: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(Guard(locked, auth=Custom(outcome)), "/")

    (record,) = caplog.records
    assert answer.status == 500
    assert answer.headers["x-error-id"] == vars(record)["error_id"]
    assert "secret" not in answer.body.decode()


async def test_application_that_fails_is_masked_under_an_id_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("secret")

    answer = await ask(Guard(failing, auth=AUTH), "/", headers=with_token(FULL))

    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert (answer.status, answer.json()["title"]) == (500, "Internal server error")
    assert answer.headers["x-error-id"] == vars(record)["error_id"]
    assert record.exc_info is not None
    assert b"secret" not in answer.body


@pytest.mark.parametrize("auth", ["token", object(), BearerTokens])
def test_what_authenticates_nobody_is_refused(auth: Any) -> None:
    with pytest.raises(InvalidOptionError, match=r"auth: expected an object with a method"):
        Guard(page, auth=auth)


def test_open_path_without_a_slash_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="open_paths: expected paths"):
        Guard(page, auth=AUTH, open_paths=["healthz"])


def test_lock_is_seen_from_outside() -> None:
    assert auth_of(Guard(page, auth=AUTH)) is AUTH
    assert auth_of(Guard(page, auth=None)) is None
    assert auth_of(page) is None


async def test_log_names_who_was_refused_and_never_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard(page, auth=AUTH)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            await ask(guard, "/ui", headers=with_token("wrong-token-wrong-token"))
            await ask(guard, "/ui", headers=with_token(LIMITED))
    assert [record.message for record in caplog.records] == [
        "somebody unknown was refused",
        "a caller was refused",
    ]
    assert vars(caplog.records[1])["caller"] == "web-app"
    assert "token-wrong" not in str([vars(record) for record in caplog.records])


class Held:
    """Procedures that last until they are let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.cancelled = 0

    def app(self) -> RPCHandler:
        return RPCHandler({"wait": rpc.handler(self.wait), "stream": rpc.handler(self.stream)})

    async def wait(self, ctx: CallContext) -> str:
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"

    async def stream(self, ctx: CallContext) -> AsyncIterator[int]:
        yield 1
        await self.go_on.wait()


async def under_way(guard: Any, target: str, number: int, **given: Any) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(ask(guard, target, **given)) for _ in range(number)]
    for _ in range(20):  # turns of the loop: everything here is in memory
        await asyncio.sleep(0)
    return tasks


async def test_client_with_too_many_calls_is_told_when_to_come_back() -> None:
    held = Held()
    guard = Guard(held.app(), auth=AUTH, bounds=Bounds(calls=2, retry_after=7))
    tasks = await under_way(guard, "/wait", 2, headers=with_token(FULL))

    answer = await ask(guard, "/wait", headers=with_token(FULL))
    other = await ask(guard, "/whoami", headers=with_token(LIMITED))
    held.go_on.set()

    assert (answer.status, answer.error()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert answer.headers["retry-after"] == "7"
    assert other.status == 404
    assert [(await task).json() for task in tasks] == [{"json": "done"}] * 2
    assert (await ask(guard, "/wait", headers=with_token(FULL))).status == 200


async def test_server_with_too_many_calls_says_so_to_everybody() -> None:
    held = Held()
    guard = Guard(held.app(), auth=None, bounds=Bounds(total_calls=2))
    tasks = await under_way(guard, "/wait", 2)

    answer = await ask(guard, "/wait")
    held.go_on.set()

    assert (answer.status, answer.error()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    await asyncio.gather(*tasks)


async def test_stream_beyond_the_bound_is_refused_and_calls_still_pass() -> None:
    held = Held()
    guard = Guard(held.app(), auth=None, bounds=Bounds(calls=1, streams=2))
    for _ in range(2):
        await under_way(guard, "/stream", 1)

    answer = await ask(guard, "/stream")
    assert (answer.status, answer.error()["code"]) == (429, "TOO_MANY_REQUESTS")
    held.go_on.set()
    assert (await ask(guard, "/wait")).status == 200
    for _ in range(20):
        await asyncio.sleep(0)
    assert (await ask(guard, "/stream")).status == 200


async def test_answer_in_pieces_is_a_stream_whatever_it_calls_itself() -> None:
    go_on = asyncio.Event()

    async def download(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"b"})

    guard = Guard(download, auth=None, bounds=Bounds(streams=1))
    (first,) = await under_way(guard, "/", 1)
    second = await ask(guard, "/")
    go_on.set()

    assert (second.status, second.headers["content-type"]) == (429, "application/problem+json")
    assert (await first).body == b"ab"


async def test_application_that_never_stops_sending_is_stopped() -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (endless if scope["path"] == "/endless" else held_app)(scope, receive, send)

    held = Held()
    held_app = held.app()
    guard = Guard(both, auth=None, bounds=Bounds(streams=1))
    await under_way(guard, "/stream", 1)
    async with asyncio.timeout(30):
        assert (await ask(guard, "/endless")).status == 429
    held.go_on.set()


async def test_bytes_beyond_the_bound_are_not_read() -> None:
    held = Held()
    guard = Guard(held.app(), auth=None, bounds=Bounds(body_bytes=1000))
    envelope = json.dumps({"json": "x" * 600}).encode()
    (first,) = await under_way(guard, "/wait", 1, body=envelope)

    connection = Connection([envelope[:300], envelope[300:], b"never", b"read"])
    await guard(scope_of("POST", "/wait", JSON), connection.receive, connection.send)
    held.go_on.set()

    answer: Answer = connection.answer()
    assert (answer.status, answer.error()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert connection.chunks_read == 2
    assert (await first).status == 200


async def test_call_that_takes_too_long_is_cancelled_and_answered() -> None:
    held = Held()
    guard = Guard(held.app(), auth=None, bounds=Bounds(answer_timeout=0.05))

    answer = await ask(guard, "/wait")

    assert (answer.status, answer.error()["message"]) == (503, "No answer within 0.05 seconds")
    assert "retry-after" in answer.headers
    assert held.cancelled == 1


async def test_request_that_never_ends_is_answered() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)  # a client that sends a byte now and then
        return {"type": "http.request", "body": b" ", "more_body": True}

    connection = Connection([])
    guard = Guard(PROCEDURES, auth=AUTH, bounds=Bounds(answer_timeout=0.1))
    await guard(scope_of("POST", "/whoami", with_token(FULL)), receive, connection.send)

    assert connection.answer().status == 503


async def test_authenticator_that_hangs_is_given_up() -> None:
    class Hanging:
        async def authenticate(self, request: Request) -> Caller | None:
            await asyncio.Event().wait()
            raise ReachedError

    guard = Guard(locked, auth=Hanging(), bounds=Bounds(answer_timeout=0.05, total_calls=1))
    for _ in range(2):  # the first one holds nothing any more
        assert (await ask(guard, "/")).status == 503


async def test_stream_outlives_the_time_of_an_answer_but_not_its_own() -> None:
    held = Held()
    bounds = Bounds(answer_timeout=0.05, stream_timeout=0.3, streams=1)
    guard = Guard(held.app(), auth=None, bounds=bounds)
    connection = Connection([b"{}"])
    loop = asyncio.get_running_loop()
    began = loop.time()

    await guard(scope_of("POST", "/stream", JSON), connection.receive, connection.send)

    assert 0.25 < loop.time() - began < 5
    assert connection.sent[0]["status"] == 200
    # No end: to its client the connection is broken, and the stream is to be resumed.
    assert connection.sent[-1].get("more_body") is True
    held.go_on.set()
    assert (await ask(guard, "/stream")).status == 200


async def test_timeout_of_the_application_stays_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise TimeoutError("its own")

    answer = await ask(Guard(failing, auth=None), "/")

    assert answer.status == 500
    assert "x-error-id" in answer.headers


async def test_caller_that_leaves_holds_nothing() -> None:
    held = Held()
    guard = Guard(held.app(), auth=None, bounds=Bounds(calls=1))
    connection = Connection([b"{}"])
    connection.hang_up.set()

    await guard(scope_of("POST", "/wait", JSON), connection.receive, connection.send)

    assert connection.sent == []
    held.go_on.set()
    assert (await ask(guard, "/wait")).status == 200
