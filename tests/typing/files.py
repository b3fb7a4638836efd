"""What the type checkers must say of files and dialects. Checked, never run; see api.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, assert_type

from durable_execution.orpc import (
    CallContext,
    File,
    FileLimits,
    OctetStream,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)


@dataclass
class Photo:
    title: str
    file: File


async def add(ctx: CallContext, input: Photo) -> int:
    file = input.file
    assert_type(await file.read(10), bytes)
    assert_type(file.read_text(), str)
    assert_type(file.name, str)
    assert_type(file.keep(), File)
    async for piece in file:
        assert_type(piece, bytes)
    with file.open() as reader:
        assert_type(reader, BinaryIO)
    await file.save(Path("photo.jpg"))
    file.write_to("photo.jpg")
    return file.size


async def export(ctx: CallContext) -> OctetStream:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    return OctetStream(pieces())


router = {"add": rpc.handler(add), "export": rpc.handler(export)}
handler = RPCHandler(router, files=FileLimits(max_bytes=1_000_000), dialect="v2")
RPCHandler(router, dialect="v3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def call(opened: BinaryIO) -> None:
    async with RPCLink("https://example.com", dialect="v2", files=FileLimits()) as link:
        client = create_orpc_client(link)
        for file in (File(b"x"), File(Path("x")), File(opened, "x", "text/plain")):
            assert_type(await client.photos.add({"file": file}, output=int), int)
        received = await client.photos.get(output=File)
        assert_type(received, File)
    File("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
