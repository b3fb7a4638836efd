"""Values with files as forms: bounds, where the bytes are, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from durable_execution._codec import DecodeError, Limits, TypedJson
from durable_execution.orpc import File, FileLimits
from durable_execution.orpc._protocol import BodyTooLargeError, MultipartError, read_body
from durable_execution.orpc._protocol.form import read_form, write_form
from durable_execution.orpc._protocol.multipart import form_end, part_head
from tests.orpc.pieces import Pieces
from tests.vectors.notation import from_notation, load_vectors, same

TYPE = "multipart/form-data; boundary=B"
CODEC = TypedJson()
BLOBS = {vector["name"]: vector for vector in load_vectors("blob_values.json")}


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    pieces = [
        part_head("B", name, filename, None) + body + b"\r\n" for name, filename, body in parts
    ]
    return b"".join([*pieces, form_end("B")])


def with_files(*contents: bytes) -> bytes:
    maps = [[index] for index in range(len(contents))]
    data = CODEC.dumps([{} for _ in contents])[:-1] + b',"maps":' + str(maps).encode() + b"}"
    files = ((str(i), f"{i}.bin", content) for i, content in enumerate(contents))
    return form(("data", None, data), *files)


async def read(body: bytes, piece: int = 1000, **limits: int) -> Any:
    pieces = Pieces(body[at : at + piece] for at in range(0, len(body), piece))
    try:
        value, _ = await read_form(pieces, TYPE, CODEC, FileLimits(**limits))
    finally:
        assert pieces.times_closed
    return value


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


FORMS = [
    pytest.param(dialect, vector["value"], vector[section], id=f"{dialect}-{name}")
    for dialect, section in (("v1", "multipart"), ("v2", "v2"))
    for name, vector in BLOBS.items()
    if name != "file-empty-name" and "raw_body" not in vector[section]
]


@pytest.mark.parametrize(("dialect", "value", "recorded"), FORMS)
async def test_a_value_with_files_is_the_recorded_form(
    dialect: Any, value: Any, recorded: dict[str, Any]
) -> None:
    codec = TypedJson(dialect=dialect)
    data, found = codec.dumps_with_files(from_notation(value))
    files = [file for file in found if isinstance(file, File)]

    assert data.decode() == recorded["data_text"]
    assert [str(index) for index in range(len(files))] == [p["name"] for p in recorded["parts"]]
    for file, part in zip(files, recorded["parts"], strict=True):
        # A type that was not given is sent as this one.
        sent_type = part["content_type_of_blob"] or "application/octet-stream"
        assert (file.name, file.content_type) == (part["filename"], sent_type)
        assert base64.b64encode(file.read_bytes()).decode() == part["base64"]

    headers, body = write_form(data, files)
    whole = await read_body(body, limit=1 << 20)
    read_back, _ = await read_form(whole, dict(headers)["content-type"], codec, FileLimits())
    assert same(read_back, from_notation(recorded.get("decoded", value)))


def test_a_file_without_a_name_is_refused_before_it_is_sent() -> None:
    # JavaScript sends it, and its reader takes the part for text and refuses the form.
    with pytest.raises(ValueError, match="expected a name"):
        from_notation(BLOBS["file-empty-name"]["value"])


async def test_a_part_without_a_file_name_is_no_file() -> None:
    with pytest.raises(DecodeError, match="no file part named 0"):
        await read(form(("data", None, b'{"json":{},"maps":[[]]}'), ("0", "", b"hi")))


async def test_small_files_stay_in_memory_and_large_ones_go_to_disk() -> None:
    before = open_files()
    small, large, last = await read(with_files(b"a" * 900, b"b" * 90_000, b"c"), max_memory=1000)
    assert [file.is_in_memory for file in (small, large, last)] == [True, False, True]
    assert open_files() == before + 1
    assert large.read_bytes() == b"b" * 90_000
    assert (await large.read(3), small.read_bytes(), last.read_bytes()) == (
        b"bbb",
        b"a" * 900,
        b"c",
    )
    await large.close()
    assert open_files() == before


async def test_a_forgotten_file_leaves_nothing_behind() -> None:
    before = open_files()
    await read(with_files(b"a" * 90_000), max_memory=0)
    # The thread that wrote it lets go of it a moment after it has said so.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert open_files() == before


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (with_files(b"x" * 50, b"y" * 51), {"max_bytes": 100}),
        (with_files(b"", b"", b""), {"max_files": 2}),
        (with_files(b"x" * 101), {"max_bytes": 100, "max_memory": 10}),
        (form(*(("n", None, b"") for _ in range(100))), {"max_files": 1}),
    ],
)
async def test_more_than_the_limits_allow_is_refused(body: bytes, limits: dict[str, int]) -> None:
    before = open_files()
    with pytest.raises(BodyTooLargeError):
        await read(body, piece=20, **limits)
    assert open_files() == before


async def test_as_much_as_the_limits_allow_is_taken() -> None:
    first, second = await read(with_files(b"x" * 50, b"y" * 50), max_bytes=100, max_files=2)
    assert (first.size, second.size) == (50, 50)


async def test_an_envelope_larger_than_the_codec_takes_is_refused_while_it_arrives() -> None:
    pieces = Pieces([form(("data", None, b"x" * 1000))[:900], *[b"x" * 500 for _ in range(99)]])
    with pytest.raises(BodyTooLargeError):
        await read_form(pieces, TYPE, TypedJson(limits=Limits(max_bytes=1200)), FileLimits())
    assert pieces.left > 90


@pytest.mark.parametrize(
    "body",
    [
        form(("0", "x", b"x")),
        form(("data", "x", b"{}")),
        form(("data", None, b"null")),
        form(("data", None, b"{")),
        form(("data", None, b'{"json":{},"maps":[["a"]]}'), ("0", "x", b"")),
        form(("data", None, b'{"json":{},"maps":[[],[]]}'), ("0", "x", b"")),
        form(("data", None, b'{"json":[{}],"maps":[[0],[0,0]]}'), ("0", "x", b""), ("1", "x", b"")),
        form(("data", None, b'{"json":{},"maps":{}}'), ("0", "x", b"")),
        form(("data", None, b'{"json":{},"maps":[null]}'), ("0", "x", b"")),
        form(("data", None, b'{"json":{},"maps":[["__proto__"]]}'), ("0", "x", b"")),
        form(("data", None, b'{"json":{},"maps":[[]]}'), ("00", "x", b"")),
        form(("data", None, b'{"json":{},"meta":[[0]],"maps":[[]]}'), ("0", "x", b"")),
    ],
)
async def test_a_form_that_is_no_value_is_refused_and_its_files_are_deleted(body: bytes) -> None:
    before = open_files()
    with pytest.raises(DecodeError):
        await read(body, max_memory=0)
    assert open_files() == before


async def test_a_form_that_breaks_off_leaves_nothing_behind() -> None:
    before = open_files()
    pieces = Pieces([with_files(b"x" * 1000)[:-500]], ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await read_form(pieces, TYPE, CODEC, FileLimits(max_memory=0))
    with pytest.raises(MultipartError, match="ends before"):
        await read(with_files(b"x" * 1000)[:-1000], max_memory=0)
    assert open_files() == before


async def test_a_body_without_a_boundary_is_closed_unread() -> None:
    pieces = Pieces([b"x"])
    with pytest.raises(MultipartError):
        await read_form(pieces, "multipart/form-data", CODEC, FileLimits())
    assert (pieces.left, pieces.times_closed) == (1, 1)


async def test_unknown_parts_are_dropped_as_they_arrive() -> None:
    body = form(("data", None, b'{"json":1}'), ("7", "x", b"x"), ("zzz", "x", b"x" * 9000))
    assert await read(body, max_memory=10, max_bytes=10) == 1


async def test_a_large_form_is_made_while_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 700_000)
    data, files = CODEC.dumps_with_files({"f": File(path), "same": File(path)})
    headers, body = write_form(data, [file for file in files if isinstance(file, File)])

    assert not isinstance(body, bytes)
    first, second = [b"".join([piece async for piece in body]) for _ in range(2)]
    assert first == second
    assert dict(headers)["content-length"] == str(len(first))
    value, _ = await read_form(first, dict(headers)["content-type"], CODEC, FileLimits())
    assert value["same"].read_bytes() == path.read_bytes()


@pytest.mark.parametrize("size", [699_999, 700_001])
async def test_a_file_that_changes_while_it_is_sent_ends_the_message(
    size: int, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 700_000)
    _, body = write_form(b"{}", [File(path)])
    assert not isinstance(body, bytes)
    path.write_bytes(b"x" * size)
    with pytest.raises(RuntimeError, match=r"large\.bin' changed while it was sent"):
        await read_body(body, limit=700_400)  # never more than was announced


@pytest.mark.parametrize("field", ["max_bytes", "max_files", "max_memory"])
def test_limits_are_checked(field: str) -> None:
    with pytest.raises(ValueError, match=rf"FileLimits\.{field}: expected an int"):
        FileLimits(**{field: -1})
