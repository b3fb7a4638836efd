"""Answers as servers frame, pack and cut them, read by a sender that blocks."""

from __future__ import annotations

import gzip
import zlib

import pytest

from durable_execution.orpc import RPCLink, RPCResponseError, SyncLink
from tests.orpc._client.peers import CHUNKED, HEAD, PATIENCE, Peer, listening, saying


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b'4;a=b\r\n{"js\r\n6\r\non":1}\r\n0\r\nx: y\r\n\r\n',
        HEAD + b'\r\n{"json":1}',
        HEAD.replace(b"1.1", b"1.0") + b'content-length: 10\r\n\r\n{"json":1}',
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + HEAD
        + b'content-length: 10\r\n\r\n{"json":1}',
    ],
    ids=["chunks", "until the end", "1.0", "hints"],
)
def test_body_is_read_however_its_end_is_told(answer: bytes) -> None:
    with (
        listening(saying(*(answer[at : at + 1] for at in range(len(answer))))) as peers,
        SyncLink(RPCLink(peers.url)) as link,
    ):
        assert link.call(["x"]) == 1


def test_redirect_is_not_followed() -> None:
    answer = b'HTTP/1.1 302 Found\r\nlocation: /y\r\ncontent-length: 10\r\n\r\n{"json":2}'
    with listening(saying(answer)) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert link.call(["x"]) == 2
        assert len(peers.all) == 1


PACKED = gzip.compress(b'{"json":') + gzip.compress(b'"packed"}')
DEFLATED = zlib.compress(b'{"json":"packed"}')


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", PACKED),
        (b"deflate", DEFLATED),
        (b"deflate", DEFLATED[2:-4]),
        (b"identity", b'{"json":"packed"}'),
    ],
    ids=["gzip", "zlib", "raw", "identity"],
)
def test_packed_answer_is_read(encoding: bytes, body: bytes) -> None:
    def talk(peer: Peer) -> None:
        while True:
            assert b"accept-encoding: gzip, deflate\r\n" in peer.request()
            peer.answer(body, b"content-encoding: %s\r\n" % encoding)

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert [link.call(["x"]), link.call(["x"])] == ["packed", "packed"]
        assert len(peers.all) == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(b"gzip", b"no gzip"), (b"gzip", PACKED[:-3]), (b"br", b"x")],
    ids=["broken", "cut off", "unknown"],
)
def test_answer_that_cannot_be_unpacked_is_named(encoding: bytes, body: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(body, b"content-encoding: %s\r\n" % encoding)

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url)) as link,
        pytest.raises(RPCResponseError, match="cannot be unpacked"),
    ):
        link.call(["x"])


def test_small_answer_that_unpacks_into_a_huge_one_is_cut_off() -> None:
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000

    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(packed, b"content-encoding: gzip\r\n")

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url, max_response_size=1_000_000)) as link,
        pytest.raises(RPCResponseError, match="larger than 1000000 bytes"),
    ):
        link.call(["x"])


@pytest.mark.parametrize(
    "answer",
    [HEAD + b"content-length: 1001\r\n\r\n", HEAD + b"\r\n" + b"x" * 2000],
    ids=["announced", "streaming"],
)
def test_answer_over_the_limit_is_cut_off(answer: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(answer)
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url, max_response_size=1000)) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
            link.call(["x"])
        assert peers.all[0].has_left.wait(PATIENCE)


def test_large_bodies_arrive_whole() -> None:
    def talk(peer: Peer) -> None:
        body = peer.request().partition(b"\r\n\r\n")[2]
        peer.answer(body)

    text = "x" * 3_000_000
    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert link.call(["x"], text) == text
