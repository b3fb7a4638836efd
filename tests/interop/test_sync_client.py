"""The client that blocks against real servers of both versions: the same calls, from threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from durable_execution.orpc import (
    UNDEFINED,
    BigInt,
    EventStream,
    File,
    ORPCError,
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCTimeoutError,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
)

if TYPE_CHECKING:
    from durable_execution.orpc import Dialect
    from tests.interop.conftest import NodeServer, StartServer

pytestmark = pytest.mark.interop

SERVERS: dict[str, Dialect] = {"@orpc/server": "v1", "orpc-server-2-beta": "v2"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Planet:
    id: int
    name: str


@pytest.fixture
def client(orpc_server: NodeServer) -> Iterator[SyncORPCClient]:
    with SyncLink(RPCLink(orpc_server.url)) as link:
        yield create_orpc_client(link)


@pytest.fixture(scope="module", params=SERVERS)
def streams(request: pytest.FixtureRequest, start_orpc_server: StartServer) -> tuple[str, Dialect]:
    return start_orpc_server("streams_server.mjs", request.param).url, SERVERS[request.param]


@pytest.fixture(scope="module", params=SERVERS)
def files(request: pytest.FixtureRequest, start_orpc_server: StartServer) -> tuple[str, Dialect]:
    return start_orpc_server("files_server.mjs", request.param).url, SERVERS[request.param]


def test_values_and_types_come_back(client: SyncORPCClient) -> None:
    assert client.ping() == "pong"
    assert client.nothing() is UNDEFINED
    rich = {"at": EPOCH, "big": BigInt(2**70), "list": [None, UNDEFINED]}
    assert client.echo(rich) == rich
    assert client.echo({"id": 1, "name": "Earth"}, output=Planet) == Planet(1, "Earth")


def test_error_of_the_server_is_raised(client: SyncORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        client.no.such.procedure()
    assert caught.value.code == "NOT_FOUND"


def test_threads_keep_their_answers_apart(client: SyncORPCClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(client.echo, range(100))) == list(range(100))


def test_slow_procedure_times_out_and_the_link_stays_usable(client: SyncORPCClient) -> None:
    with pytest.raises(RPCTimeoutError, match=r"No answer within 0\.05 seconds"):
        client.slow({"ms": 60_000}, timeout=0.05)
    assert client.slow({"ms": 1}) == "late"


def test_connection_cut_by_the_server_is_not_tried_again(orpc_server: NodeServer) -> None:
    with (
        SyncLink(RPCLink(f"{orpc_server.origin}/hangs-up", retries=Retries(attempts=5))) as link,
        pytest.raises(RPCConnectionError) as caught,
    ):
        create_orpc_client(link).ping()
    assert caught.value.was_sent


def test_stream_is_read_to_its_return_value_and_resumed(streams: tuple[str, Dialect]) -> None:
    url, dialect = streams
    with SyncLink(RPCLink(url, dialect=dialect)) as link:
        client = create_orpc_client(link)
        with client.count({"to": 3}, output=EventStream[dict[str, object]]) as stream:
            assert [value["n"] for value in stream] == [0, 1, 2]
        assert (stream.return_value, stream.last_event_id) == ("counted", "3")
        resumed = client.count({"to": 5}, last_event_id=stream.last_event_id)
        assert [value["n"] for value in resumed] == [3, 4]


def test_error_amid_a_stream_is_raised_where_it_stands(streams: tuple[str, Dialect]) -> None:
    url, dialect = streams
    with SyncLink(RPCLink(url, dialect=dialect)) as link:
        stream = create_orpc_client(link).fails()
        assert next(stream) == 1
        with pytest.raises(ORPCError) as caught:
            next(stream)
    assert (caught.value.code, caught.value.data) == ("CONFLICT", {"n": BigInt(1)})


def test_generator_goes_out_as_a_stream(streams: tuple[str, Dialect]) -> None:
    url, dialect = streams
    with SyncLink(RPCLink(url, dialect=dialect)) as link:
        assert create_orpc_client(link).total(number for number in (1, 2, 3)) == 6


def test_files_travel_both_ways(files: tuple[str, Dialect], tmp_path: Path) -> None:
    url, dialect = files
    path = tmp_path / "plan.txt"
    path.write_bytes(b"content")
    with SyncLink(RPCLink(url, dialect=dialect)) as link:
        client = create_orpc_client(link)
        assert client.facts({"file": File(path)})["size"] == 7
        with client.download() as file:
            assert file.read_bytes() == b"hello w\xc3\xb6rld\n"
