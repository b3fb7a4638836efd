"""Heads and bodies of answers, cut anywhere, and bytes that are none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution.orpc._client.http_answer import (
    BadAnswerError,
    BodyReader,
    CutOffError,
    Head,
    parse_head,
)


class Wire:
    """Bytes that arrive in pieces, as a connection gives them."""

    def __init__(self, text: bytes, piece: int) -> None:
        self.text = text
        self._piece = piece

    def take(self, size: int) -> bytes:
        size = min(size, self._piece)
        taken, self.text = self.text[:size], self.text[size:]
        return taken

    def line(self) -> bytes:
        line, end, rest = self.text.partition(b"\r\n")
        if not end:
            raise CutOffError
        self.text = rest
        return line


def body_of(head: Head, wire: Wire, size: int = 10) -> bytes:
    reader = BodyReader(head, wire.take, wire.line)
    pieces = []
    while piece := reader.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    assert reader.read(size) == b""
    return b"".join(pieces)


def test_head_is_read() -> None:
    head = parse_head(
        b"HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\nX-EMPTY:\r\n"
        b"x-name: \xc3\x85\xc3\xb6\t \r\nx-bytes: \xff\r\nset-cookie: a\r\nset-cookie: b:c"
    )
    assert head.status == 404
    assert head.headers == (
        ("content-type", "a/b"),
        ("x-empty", ""),
        ("x-name", "Åö"),
        ("x-bytes", "\udcff"),
        ("set-cookie", "a"),
        ("set-cookie", "b:c"),
    )


@pytest.mark.parametrize(
    ("text", "length", "is_chunked", "is_kept"),
    [
        (b"HTTP/1.1 200 OK", None, False, False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5", 5, False, True),
        (b"HTTP/1.1 200\r\ncontent-length: 5\r\ncontent-length: 5", 5, False, True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: Close", 5, False, False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 5", 5, False, False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive", 5, False, True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked", None, True, True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: x, chunked", None, True, True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip", None, False, False),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
            None,
            True,
            True,
        ),
        (b"HTTP/1.1 204 No Content", 0, False, True),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5", 0, False, True),
        (b"HTTP/1.1 103 Early Hints", 0, False, True),
    ],
)
def test_end_of_the_body_is_where_the_head_says(
    text: bytes,
    length: int | None,
    is_chunked: bool,
    is_kept: bool,
) -> None:
    assert parse_head(text)[2:] == (length, is_chunked, is_kept)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200 OK\r\nname",
        b"HTTP/1.1 200 OK\r\n: value",
        b"HTTP/1.1 200 OK\r\nname : value",
        b"HTTP/1.1 200 OK\r\nname: value\r\n folded",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1, 1",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2",
    ],
)
def test_what_is_no_head_is_refused(text: bytes) -> None:
    with pytest.raises(BadAnswerError):
        parse_head(text)


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 50), st.integers(1, 50))
def test_chunks_are_joined_and_what_follows_is_left(
    chunks: list[bytes], piece: int, size: int
) -> None:
    text = b"".join(b"%X;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire = Wire(text + b"0\r\nx: y\r\n\r\nHTTP", piece)
    head = Head(200, (), None, is_chunked=True, is_kept=True)
    assert body_of(head, wire, size) == b"".join(chunks)
    assert wire.text == b"HTTP"


@given(st.binary(max_size=60), st.integers(1, 50))
def test_body_with_a_length_leaves_what_follows(body: bytes, piece: int) -> None:
    wire = Wire(body + b"HTTP", piece)
    assert body_of(Head(200, (), len(body), is_chunked=False, is_kept=True), wire) == body
    assert wire.text == b"HTTP"


@given(st.binary(max_size=60), st.integers(1, 50))
def test_body_without_one_is_all_there_is(body: bytes, piece: int) -> None:
    assert body_of(Head(200, (), None, is_chunked=False, is_kept=False), Wire(body, piece)) == body


@given(st.binary(max_size=80))
def test_bytes_that_are_no_answer_raise_nothing_else(text: bytes) -> None:
    for head in (
        Head(200, (), None, is_chunked=True, is_kept=True),
        Head(200, (), 1000, is_chunked=False, is_kept=True),
    ):
        with suppress(BadAnswerError, CutOffError):
            body_of(head, Wire(text, 7))
    with suppress(BadAnswerError):
        parse_head(text)
