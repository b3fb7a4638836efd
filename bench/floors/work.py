"""What every floor does with a payload: decode, run as an asyncio task of its own, encode."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from uuid import UUID

import msgspec

from bench.floors import Function


class Job(msgspec.Struct):
    """A task as it is stored."""

    name: str
    input: Any


_encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job).decode
_output = msgspec.json.Decoder().decode


def encoded(number: Any) -> bytes:
    return _encode(Job("add_one", number))


def decoded(output: bytes) -> Any:
    return _output(output)


async def run(function: Function, payload: bytes) -> bytes:
    """Run in a task of its own, as whatever may be cancelled must."""
    return _encode(await asyncio.create_task(function(_job(payload).input)))


def new_id() -> UUID:
    """Return a UUID of version 7: in the order of time."""
    milliseconds = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    octets = bytearray(milliseconds + os.urandom(10))
    octets[6] = 0x70 | (octets[6] & 15)
    octets[8] = 0x80 | (octets[8] & 63)
    return UUID(bytes=bytes(octets))
