from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from durable_execution._codec import UNDEFINED
from durable_execution.orpc._client import (
    ORPCClient,
    RPCLink,
    RPCResponseError,
    create_orpc_client,
)
from durable_execution.orpc._protocol import OctetStream
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.orpc.pieces import Pieces


@dataclass
class Planet:
    id: int
    name: str


class RecordingLink:
    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    async def call(self, path: Any, input: object = UNDEFINED, **options: Any) -> object:
        self.calls.append((path, input, options))
        return self.answer


async def test_stream_that_is_not_the_output_asked_for_is_closed() -> None:
    body = Pieces([b"raw ", b"bytes"])
    client = create_orpc_client(RecordingLink(OctetStream(body)))
    with pytest.raises(RPCResponseError, match="find: not the output asked for"):
        await client.find(output=Planet)
    assert body.times_closed == 1


async def test_attributes_and_items_are_the_path() -> None:
    link = RecordingLink()
    await create_orpc_client(link, ["api"]).planets["my proc"].find({"id": 1})
    [(path, value, _)] = link.calls
    assert path == ("api", "planets", "my proc", "find")
    assert value == {"id": 1}


async def test_call_without_argument_sends_undefined() -> None:
    link = RecordingLink()
    await create_orpc_client(link).ping()
    assert link.calls[0][1] is UNDEFINED


async def test_options_reach_the_link() -> None:
    link = RecordingLink()
    client = create_orpc_client(link)
    await client.ping(headers={"a": "b"}, timeout=None, last_event_id="7")
    await client.ping()
    assert [options for _, _, options in link.calls] == [
        {"headers": {"a": "b"}, "timeout": None, "last_event_id": "7", "method": None},
        {"headers": None, "timeout": UNDEFINED, "last_event_id": None, "method": None},
    ]


async def test_output_hint_gives_a_typed_result() -> None:
    client = create_orpc_client(RecordingLink([{"id": 1, "name": "Earth"}]))
    assert await client.planets.list(output=list[Planet]) == [Planet(1, "Earth")]


async def test_answer_of_another_shape_names_the_field() -> None:
    client = create_orpc_client(RecordingLink({"id": "one", "name": "Earth"}))
    with pytest.raises(RPCResponseError, match=r"planets/find: .*output.id"):
        await client.planets.find(output=Planet)


async def test_answer_without_hint_is_passed_on_unchanged() -> None:
    answer = {"any": [UNDEFINED, object()]}
    assert await create_orpc_client(RecordingLink(answer)).x() is answer


async def test_unsupported_output_hint_is_refused_before_anything_is_sent() -> None:
    link = RecordingLink()
    with pytest.raises(TypeError):
        await create_orpc_client(link).x(output=42)
    assert link.calls == []


def test_client_is_not_awaitable_by_accident() -> None:
    client: object = create_orpc_client(RecordingLink()).planets
    assert not inspect.isawaitable(client)
    assert not inspect.iscoroutine(client)


@pytest.mark.parametrize("name", ["__len__", "__wrapped__", "_repr_html_", "_private"])
def test_names_tools_look_up_are_no_procedures(name: str) -> None:
    client = create_orpc_client(RecordingLink())
    assert not hasattr(client, name)
    assert isinstance(client[name], ORPCClient)


def test_client_is_not_iterable() -> None:
    client = create_orpc_client(RecordingLink())
    with pytest.raises(TypeError):
        iter(client)  # type: ignore[call-overload]  # the point of the test
    with pytest.raises(TypeError):
        _ = "x" in client  # type: ignore[misc]  # the point of the test


def test_copies_share_the_link() -> None:
    client = create_orpc_client(RecordingLink()).planets
    assert copy.copy(client) is client
    assert copy.deepcopy({"client": client})["client"] is client


def test_pickling_says_what_stands_in_the_way() -> None:
    client = create_orpc_client(RPCLink("http://localhost/rpc"))
    with pytest.raises(TypeError, match="RPCLink cannot be pickled"):
        pickle.dumps(client)


def test_repr_is_the_path() -> None:
    client = create_orpc_client(RecordingLink())
    assert repr(client) == "<ORPCClient />"
    assert repr(client.planets.find) == "<ORPCClient planets/find>"


@pytest.mark.parametrize("path", ["planets", [1]])
def test_path_of_another_type_is_refused(path: list[str]) -> None:
    with pytest.raises(TypeError, match="path: expected a sequence of names"):
        create_orpc_client(RecordingLink(), path)


def test_a_url_is_no_link() -> None:
    with pytest.raises(TypeError, match="link must be a link, got str"):
        create_orpc_client("http://localhost/rpc")  # type: ignore[call-overload]


def test_item_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="procedure name: expected str, got int"):
        create_orpc_client(RecordingLink())[0]  # type: ignore[index]  # the point of the test


async def test_client_over_a_link_decodes_the_answer() -> None:
    link = RPCLink("http://localhost/rpc", sender=FakeSender(json_response(b'{"json":"pong"}')))
    assert await create_orpc_client(link).ping() == "pong"
