"""Calls an ASGI application in process: one request in, one answer out, no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    status: int
    pairs: tuple[tuple[str, str], ...]
    body: bytes
    pieces: tuple[bytes, ...]

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.pairs)

    def values(self, name: str) -> list[str]:
        """All lines of one header."""
        return [value for key, value in self.pairs if key == name]

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        """The error object of an error envelope; fails the test when the answer is none."""
        assert self.headers["content-type"] == "application/json"
        error: dict[str, Any] = self.json()["json"]
        assert error["status"] == self.status
        assert error.keys() - {"data"} == {"defined", "code", "status", "message"}
        return error


class Connection:
    """What the server sees of one caller."""

    def __init__(self, chunks: Iterable[bytes] = (b"",)) -> None:
        self._chunks = list(chunks)
        self.hang_up = asyncio.Event()
        self.sent: list[Message] = []
        self.chunks_read = 0

    async def receive(self) -> Message:
        if self._chunks:
            self.chunks_read += 1
            chunk = self._chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def answer(self) -> Answer:
        start, *bodies = self.sent
        pairs = tuple((name.decode(), value.decode("latin-1")) for name, value in start["headers"])
        pieces = tuple(body["body"] for body in bodies if body["body"])
        return Answer(start["status"], pairs, b"".join(pieces), pieces)


def scope_of(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    root_path: str = "",
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": root_path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }


async def ask(
    app: App,
    target: str,
    body: bytes | str = b"{}",
    *,
    method: str = "POST",
    headers: Iterable[tuple[str, str]] = (("content-type", "application/json"),),
    root_path: str = "",
) -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    connection = Connection([raw])
    scope = scope_of(method, target, headers, root_path=root_path)
    await app(scope, connection.receive, connection.send)
    return connection.answer()
