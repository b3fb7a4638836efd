"""What browsers of other origins get to see; the recorded answers are in test_vectors."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import CallContext, CORSPlugin, RPCHandler, rpc
from tests.orpc._server.driver import Answer, ask

APP = "https://app.example"


def vary_by(ctx: CallContext) -> str:
    ctx.response_headers["vary"] = "Accept-Language"
    return "pong"


ROUTER = {"ping": rpc.handler(lambda: "pong"), "varied": rpc.handler(vary_by)}


async def ask_from(
    plugin: CORSPlugin, origin: str | None = APP, path: str = "/ping", **options: Any
) -> Answer:
    headers = [("content-type", "application/json"), *options.pop("headers", [])]
    if origin is not None:
        headers.append(("origin", origin))
    return await ask(RPCHandler(ROUTER, plugins=[plugin]), path, headers=headers, **options)


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        (None, APP),
        (APP, APP),
        (["https://other.example", APP], APP),
        ("*", "*"),
        (["*"], "*"),
        (lambda origin: origin if origin.endswith(".example") else None, APP),
        ("https://other.example", None),
        ([], None),
        (lambda origin: None, None),
    ],
)
async def test_origin_is_allowed_as_configured(source: Any, allowed: str | None) -> None:
    answer = await ask_from(CORSPlugin(origin=source))

    assert answer.headers.get("access-control-allow-origin") == allowed
    # The answer depends on who asks, also where the answer is no.
    assert answer.values("vary") == ([] if allowed == "*" else ["Origin"])


async def test_part_of_an_origin_is_not_the_origin() -> None:
    answer = await ask_from(CORSPlugin(origin=APP), "https://app")

    assert "access-control-allow-origin" not in answer.headers


async def test_request_without_an_origin_gets_an_empty_one_as_the_reference_does() -> None:
    assert (await ask_from(CORSPlugin(), None)).headers["access-control-allow-origin"] == ""


async def test_vary_of_the_answer_is_kept() -> None:
    answer = await ask_from(CORSPlugin(), path="/varied")

    assert answer.values("vary") == ["Accept-Language, Origin"]


async def test_preflight_runs_nothing_and_has_no_body_and_no_length() -> None:
    asked = [("access-control-request-headers", "content-type,x-a")]
    answer = await ask_from(CORSPlugin(), method="OPTIONS", headers=asked)

    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert answer.headers["access-control-allow-headers"] == "content-type,x-a"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, PUT, POST, DELETE, PATCH"
    assert "access-control-max-age" not in answer.headers


async def test_preflight_says_what_is_configured() -> None:
    plugin = CORSPlugin(allow_headers=["x-a", "x-b"], allow_methods=["POST"], max_age=0)
    answer = await ask_from(plugin, method="OPTIONS", headers=[])

    assert answer.headers["access-control-allow-headers"] == "x-a, x-b"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-max-age"] == "0"


async def test_timing_is_for_whom_it_is_configured_only() -> None:
    plugin = CORSPlugin(timing_origin=[APP])

    assert (await ask_from(plugin)).headers["timing-allow-origin"] == APP
    assert "timing-allow-origin" not in (await ask_from(plugin, "https://b.example")).headers


@pytest.mark.parametrize("origin", [None, "*", ["*"]])
def test_credentials_for_everybody_are_refused(origin: Any) -> None:
    with pytest.raises(ValueError, match="name the origins"):
        CORSPlugin(origin=origin, credentials=True)
