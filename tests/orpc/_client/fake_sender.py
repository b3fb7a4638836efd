"""A sender that answers from memory and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durable_execution.orpc._protocol import Request, Response

Answer = Callable[[Request], Awaitable[Response]]


class FakeSender:
    def __init__(self, answer: Response | Exception | Answer) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.sizes: list[int] = []
        self.times_closed = 0

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        self.requests.append(request)
        self.sizes.append(max_response_size)
        if isinstance(self._answer, Exception):
            raise self._answer
        if isinstance(self._answer, Response):
            return self._answer
        return await self._answer(request)

    async def aclose(self) -> None:
        self.times_closed += 1


def json_response(body: bytes, status: int = 200) -> Response:
    return Response(status, (("content-type", "application/json"),), body)
