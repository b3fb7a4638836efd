from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from durable_execution.orpc._protocol.events import (
    Frame,
    FrameDecoder,
    FrameError,
    encode_frame,
)
from tests.vectors.notation import load_vectors

MESSAGES = load_vectors("sse_messages.json")
FRAME = b"event: message\ndata: 1\n\n"


def frame_of(message: dict[str, Any]) -> Frame:
    data = message.get("data")
    return Frame(
        message.get("event"),
        None if data is None else data.encode(),
        message.get("id"),
        message.get("retry"),
        tuple(message.get("comments", ())),
    )


def decode(*pieces: bytes, max_size: int = 1000) -> list[Frame]:
    decoder = FrameDecoder(max_size)
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    decoder.finish()
    return frames


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda vector: vector["name"])
def test_frame_is_written_as_the_reference_writes_it(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(ValueError, match="Event's") as caught:
            encode_frame(frame_of(vector["message"]))
        assert str(caught.value) == vector["error"]
    else:
        assert encode_frame(frame_of(vector["message"])).decode() == vector["text"]


@pytest.mark.parametrize(
    "vector",
    [vector for vector in MESSAGES if "text" in vector and vector["name"] != "nothing"],
    ids=lambda vector: vector["name"],
)
def test_frame_that_was_written_is_read_again(vector: dict[str, Any]) -> None:
    frame = frame_of(vector["message"])
    data = None if frame.data is None else b"\n".join(frame.data.splitlines() or [b""])
    if frame.data is not None and frame.data.endswith(b"\n"):
        data = (data or b"") + b"\n"
    expected = Frame(frame.event, data, frame.id, frame.retry, frame.comments)

    assert decode(vector["text"].encode()) == [expected]


LINES = st.lists(
    st.sampled_from(
        [
            b"",
            b"data: a",
            b"data:b",
            b"event: done",
            b": c",
            b"id: 7",
            b"retry: 5",
            b"\xc3\xa9",
            b"x",
        ]
    ),
    max_size=12,
)


@given(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"]), st.data())
def test_where_the_bytes_are_cut_makes_no_difference(
    lines: list[bytes], end: bytes, choices: st.DataObject
) -> None:
    text = b"".join(line + end for line in lines) + b"data: last\n\n"
    cuts = sorted(choices.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    bounds = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds)]

    assert decode(*pieces) == decode(*(text[i : i + 1] for i in range(len(text))))


@given(st.lists(st.binary(max_size=20), max_size=5))
@example([b"\xef\xbb", b"\xbf"])
def test_nothing_that_arrives_raises_anything_but_a_frame_error(pieces: list[bytes]) -> None:
    with contextlib.suppress(FrameError):
        decode(*pieces)


def test_frame_is_given_as_soon_as_its_last_byte_is_here() -> None:
    decoder = FrameDecoder(100)
    assert decoder.feed(b"data: 1\r\n\r") == [Frame(data=b"1")]
    assert decoder.feed(b"\ndata: 2\r\r") == [Frame(data=b"2")]
    assert decoder.feed(b"\n") == []
    decoder.finish()


def test_byte_order_mark_is_skipped_once() -> None:
    assert decode(b"\xef\xbb", b"\xbfdata: 1\n\n")[0].data == b"1"
    assert decode(FRAME, b"\xef\xbb\xbfdata: 1\n\n")[1].data is None


@pytest.mark.parametrize("rest", [b"data: 1", b"data: 1\n", b"\n", b"\n\n\n", b"\r", b": c\n"])
def test_what_is_left_at_the_end_is_an_error(rest: bytes) -> None:
    with pytest.raises(FrameError, match="ended before complete"):
        decode(FRAME, rest)


@pytest.mark.parametrize("rest", [b"", b"\n\n", b"\n\n\n\n", b": c\n\n"])
def test_frame_without_fields_is_no_rest(rest: bytes) -> None:
    assert [frame.data for frame in decode(FRAME, rest) if frame.data] == [b"1"]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: " + b"x" * 100], [b"x"] * 101, [b"data: 1\n"] * 15, [b"x" * 101 + b"\n"]],
    ids=["one piece", "a line without end", "lines without end", "one line"],
)
def test_frame_over_the_limit_is_refused_before_it_is_complete(pieces: list[bytes]) -> None:
    with pytest.raises(FrameError, match="larger than 100 bytes"):
        decode(*pieces, max_size=100)


def test_limit_is_one_of_each_frame() -> None:
    assert len(decode(FRAME * 100, max_size=30)) == 100


@pytest.mark.parametrize("retry", [b"5x", b"", b"-1", b"1.5", b"\xc2\xb2", b"9" * 12])
def test_retry_that_is_no_time_to_wait_is_ignored(retry: bytes) -> None:
    [frame] = decode(b"data: 1\nretry: " + retry + b"\n\n")
    assert frame.retry is None
