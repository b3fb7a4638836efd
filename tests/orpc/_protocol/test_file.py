"""`File`: what it may be made of, how it is read, and when it ends."""

from __future__ import annotations

import asyncio
import gc
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers, UploadFile

from durable_execution.orpc import File
from durable_execution.orpc._protocol.file import as_file

CONTENT = bytes(range(256)) * 3000  # more than one piece


def from_bytes(folder: Path) -> File:
    return File(CONTENT, "a.bin")


def from_path(folder: Path) -> File:
    path = folder / "a.bin"
    path.write_bytes(CONTENT)
    return File(path)


def from_open_file(folder: Path) -> File:
    opened = (folder / "a.bin").open("w+b")
    opened.write(CONTENT)
    return File(opened)


def from_temporary_file(folder: Path) -> File:
    spooled = tempfile.SpooledTemporaryFile(max_size=10)  # noqa: SIM115 - closed with the file
    spooled.write(CONTENT)
    return File(spooled, "a.bin")  # type: ignore[arg-type] # typeshed: no BinaryIO, yet one it is


Make = Callable[[Path], File]
each_source = pytest.mark.parametrize(
    "make", [from_bytes, from_path, from_open_file, from_temporary_file]
)


@each_source
async def test_content_is_read_in_every_way(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as file:
        assert (file.name, file.filename, file.size) == ("a.bin", "a.bin", len(CONTENT))
        assert file.read_bytes() == CONTENT
        assert await file.read() == CONTENT
        assert await file.read() == b""
        await file.seek(255)
        assert await file.read(2) == CONTENT[255:257]
        assert file.file.read(1) == CONTENT[257:258]
        assert b"".join([piece async for piece in file]) == CONTENT
        await file.save(tmp_path / "saved")
        assert (tmp_path / "saved").read_bytes() == CONTENT
        target = io.BytesIO()
        file.write_to(target)
        assert target.getvalue() == CONTENT


@each_source
async def test_readers_at_the_same_time_have_positions_of_their_own(
    make: Make, tmp_path: Path
) -> None:
    with make(tmp_path) as file, file.open() as one, file.open() as other:
        assert one.read(1000) == CONTENT[:1000]
        assert other.read(10) == CONTENT[:10]
        assert one.read(1000) == CONTENT[1000:2000]
        one.seek(-4, io.SEEK_END)
        assert one.read() == CONTENT[-4:]
        both = await asyncio.gather(
            asyncio.to_thread(other.read), asyncio.to_thread(file.read_bytes)
        )
        assert both == [CONTENT[10:], CONTENT]


@each_source
async def test_threads_that_read_at_once_do_not_disturb_each_other(
    make: Make, tmp_path: Path
) -> None:
    with make(tmp_path) as file:
        reading = [asyncio.to_thread(file.read_bytes) for _ in range(40)]
        assert all(content == CONTENT for content in await asyncio.gather(*reading))


@each_source
async def test_a_closed_file_says_so(make: Make, tmp_path: Path) -> None:
    file = make(tmp_path)
    await file.read(1)
    await file.close()
    await file.close()
    for use in (file.open, file.read_bytes, lambda: file.size):
        with pytest.raises(ValueError, match=r"'a\.bin' is closed.*keep\(\)"):
            use()
    with pytest.raises(ValueError, match="is closed"):
        await file.read()


async def test_a_kept_file_outlives_its_call(tmp_path: Path) -> None:
    file = from_open_file(tmp_path).keep()
    file.release()
    assert await file.read() == CONTENT
    await file.close()
    with pytest.raises(ValueError, match="is closed"):
        file.read_bytes()


def test_an_open_file_is_closed_with_the_file_made_of_it(tmp_path: Path) -> None:
    opened = (tmp_path / "x").open("w+b")
    File(opened).release()
    assert opened.closed


def test_text_is_decoded() -> None:
    assert File("hé".encode()).read_text() == "hé"
    assert File(b"\xe9").read_text("latin-1") == "é"


@pytest.mark.parametrize(
    ("file", "name", "content_type"),
    [
        (File(b""), "blob", "application/octet-stream"),
        (File(b"", "a.png"), "a.png", "image/png"),
        (File(b"", "a.png", "x/y"), "a.png", "x/y"),
        (File(Path("/some/where/report.pdf")), "report.pdf", "application/pdf"),
        (File(Path("/some/where/report.pdf"), "other"), "other", "application/octet-stream"),
        (File(bytearray(b"x")), "blob", "application/octet-stream"),
        (File(io.BytesIO(b"x")), "blob", "application/octet-stream"),
    ],
)
def test_name_and_type_are_found_out(file: File, name: str, content_type: str) -> None:
    assert (file.name, file.content_type) == (name, content_type)
    assert repr(file) == f"File({name!r}, {content_type!r})"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("text",), "got a str"),
        ((io.StringIO("text"),), "opened in binary mode"),
        ((1,), "opened in binary mode, got int"),
        ((b"", 1), r"File\.name: expected str"),
        ((b"", "a", 1), r"File\.content_type: expected str"),
    ],
)
def test_what_is_no_file_is_a_type_error(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        File(*arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((b"", ""), "expected a name"),
        ((b"", "\ud800"), "lone surrogate"),
        ((b"", "a", ""), "printable ASCII"),
        ((b"", "a", "text/plain\r\nX-Injected: 1"), "printable ASCII"),
    ],
)
def test_what_no_header_can_carry_is_a_value_error(
    arguments: tuple[Any, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        File(*arguments)


def test_a_pipe_cannot_be_sent() -> None:
    class Pipe(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b""

    with pytest.raises(ValueError, match="cannot seek"):
        File(Pipe())  # type: ignore[arg-type] # that is the point


def test_an_upload_of_starlette_becomes_a_file() -> None:
    upload = UploadFile(
        io.BytesIO(b"x"), filename="a.txt", headers=Headers({"content-type": "text/x"})
    )
    file = as_file(upload)
    assert (file.name, file.content_type, file.read_bytes()) == ("a.txt", "text/x", b"x")
    nameless = as_file(UploadFile(io.BytesIO(b"x")))
    assert (nameless.name, nameless.content_type) == ("blob", "application/octet-stream")


def test_a_reader_keeps_its_file_alive(tmp_path: Path) -> None:
    with from_open_file(tmp_path).open() as reader:
        gc.collect()
        assert reader.read() == CONTENT
        reader.raw._owner.release()  # type: ignore[attr-defined] # a _Window
