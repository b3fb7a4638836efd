"""Smaller answers for callers that can unpack them."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from durable_execution.orpc import (
    CompressionPlugin,
    HandlerPlugin,
    NextRequest,
    Request,
    Response,
    RPCHandler,
    rpc,
)
from tests.orpc._server.driver import Answer, ask

ROUTER = {"text": rpc.handler(lambda ctx, size: "x" * size)}


async def ask_for(size: int, accept: str | None, **options: Any) -> Answer:
    headers = [("content-type", "application/json")]
    if accept is not None:
        headers.append(("accept-encoding", accept))
    app = RPCHandler(ROUTER, plugins=[CompressionPlugin(**options)])
    return await ask(app, "/text", f'{{"json":{size}}}', headers=headers)


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate", "gzip"),
        ("deflate, gzip;q=0.1", "gzip"),
        ("deflate", "deflate"),
        ("GZIP", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip;q=0.000", None),
        ("br", None),
        ("", None),
        (None, None),
    ],
)
async def test_encoding_is_one_the_caller_accepts(accept: str | None, encoding: str | None) -> None:
    answer = await ask_for(5000, accept)

    body = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[encoding](answer.body)
    assert body == b'{"json":"' + b"x" * 5000 + b'"}'
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_small_answer_stays_as_it_is() -> None:
    answer = await ask_for(10, "gzip")

    assert answer.json() == {"json": "x" * 10}
    assert "vary" not in answer.headers


async def test_large_answer_is_packed_too() -> None:
    answer = await ask_for(1_000_000, "gzip", level=1)

    assert len(answer.body) < 10_000
    assert len(gzip.decompress(answer.body)) == 1_000_011


class Answering(HandlerPlugin):
    def __init__(self, response: Response | None) -> None:
        self.response = response

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        return self.response


async def test_stream_is_never_packed() -> None:
    async def events() -> Any:
        yield b"data: " + b"x" * 5000 + b"\n\n"

    stream = Response(200, (("content-type", "text/event-stream"),), events())
    app = RPCHandler(ROUTER, plugins=[CompressionPlugin(), Answering(stream)])

    answer = await ask(app, "/text", headers=[("accept-encoding", "gzip")])

    assert answer.body.startswith(b"data: xxx")
    assert "content-encoding" not in answer.headers


async def test_what_is_packed_already_is_not_packed_again() -> None:
    packed = Response(200, (("content-encoding", "br"),), b"x" * 5000)
    app = RPCHandler(ROUTER, plugins=[CompressionPlugin(), Answering(packed)])

    answer = await ask(app, "/text", headers=[("accept-encoding", "gzip")])

    assert (answer.body, answer.values("content-encoding")) == (b"x" * 5000, ["br"])


async def test_unmatched_path_stays_unmatched() -> None:
    app = RPCHandler(ROUTER, plugins=[CompressionPlugin(min_size=1)])

    assert (await ask(app, "/none", headers=[("accept-encoding", "gzip")])).body == b"Not found"


@pytest.mark.parametrize("level", [0, 10])
def test_level_out_of_range_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 9"):
        CompressionPlugin(level=level)
