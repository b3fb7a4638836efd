"""Streams read by threads, over connections that block: left early, silent, cut off."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from durable_execution.orpc import (
    CallContext,
    EventStream,
    File,
    FileLimits,
    OctetStream,
    Return,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    RPCTimeoutError,
    SyncLink,
    create_orpc_client,
    rpc,
)
from tests.orpc._client.peers import PATIENCE, Peer, listening
from tests.served import served

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


ONE = chunk(b'event: message\ndata: {"json":1}\n\n')
DONE = chunk(b'event: done\ndata: {"json":"all"}\n\n')


def beginning(peer: Peer) -> None:
    """Sends one event, and nothing until the client leaves."""
    peer.request()
    peer.say(EVENTS + ONE)
    peer.until_left()


def test_stream_that_was_read_leaves_its_connection_to_the_next_call() -> None:
    def talk(peer: Peer) -> None:
        while True:
            peer.request()
            peer.say(EVENTS, ONE, ONE, DONE, b"0\r\n\r\n")

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        for _ in range(2):
            with create_orpc_client(link).x() as numbers:
                assert list(numbers) == [1, 1]
            assert numbers.return_value == "all"
        assert len(peers.all) == 1


def test_reader_that_leaves_gives_up_the_connection() -> None:
    with listening(beginning) as peers, SyncLink(RPCLink(peers.url)) as link:
        with create_orpc_client(link).x() as numbers:
            assert next(numbers) == 1
        assert peers.all[0].has_left.wait(PATIENCE)
        with pytest.raises(StopIteration):
            next(numbers)


def test_stream_that_is_forgotten_gives_up_the_connection_and_warns() -> None:
    with listening(beginning) as peers, SyncLink(RPCLink(peers.url)) as link:
        kept = [create_orpc_client(link).x()]
        assert next(kept[0]) == 1
        with pytest.warns(ResourceWarning, match=r"unclosed stream of .*; use `with`"):
            kept.clear()
        assert peers.all[0].has_left.wait(PATIENCE)


def test_stream_is_left_by_another_thread_than_the_one_that_waits_at_it() -> None:
    has_first = threading.Event()

    def read(numbers: Iterator[int]) -> None:
        for _ in numbers:
            has_first.set()

    with (
        listening(beginning) as peers,
        SyncLink(RPCLink(peers.url)) as link,
        ThreadPoolExecutor(1) as threads,
    ):
        numbers = create_orpc_client(link).x()
        reading = threads.submit(read, numbers)
        assert has_first.wait(PATIENCE)
        numbers.close()
        # What it sees depends on where it was: at the connection, or about to go there.
        assert isinstance(reading.exception(PATIENCE), RPCConnectionError | None)
        assert peers.all[0].has_left.wait(PATIENCE)


def test_closing_the_link_ends_the_wait_for_an_event() -> None:
    has_first = threading.Event()

    def read(numbers: Iterator[int]) -> None:
        for _ in numbers:
            has_first.set()

    with listening(beginning) as peers, ThreadPoolExecutor(1) as threads:
        link = SyncLink(RPCLink(peers.url))
        reading = threads.submit(read, create_orpc_client(link).x())
        assert has_first.wait(PATIENCE)
        link.close()
        assert isinstance(reading.exception(PATIENCE), RuntimeError)
        assert peers.all[0].has_left.wait(PATIENCE)


def test_silence_ends_a_stream() -> None:
    with (
        listening(beginning) as peers,
        SyncLink(RPCLink(peers.url, idle_timeout=0.1)) as link,
    ):
        numbers = create_orpc_client(link).x()
        assert next(numbers) == 1
        with pytest.raises(RPCTimeoutError, match=r"Nothing arrived within 0\.1 seconds"):
            next(numbers)
        assert peers.all[0].has_left.wait(PATIENCE)


@pytest.mark.parametrize("end", [b"", b"5\r\nev"], ids=["between events", "amid one"])
def test_stream_that_is_cut_off_says_so(end: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(EVENTS, ONE, end)

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        numbers = create_orpc_client(link).x()
        assert next(numbers) == 1
        with pytest.raises(RPCConnectionError, match=r"The connection broke: ."):
            next(numbers)


def test_timeout_of_a_call_does_not_end_its_stream() -> None:
    may_go_on = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(EVENTS, ONE)
        assert may_go_on.wait(PATIENCE)
        peer.say(ONE, DONE, b"0\r\n\r\n")
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        numbers = create_orpc_client(link).x(timeout=20)
        assert next(numbers) == 1
        may_go_on.set()
        assert list(numbers) == [1]


@rpc.handler
async def count(ctx: CallContext, input: int) -> AsyncIterator[int | Return[str]]:
    for number in range(input):
        yield number
    yield Return("all of them")


@rpc.handler
async def total(ctx: CallContext, input: EventStream[int]) -> int:
    return sum([number async for number in input])


@rpc.handler
async def doubled(ctx: CallContext, input: EventStream[int]) -> AsyncIterator[int]:
    async for number in input:
        yield number * 2


ROUTER = {
    "count": count,
    "total": total,
    "doubled": doubled,
    "echo": rpc.handler(lambda ctx, value: value),
    "bytes": rpc.handler(lambda ctx: OctetStream([b"ab", b"cd"])),
}


@pytest.fixture(scope="module", params=["v1", "v2"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    limits = FileLimits(max_memory=1000)
    with served(RPCHandler(ROUTER, dialect=request.param, files=limits)) as url:
        yield url, request.param


@pytest.fixture
def client(server: tuple[str, Any]) -> Iterator[Any]:
    url, dialect = server
    link = RPCLink(url, dialect=dialect, files=FileLimits(max_memory=1000))
    with SyncLink(link) as sync_link:
        yield create_orpc_client(sync_link)


def test_what_is_made_while_it_is_sent_goes_out_and_its_answer_comes_in(client: Any) -> None:
    assert client.total(number for number in range(100)) == 4950
    with client.doubled(iter([1, 2, 3])) as numbers:
        assert list(numbers) == [2, 4, 6]
    with client.count(3) as numbers:
        assert list(numbers) == [0, 1, 2]
    assert numbers.return_value == "all of them"
    assert [event.value for event in client.count(2).events()] == [0, 1]


def test_files_go_to_the_disk_and_back(client: Any) -> None:
    content = bytes(range(256)) * 8000
    for size in (100, 2_000_000):
        with client.echo({"file": File(content[:size], "a.bin")})["file"] as file:
            assert file.read_bytes() == content[:size]


def test_stream_of_bytes_is_an_iterator() -> None:
    with (
        served(RPCHandler(ROUTER, dialect="v2")) as url,
        SyncLink(RPCLink(url, dialect="v2")) as link,
    ):
        client: Any = create_orpc_client(link)
        with client.bytes() as pieces:
            assert next(pieces) + pieces.read() == b"abcd"
        with client.bytes() as pieces:
            assert b"".join(pieces) == b"abcd"
