"""Requests recorded from the TypeScript packages get the recorded answers."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from typing import Any

import pytest

from durable_execution.orpc import (
    BatchHandlerPlugin,
    CompressionPlugin,
    CORSPlugin,
    EventStreamOptions,
    RPCHandler,
    SimpleCsrfProtectionPlugin,
)
from durable_execution.orpc._protocol import LengthDecoder, split_array
from tests.orpc._server import deferred
from tests.orpc._server.driver import Answer, ask
from tests.orpc._server.lab import Recorder, lab_router
from tests.vectors.forms import with_boundary, without_boundary
from tests.vectors.notation import from_notation, load_vectors, same

CRAFTED_REQUESTS = load_vectors("crafted_requests.json")
EXCHANGES = load_vectors("exchanges.json")

# What the recording server was configured with besides its defaults.
CORS = CORSPlugin(
    origin=lambda origin: origin, max_age=600, credentials=True, expose_headers=["x-a", "x-b"]
)
OPTIONS: dict[str, dict[str, Any]] = {
    "get-allowed-when-strict-get-is-off": {"strict_get": False},
    "body-limit-exceeded": {"max_body_size": 100},
    "csrf-batch-outer-header": {"plugins": [SimpleCsrfProtectionPlugin(), BatchHandlerPlugin()]},
    "csrf-batch-item-header-only": {
        "plugins": [SimpleCsrfProtectionPlugin(), BatchHandlerPlugin()]
    },
    "compressed-response": {"plugins": [CompressionPlugin(min_size=1)]},
    "sse-keepalive-comments": {"events": EventStreamOptions(keep_alive=0.1)},
    "sse-no-initial-comment-custom-keepalive": {
        "events": EventStreamOptions(keep_alive=0.1, keep_alive_comment="ka", initial_comment=None)
    },
}
FAMILIES: dict[str, dict[str, Any]] = {
    "cors-": {"plugins": [CORS]},
    "batch-without": {},
    "batch-": {"plugins": [BatchHandlerPlugin()]},
    "csrf-": {"plugins": [SimpleCsrfProtectionPlugin()]},
}

# Headers of the connection, which is the web server's, and the framing of the body.
INCIDENTAL = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-type"}
# Headers of event streams for proxies, which the recorded server left to its application.
INCIDENTAL |= {"cache-control", "x-accel-buffering"}
# What joins a masked error to the log: no recorded client looks at it.
INCIDENTAL |= {"x-error-id"}


def options_of(name: str) -> dict[str, Any]:
    family = next((given for start, given in FAMILIES.items() if name.startswith(start)), {})
    return OPTIONS.get(name, family)


def replayed(vectors: list[dict[str, Any]], left_out: dict[str, str]) -> list[Any]:
    return [pytest.param(v, id=v["name"]) for v in vectors if v["name"] not in left_out]


@pytest.mark.parametrize(
    ("vectors", "left_out"),
    [(CRAFTED_REQUESTS, deferred.CRAFTED_REQUESTS), (EXCHANGES, deferred.EXCHANGES)],
)
def test_every_deferred_name_is_a_vector(
    vectors: list[dict[str, Any]], left_out: dict[str, str]
) -> None:
    assert left_out.keys() <= {vector["name"] for vector in vectors}


@pytest.mark.parametrize("vector", replayed(CRAFTED_REQUESTS, deferred.CRAFTED_REQUESTS))
async def test_crafted_request_is_answered_as_recorded(vector: dict[str, Any]) -> None:
    recorder = await replay(vector)

    assert bool(recorder.calls) is vector["procedure_called"]
    if recorder.calls and "server_input" in vector:
        assert same(recorder.calls[0][1], from_notation(vector["server_input"]))


@pytest.mark.parametrize("vector", replayed(EXCHANGES, deferred.EXCHANGES))
async def test_exchange_of_the_real_client_is_answered_as_recorded(vector: dict[str, Any]) -> None:
    recorder = await replay(vector)

    if "server_inputs" in vector:
        assert len(recorder.calls) == len(vector["server_inputs"])
        for (path, value), given in zip(recorder.calls, vector["server_inputs"], strict=True):
            assert list(path) == given["path"]
            assert same(value, from_notation(given["input"]))
        return
    paths = [list(path) for path, _ in recorder.calls]
    assert paths == ([vector["server_path"]] if "server_path" in vector else [])
    for _, value in recorder.calls:
        assert same(value, from_notation(vector["server_input"]))


async def replay(vector: dict[str, Any]) -> Recorder:
    recorder = Recorder()
    options = options_of(vector["name"])
    if "access-control-allow-origin" in str(vector["http"]) and vector["name"].startswith("batch"):
        options = {"plugins": [CORS, BatchHandlerPlugin()]}
    app = RPCHandler(lab_router(recorder), prefix="/rpc", **options)
    assert vector["http"]
    for exchange in vector["http"]:
        request, expected = exchange["request"], exchange["response"]
        answer = await ask(
            app,
            request["target"],
            request["body"]["text"],
            method=request["method"],
            headers=[tuple(pair) for pair in request["headers"]],
        )
        assert_answer(answer, expected)
    return recorder


def assert_answer(answer: Answer, expected: dict[str, Any]) -> None:
    headers = [(name.lower(), value) for name, value in expected["headers"]]
    assert answer.status == expected["status"]
    content_type = answer.headers.get("content-type")
    recorded_type = dict(headers).get("content-type")
    assert without_boundary(content_type) == without_boundary(recorded_type)
    assert telling(answer.pairs) == telling(headers)
    if answer.status == 207:
        recorded_body = expected["body"]
        recorded_bytes = (
            recorded_body["text"].encode()
            if "text" in recorded_body
            else base64.b64decode(recorded_body["base64"])
        )
        assert parts_of(answer.body, content_type) == parts_of(recorded_bytes, recorded_type)
        return
    if "base64" in expected["body"]:
        packed = base64.b64decode(expected["body"]["base64"])
        assert gzip.decompress(answer.body) == gzip.decompress(packed)
    else:
        # Byte for byte: the recorded server writes compact JSON in the same order.
        body, recorded = answer.body.decode(), expected["body"]["text"]
        assert with_boundary(body, content_type) == with_boundary(recorded, recorded_type)
    if "chunks" in expected["body"]:
        assert [piece.decode() for piece in answer.pieces] == expected["body"]["chunks"]


def parts_of(body: bytes, content_type: str | None) -> list[bytes]:
    """The parts of the answer to a batch, which come in the order in which they were made."""
    if content_type == "application/json":
        return sorted(split_array(body))
    if content_type == "text/event-stream":
        return sorted(body.split(b"\n\n"))
    return sorted(LengthDecoder(10_000).feed(body))


def telling(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pair for pair in headers if pair[0] not in INCIDENTAL)
