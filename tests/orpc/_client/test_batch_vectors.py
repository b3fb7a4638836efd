"""Batches of the real clients, replayed through a link that puts calls together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import pytest

from durable_execution.orpc import Batching, Dialect, ORPCError, RPCLink, RPCResponseError
from durable_execution.orpc._protocol import Request, Response
from tests.orpc._client.fake_sender import FakeSender
from tests.orpc._client.test_vectors import (
    ORIGIN,
    response_of,
    without_connection,
    without_transport,
)
from tests.vectors.notation import from_notation, load_vectors, same

SECTIONS: dict[str, Dialect] = {
    "exchanges": "v1",
    "exchanges_v2_beta": "v2",
    "cross_v2_beta_client_v1_server": "v2",
    "cross_v1_client_v2_beta_server": "v1",
}
VECTORS = {
    f"{section}-{vector['name']}": (dialect, vector)
    for section, dialect in SECTIONS.items()
    for vector in load_vectors(f"{section}.json")
    if vector["name"].startswith("batch")
}
# How many calls the application let go out together, where not ten.
MAX_SIZES = {"batch-more-than-max-size": 2, "batch-server-limit": 20}
# Calls that differ in more than path and input, in the order in which they were made.
HEADERS = {"batch-distinct-headers": [{"x-n": "1"}, {"x-n": "2"}]}
UNDEFINED = {"$": "undefined"}


@pytest.mark.parametrize("name", VECTORS)
async def test_batch_is_sent_and_understood_as_recorded(name: str) -> None:
    dialect, vector = VECTORS[name]
    recorded = {exchange_key(e["request"]): e for e in vector["http"]}
    sent: list[Request] = []

    async def answer(request: Request) -> Response:
        sent.append(request)
        key = (request.method, request.path, decoded(request.query, request.body))
        return response_of(recorded[key]["response"])

    first = vector["http"][0]["request"]
    mode = next((v for k, v in first["headers"] if k in ("x-orpc-batch", "orpc-batch")), "buffered")
    batching = Batching(mode=mode, max_size=MAX_SIZES.get(vector["name"], 10))
    headers = {k: v for k, v in first["headers"] if k == "x-client"}
    link = RPCLink(
        f"{ORIGIN}/rpc",
        sender=FakeSender(answer),
        batch=batching,
        dialect=dialect,
        headers=headers,
    )
    calls = [
        link.call(path, from_notation(value), method=method, headers=own)
        for path, value, method, own in calls_of(vector)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert len(sent) == len(recorded)
    for request in sent:
        key = (request.method, request.path, decoded(request.query, request.body))
        assert dict(request.headers) == without_transport(recorded[key]["request"]["headers"])
    for result, outcome in zip(results, vector["client_outcome"]["results"], strict=True):
        expect(result, outcome)


def expect(result: Any, outcome: dict[str, Any]) -> None:
    if "result" in outcome:
        assert same(result, from_notation(outcome["result"]))
        return
    expected = outcome["error"]
    if expected["class"] != "ORPCError":
        assert isinstance(result, RPCResponseError)
        assert str(result).startswith("Invalid batch response")
        return
    assert isinstance(result, ORPCError)
    assert (result.code, result.message) == (expected["code"], expected["message"])
    data = from_notation(expected["data"])
    if isinstance(data, dict):
        # That client hands out its own form of an answer, which ours has not.
        data.pop("index", None)
    assert same(without_connection(result.data), without_connection(data))


def exchange_key(request: dict[str, Any]) -> tuple[str, str, str]:
    path, _, query = request["target"].partition("?")
    return request["method"], path, decoded(query, request["body"]["text"].encode())


def decoded(query: str, body: Any) -> str:
    """The calls of a batch, in one form whatever the order of their keys."""
    text = parse_qs(query)["batch"][0] if query else body
    return json.dumps(json.loads(text), sort_keys=True)


def calls_of(vector: dict[str, Any]) -> Iterable[tuple[list[str], Any, Any, Any]]:
    """Path, input, method and headers of each call, in the order in which they were made."""
    name = vector["name"]
    if name == "batch-mixed-methods":
        yield ["planet", "find"], {"id": 1}, "GET", None
        yield ["ping"], UNDEFINED, "POST", None
        yield ["planet", "find"], {"id": 2}, "GET", None
        yield ["nothing"], UNDEFINED, "PUT", None
    elif name == "batch-streaming-unmatched":
        yield ["nothing"], UNDEFINED, None, None
        yield ["no", "such"], UNDEFINED, None, None
    elif name == "batch-more-than-max-size":
        yield from ((["echo"], n, None, None) for n in range(1, 6))
    elif name == "batch-server-limit":
        yield from ((["echo"], n, None, None) for n in range(11))
    elif name in {"batch-without-handler-plugin", "batch-distinct-headers"}:
        for own in HEADERS.get(name, [None, None]):
            yield ["ping"], UNDEFINED, None, own
    elif name == "batch-single-call-not-batched":
        yield ["ping"], UNDEFINED, None, None
    elif name == "batch-item-returns-file-or-events":
        yield from ((c["path"], c["input"], None, None) for c in vector["server_inputs"])
    else:
        yield ["ping"], UNDEFINED, None, None
        date = {"$": "date", "v": "1970-01-01T00:00:00.000Z", "epochMs": 0}
        yield ["echo"], {"at": date}, None, None
        yield ["errors", "notFound"], UNDEFINED, None, None
