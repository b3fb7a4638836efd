"""Requests and outcomes of the real client, replayed through a link with a fake sender."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import pytest

from durable_execution._codec import loads
from durable_execution.orpc._client import RPCLink, RPCResponseError, safe
from durable_execution.orpc._protocol import ORPCError, Response, read_body
from tests.orpc._client.event_outcomes import expect_events
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.orpc.pieces import Pieces
from tests.vectors.forms import with_boundary, without_boundary
from tests.vectors.notation import from_notation, load_vectors, same

BATCHES = "several calls at once; test_batch_vectors replays them"

LEFT_OUT_RESPONSES = {
    "connection-refused": "there is no response; test_aiohttp_sender refuses a real connection",
    "sse-on-error-status": "its data holds an iterator; test_codec has the rest of the error",
}

LEFT_OUT_EXCHANGES = {
    "sse-input-over-fetch": "that client fails before anything is sent; here it is sent",
    **dict.fromkeys(
        (
            "batch-streaming",
            "batch-buffered",
            "batch-single-call-not-batched",
            "batch-mixed-methods",
            "batch-item-returns-file-or-events",
            "batch-streaming-unmatched",
            "batch-more-than-max-size",
            "batch-server-limit",
            "batch-distinct-headers",
            "batch-without-handler-plugin",
        ),
        BATCHES,
    ),
    "compressed-response": "its body is compressed; test_aiohttp_sender reads a gzipped one",
}

ORIGIN = "http://127.0.0.1:43117"

# What the application told the real client, where the recorded request does not show it.
LINKS: dict[str, dict[str, Any]] = {
    "base-url-with-query-and-trailing-slash": {"url": f"{ORIGIN}/rpc/?tenant=a%20b"},
    "get-base-url-with-query": {"url": f"{ORIGIN}/rpc?tenant=a"},
    "get-url-too-long-falls-back-to-post": {"method": "GET"},
    "post-link-headers": {"headers": {"X-Client": "lab", "X-Multi": ["a", "b"]}},
    "csrf-with-header": {"csrf": True},
    "response-headers-plugin": {"headers": {"x-client": "lab"}},
}
LAST_EVENT_IDS = {"post-link-headers": "ev-7"}

# Node.js adds these to every request, and connection headers to every response (WIRE.md 4.3, 13).
ADDED_BY_TRANSPORT = {
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "sec-fetch-mode",
    "transfer-encoding",
    "user-agent",
}

RESPONSES = {vector["name"]: vector for vector in load_vectors("crafted_responses.json")}
EXCHANGES = {vector["name"]: vector for vector in load_vectors("exchanges.json")}


@pytest.mark.parametrize("name", sorted(RESPONSES.keys() - LEFT_OUT_RESPONSES.keys()))
async def test_client_reads_a_response_as_the_reference_does(name: str) -> None:
    vector = RESPONSES[name]
    link = RPCLink("http://localhost/rpc", sender=FakeSender(response_of(vector["response"])))
    await expect(vector["client_outcome"], link, ["x"])


@pytest.mark.parametrize("name", sorted(name for name in RESPONSES if name.startswith("sse-")))
async def test_where_an_event_stream_is_cut_makes_no_difference(name: str) -> None:
    if name in LEFT_OUT_RESPONSES:
        return
    vector = RESPONSES[name]
    whole = response_of(vector["response"])
    assert isinstance(whole.body, bytes)
    cut = Pieces([whole.body[i : i + 1] for i in range(len(whole.body))])
    link = RPCLink("http://localhost/rpc", sender=FakeSender(whole.replace(body=cut)))
    await expect(vector["client_outcome"], link, ["x"])
    assert cut.times_closed >= 1


@pytest.mark.parametrize("name", sorted(EXCHANGES.keys() - LEFT_OUT_EXCHANGES.keys()))
async def test_client_sends_what_the_reference_sends(name: str) -> None:
    vector = EXCHANGES[name]
    [exchange] = vector["http"]
    recorded = exchange["request"]
    sender = FakeSender(json_response(b"{}"))
    settings = {"url": f"{ORIGIN}/rpc", "method": recorded["method"], **LINKS.get(name, {})}
    link = RPCLink(**settings, sender=sender)
    await link.call(path_of(vector), input_of(vector), last_event_id=LAST_EVENT_IDS.get(name))
    [sent] = sender.requests
    assert (sent.method, sent.target) == (recorded["method"], recorded["target"])
    assert sent.url == ORIGIN + recorded["target"]
    headers, expected = dict(sent.headers), without_transport(recorded["headers"])
    content_type, written = headers.pop("content-type", None), expected.pop("content-type", None)
    assert headers == expected
    assert without_boundary(content_type) == without_boundary(written)
    body, text = (await read_body(sent.body, limit=1 << 20)).decode(), recorded["body"]["text"]
    assert parsed(with_boundary(body, content_type)) == parsed(with_boundary(text, written))


@pytest.mark.parametrize("name", sorted(EXCHANGES.keys() - LEFT_OUT_EXCHANGES.keys()))
async def test_client_understands_what_the_reference_server_answers(name: str) -> None:
    vector = EXCHANGES[name]
    [exchange] = vector["http"]
    link = RPCLink(f"{ORIGIN}/rpc", sender=FakeSender(response_of(exchange["response"])))
    await expect(vector["client_outcome"], link, path_of(vector))


def test_everything_left_out_is_a_vector() -> None:
    assert RESPONSES.keys() >= LEFT_OUT_RESPONSES.keys()
    assert EXCHANGES.keys() >= LEFT_OUT_EXCHANGES.keys()


async def expect(outcome: dict[str, Any], link: RPCLink, path: list[str]) -> None:
    """One call ends as the outcome says."""
    error, value, *_ = await safe(link.call(path))
    if "events" in outcome:
        assert error is None
        await expect_events(value, outcome["events"])
    elif "result" in outcome:
        assert error is None
        assert same(value, from_notation(outcome["result"]))
    elif outcome["error"]["class"] == "ORPCError":
        assert isinstance(error, ORPCError)
        expected = outcome["error"]
        assert (error.code, error.status) == (expected["code"], expected["status"])
        assert (error.message, error.defined) == (expected["message"], expected["defined"])
        assert same(
            without_connection(error.data), without_connection(from_notation(expected["data"]))
        )
    else:
        assert isinstance(error, RPCResponseError)
        assert str(error) == outcome["error"]["message"]
        assert error.__cause__ is not None


def response_of(recorded: dict[str, Any]) -> Response:
    body = recorded["body"]
    content = body["text"].encode() if "text" in body else base64.b64decode(body["base64"])
    headers = tuple((name.lower(), value) for name, value in recorded["headers"])
    return Response(recorded["status"], headers, content)


def path_of(vector: dict[str, Any]) -> list[str]:
    """As the handler saw it; where none ran, as the request spells it."""
    if "server_path" in vector:
        path: list[str] = vector["server_path"]
        return path
    target = vector["http"][0]["request"]["target"].partition("?")[0]
    return [unquote(name) for name in target.removeprefix("/rpc/").split("/")]


def input_of(vector: dict[str, Any]) -> object:
    if "server_input" in vector:
        return from_notation(vector["server_input"])
    return loads(vector["http"][0]["request"]["body"]["text"])


def parsed(body: str) -> object:
    """JSON as what it says; a form as it is, for its parts have an order."""
    return json.loads(body) if body.startswith(("{", "[")) else body


def without_transport(headers: list[list[str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name not in ADDED_BY_TRANSPORT}


def without_connection(data: Any) -> Any:
    if not isinstance(data, dict) or "headers" not in data:
        return data
    kept = {"connection", "keep-alive", "transfer-encoding", "date"}
    headers = {name: value for name, value in data["headers"].items() if name not in kept}
    return {**data, "headers": headers}
