"""Files and streams of bytes that are bodies of their own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from durable_execution.orpc import File, FileLimits, OctetStream
from durable_execution.orpc._protocol import BodyTooLargeError, read_body, read_raw_file
from durable_execution.orpc._protocol.raw_body import write_octets, write_raw_file
from tests.orpc.pieces import Pieces
from tests.vectors.notation import from_notation, load_vectors, same

RAW = {v["name"]: v for v in load_vectors("blob_values.json") if "raw_body" in v["v2"]}


@pytest.mark.parametrize("name", sorted(RAW.keys() - {"file-empty-name"}))
async def test_a_file_as_the_whole_value_is_the_body(name: str) -> None:
    recorded = RAW[name]["v2"]["raw_body"]
    file = from_notation(RAW[name]["value"])
    headers, body = write_raw_file(file)

    assert await read_body(body, limit=100) == base64.b64decode(recorded["base64"])
    assert dict(headers)["standard-server"] == "file"
    assert dict(headers)["content-type"] == recorded["type"] or "application/octet-stream"
    read_back = await read_raw_file(body, headers, FileLimits())
    assert same(read_back, file)


async def test_a_file_without_a_name_arrives_as_a_blob() -> None:
    headers = (("content-type", "a/b"), ("content-disposition", 'inline; filename=""'))
    file = await read_raw_file(b"hi", headers, FileLimits())
    assert (file.name, file.content_type, file.read_bytes()) == ("blob", "a/b", b"hi")


async def test_a_file_from_disk_is_sent_in_pieces_and_received_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 700_000)
    headers, body = write_raw_file(File(path))

    assert not isinstance(body, bytes)
    assert dict(headers)["content-length"] == "700000"
    with await read_raw_file(body, headers, FileLimits()) as file:
        assert not file.is_in_memory or file.size <= FileLimits().max_memory
        assert file.read_bytes() == path.read_bytes()


async def test_a_file_larger_than_the_limit_is_refused_while_it_arrives() -> None:
    pieces = Pieces([b"x" * 100_000] * 100)
    with pytest.raises(BodyTooLargeError):
        await read_raw_file(pieces, (), FileLimits(max_bytes=1_000_000, max_memory=100_000))
    assert pieces.left > 80
    assert pieces.times_closed == 1


async def test_a_stream_of_bytes_is_read_once_and_closed() -> None:
    pieces = Pieces([b"a", b"b", b"c"])
    stream = OctetStream(pieces)
    assert [piece async for piece in stream] == [b"a", b"b", b"c"]
    assert await stream.read() == b""
    await stream.aclose()
    assert pieces.times_closed >= 1


async def test_a_stream_of_bytes_may_come_from_anything_that_gives_pieces() -> None:
    async def made() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    for source in ([b"a", b"b"], made(), iter([b"a", b"b"])):
        headers, body = write_octets(OctetStream(source))
        assert await read_body(body, limit=10) == b"ab"
        assert dict(headers) == {
            "standard-server": "octet-stream",
            "content-type": "application/octet-stream",
        }


@pytest.mark.parametrize("source", [b"bytes", "text", 1])
def test_what_gives_no_pieces_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="expected an iterable of bytes"):
        OctetStream(source)
