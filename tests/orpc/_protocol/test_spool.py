"""Where received bytes are written, and by whom."""

from __future__ import annotations

import asyncio
import threading

import pytest

from durable_execution.orpc._protocol.spool import FileLimits, Spool, pour
from tests.orpc.pieces import Pieces


class Disk:
    """A sink that notes which thread feeds it, and may be slow."""

    def __init__(self, *, is_on_disk: bool) -> None:
        self.is_on_disk = is_on_disk
        self.fed: list[tuple[int, int]] = []
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def feed(self, piece: bytes) -> None:
        self.begun.set()
        assert self.may_end.wait(10)
        self.fed.append((threading.get_ident(), len(piece)))


async def test_a_disk_is_written_in_large_pieces_by_other_threads() -> None:
    disk = Disk(is_on_disk=True)
    await pour(Pieces([b"x" * 60_000] * 20), disk)

    assert threading.get_ident() not in {thread for thread, _ in disk.fed}
    assert sum(size for _, size in disk.fed) == 20 * 60_000
    assert len(disk.fed) == 3


async def test_memory_is_written_as_the_pieces_arrive() -> None:
    memory = Disk(is_on_disk=False)
    await pour(Pieces([b"xy", b"z"]), memory)

    assert memory.fed == [(threading.get_ident(), 2), (threading.get_ident(), 1)]


async def test_who_gives_up_waits_for_the_thread_that_writes() -> None:
    disk = Disk(is_on_disk=True)
    disk.may_end.clear()
    pieces = Pieces([b"x"])
    pouring = asyncio.create_task(pour(pieces, disk))
    await asyncio.to_thread(disk.begun.wait)
    pouring.cancel()
    done, _ = await asyncio.wait([pouring], timeout=0.05)  # long enough to end if it did not wait
    assert not done
    disk.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert (len(disk.fed), pieces.times_closed) == (1, 1)


def test_a_file_goes_to_disk_with_the_byte_too_many() -> None:
    spool = Spool(FileLimits(max_memory=4))
    for content, is_in_memory in ((b"abc", True), (b"", True), (b"d", True), (b"e", False)):
        spool.begin()
        spool.feed(content)
        with spool.end("a", "b/c") as file:
            assert (file.is_in_memory, file.read_bytes()) == (is_in_memory, content)


def test_memory_that_a_file_took_to_disk_is_free_for_the_next() -> None:
    spool = Spool(FileLimits(max_memory=4))
    for content, is_in_memory in ((b"abc", False), (b"abcd", True)):
        spool.begin()
        for byte in content * (1 if is_in_memory else 2):
            spool.feed(bytes([byte]))
        with spool.end("a", "b/c") as file:
            assert file.is_in_memory is is_in_memory


@pytest.mark.parametrize("content_type", ["", "a/b\r\nX: 1", "\xe9", "a\x00b"])
def test_a_type_no_header_can_carry_is_that_of_any_bytes(content_type: str) -> None:
    spool = Spool(FileLimits())
    spool.begin()
    assert spool.end("a", content_type).content_type == "application/octet-stream"
