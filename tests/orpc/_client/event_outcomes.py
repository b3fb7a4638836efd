"""What a recorded client saw of an event stream, compared with what ours sees."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import (
    EventStream,
    ORPCError,
    RPCClientError,
    RPCConnectionError,
    RPCErrorEvent,
    RPCResponseError,
)
from tests.vectors.notation import from_notation, same

# Errors of the recorded client's JavaScript engine, and what they are here.
_ENGINE = {
    "SyntaxError": "Cannot parse response body, please check the response body and content-type.",
    "TypeError": "Invalid RPC response format.",
}


async def expect_events(stream: Any, outcomes: list[dict[str, Any]]) -> None:
    assert isinstance(stream, EventStream)
    events = stream.events()
    for outcome in outcomes:
        if "error" in outcome:
            with pytest.raises((ORPCError, RPCClientError)) as caught:
                await anext(events)
            _expect_error(caught.value, outcome["error"], stream)
            return
        event = await anext(events, None)
        assert (event is None) is outcome["done"]
        value = stream.return_value if event is None else event.value
        assert same(value, from_notation(outcome["value"]))
        if event is not None and "meta" in outcome:
            meta = outcome["meta"]
            retry = None if event.retry is None else event.retry * 1000
            assert event.id == meta.get("id")
            assert retry == meta.get("retry")
            assert list(event.comments) == meta.get("comments", [])
    assert stream.is_ended


def _expect_error(error: Exception, expected: dict[str, Any], stream: EventStream[Any]) -> None:
    if expected["class"] == "ORPCError":
        assert isinstance(error, ORPCError)
        assert (error.code, error.message) == (expected["code"], expected["message"])
        assert error.defined is expected["defined"]
        assert error.status == expected.get("status", error.status)
        assert same(error.data, from_notation(expected["data"]))
    elif expected["class"] == "ErrorEvent":
        assert isinstance(error, RPCErrorEvent)
        assert str(error) == expected["message"]
        assert same(error.data, from_notation(expected["data"]))
    else:
        is_cut_off = expected["class"] == "EventDecoderError"
        assert type(error) is (RPCConnectionError if is_cut_off else RPCResponseError)
        assert str(error) == _ENGINE.get(expected["class"], expected["message"])
    assert stream.last_event_id == expected.get("meta", {}).get("id")
