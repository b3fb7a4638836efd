"""Requests and outcomes of clients of version 2, and of mixed pairs of versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution.orpc import Dialect, OctetStream, Return, RPCErrorEvent
from durable_execution.orpc._client import RPCLink, RPCResponseError, safe
from durable_execution.orpc._protocol import ORPCError, Response, read_body
from tests.orpc._client.event_outcomes import expect_events
from tests.orpc._client.fake_sender import FakeSender
from tests.orpc._client.test_vectors import (
    ORIGIN,
    parsed,
    path_of,
    response_of,
    without_connection,
    without_transport,
)
from tests.vectors.forms import with_boundary, without_boundary
from tests.vectors.notation import from_notation, load_vectors, same

_BATCH = "several calls at once; test_batch_vectors replays them"
_TAGS = "this reader of version 2 takes the tags of version 1 too; see below"
_END = "this reader of version 2 takes the last event of version 1 too; see below"
_BATCHES = dict.fromkeys(("batch-streaming", "batch-buffered"), _BATCH)

# Sections: the dialect of the client, and what is left out with its reason: of requests and
# outcomes, and of outcomes alone.
SECTIONS: dict[str, tuple[Dialect, dict[str, str], dict[str, str]]] = {
    "exchanges_v2_beta": ("v2", _BATCHES, {}),
    "cross_v2_beta_client_v1_server": (
        "v2",
        _BATCHES,
        {
            "error-custom-code": _TAGS,
            "file-download-nested": _TAGS,
            "sse-values-and-return": _TAGS,
            "sse-primitive-events-undefined-return": _TAGS,
            "sse-ids-and-resume": _END,
            "sse-input": _END,
            "sse-orpc-error": "the error event has the words of version 1; see below",
        },
    ),
    "cross_v1_client_v2_beta_server": (
        "v1",
        {**_BATCHES, "sse-input": "that client fails before anything is sent; here it is sent"},
        {},
    ),
}
VECTORS = {section: {v["name"]: v for v in load_vectors(f"{section}.json")} for section in SECTIONS}


def replayed(*, outcomes: bool) -> list[Any]:
    return [
        pytest.param(section, name, id=f"{section}-{name}")
        for section, (_, left_out, outcomes_left_out) in SECTIONS.items()
        for name in VECTORS[section]
        if name not in left_out and not (outcomes and name in outcomes_left_out)
    ]


@pytest.mark.parametrize(("section", "name"), replayed(outcomes=False))
async def test_client_sends_what_was_recorded(section: str, name: str) -> None:
    vector, (dialect, *_) = VECTORS[section][name], SECTIONS[section]
    recorded = vector["http"][0]["request"]
    sender = FakeSender(Response(200))
    link = RPCLink(f"{ORIGIN}/rpc", sender=sender, dialect=dialect, method=recorded["method"])
    last_event_id = dict(recorded["headers"]).get("last-event-id")
    given = input_of(vector, recorded)
    await link.call(path_of(vector), given, last_event_id=last_event_id)
    [sent] = sender.requests
    assert (sent.method, sent.target) == (recorded["method"], recorded["target"])
    headers, expected = dict(sent.headers), without_transport(recorded["headers"])
    content_type, written = headers.pop("content-type", None), expected.pop("content-type", None)
    assert without_boundary(content_type) == without_boundary(written)
    headers.pop("content-length", None)
    assert headers == expected
    body, text = (await read_body(sent.body, limit=1 << 20)).decode(), recorded["body"]["text"]
    assert parsed(with_boundary(body, content_type)) == parsed(with_boundary(text, written))


@pytest.mark.parametrize(("section", "name"), replayed(outcomes=True))
async def test_client_understands_what_was_answered(section: str, name: str) -> None:
    vector, (dialect, *_) = VECTORS[section][name], SECTIONS[section]
    response = response_of(vector["http"][0]["response"])
    link = RPCLink(f"{ORIGIN}/rpc", sender=FakeSender(response), dialect=dialect)
    error, value, *_ = await safe(link.call(path_of(vector)))
    outcome = vector["client_outcome"]
    if "events" in outcome:
        await expect_events(value, outcome["events"])
    elif "result" in outcome:
        assert error is None
        await expect_value(value, outcome["result"])
    elif outcome["error"]["class"] == "ORPCError":
        assert isinstance(error, ORPCError)
        expect_error(error, outcome["error"], response.status)
    else:
        assert isinstance(error, RPCResponseError)
        assert str(error) == outcome["error"]["message"]


async def expect_value(value: object, notation: Any) -> None:
    if isinstance(notation, dict) and notation.get("$") == "byte-stream":
        assert isinstance(value, OctetStream)
        content = from_notation({**notation, "$": "blob", "type": ""})
        assert await value.read() == content.read_bytes()
        return
    assert same(value, from_notation(notation))


def expect_error(error: ORPCError, expected: dict[str, Any], http_status: int) -> None:
    assert (error.code, error.message) == (expected["code"], expected["message"])
    assert error.defined is expected["defined"]
    # Errors of version 2 have no status there; here it is that of the response.
    assert error.status == expected.get("status", http_status)
    found, recorded = (
        without_connection(error.data),
        without_connection(from_notation(expected["data"])),
    )
    assert same(found, recorded)


@pytest.mark.parametrize("section", SECTIONS)
def test_everything_left_out_is_a_vector(section: str) -> None:
    _, left_out, outcomes_left_out = SECTIONS[section]
    assert left_out.keys() <= VECTORS[section].keys()
    assert outcomes_left_out.keys() <= VECTORS[section].keys() - left_out.keys()


async def test_tags_of_version_1_reach_a_client_of_version_2() -> None:
    vectors = VECTORS["cross_v2_beta_client_v1_server"]
    response = response_of(vectors["file-download-nested"]["http"][0]["response"])
    link = RPCLink(f"{ORIGIN}/rpc", sender=FakeSender(response), dialect="v2")
    value: Any = await link.call(["files", "nested"])
    assert same(
        value["at"], from_notation({"$": "date", "v": "1970-01-01T00:00:00.000Z", "epochMs": 0})
    )
    assert [file.name for file in value["list"]] == ["a.csv", "blob"]

    response = response_of(vectors["error-custom-code"]["http"][0]["response"])
    link = RPCLink(f"{ORIGIN}/rpc", sender=FakeSender(response), dialect="v2")
    error = (await safe(link.call(["errors", "teapot"]))).error
    assert isinstance(error, ORPCError)
    # Its error objects have one key too many and one too few all the same.
    assert (error.code, error.status) == ("MALFORMED_ORPC_ERROR_RESPONSE", 418)
    assert error.data["body"]["data"] == {"kind": "oolong", "strength": 7}


async def test_events_of_version_1_reach_a_client_of_version_2() -> None:
    vectors = VECTORS["cross_v2_beta_client_v1_server"]

    async def stream_of(name: str) -> Any:
        response = response_of(vectors[name]["http"][0]["response"])
        link = RPCLink(f"{ORIGIN}/rpc", sender=FakeSender(response), dialect="v2")
        return await link.call(["x"])

    stream = await stream_of("sse-values-and-return")
    own = VECTORS["exchanges_v2_beta"]["sse-values-and-return"]["client_outcome"]
    await expect_events(stream, own["events"])
    stream = await stream_of("sse-ids-and-resume")
    assert [value async for value in stream] == []
    assert (stream.return_value, stream.last_event_id) == ({"done": True}, "end")
    stream = await stream_of("sse-orpc-error")
    assert await anext(stream) == {"ok": 1}
    with pytest.raises(RPCErrorEvent) as caught:
        await anext(stream)
    assert caught.value.data["code"] == "CONFLICT"


def input_of(vector: dict[str, Any], request: dict[str, Any]) -> object:
    """What the caller passed: where the pair of versions lost it on the way, that of the pair of
    the client's own version."""
    own = VECTORS["exchanges_v2_beta"][vector["name"]]
    if own.get("server_input") == {"$": "event-iterator"}:
        return _one_and_return_two()
    return (
        from_notation(own["server_input"])
        if "server_input" in own
        else from_notation({"$": "undefined"})
    )


async def _one_and_return_two() -> AsyncIterator[Any]:
    yield 1
    yield Return(2)
