"""Damaged responses against the client: it returns a value, or raises what it says it raises."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from durable_execution.orpc import (
    Batching,
    Body,
    EventStream,
    File,
    OctetStream,
    ORPCClient,
    ORPCError,
    Request,
    Response,
    RPCClientError,
    RPCLink,
    create_orpc_client,
)
from durable_execution.orpc._protocol import is_streamed
from tests.orpc.fuzz.mutations import (
    Pairs,
    damaged,
    damaged_headers,
    damaged_json,
    pieces_of,
)
from tests.orpc.fuzz.serving import HANG, Planet
from tests.orpc.pieces import Pieces
from tests.vectors.notation import load_vectors

_STATUSES: Final = [200, 201, 204, 302, 400, 401, 404, 422, 429, 500, 503, 599, 999]
_HINTS: Final[list[Any]] = [Any, Any, Planet, list[int], EventStream[Any], EventStream[Planet]]


@dataclass(frozen=True)
class Answer:
    """One response as a sender would hand it on."""

    dialect: str
    status: int
    headers: Pairs
    pieces: list[bytes]
    is_streamed: bool
    hint: Any
    batch: str | None


@cache
def corpus() -> list[tuple[int, Pairs, bytes]]:
    """Every response that was recorded or crafted, in both versions."""
    found = [vector["response"] for vector in load_vectors("crafted_responses.json")]
    for name in ("exchanges", "exchanges_v2_beta", "cross_v1_client_v2_beta_server"):
        for vector in load_vectors(f"{name}.json"):
            found += [exchange["response"] for exchange in vector["http"]]
    answers = [
        (
            response["status"],
            tuple((str(name).lower(), str(value)) for name, value in response["headers"]),
            str(response["body"].get("text", "")).encode("utf-8", "replace"),
        )
        for response in found
        if response and response.get("status")
    ]
    frames = [
        vector["text"].encode() for vector in load_vectors("sse_messages.json") if "text" in vector
    ]
    answers += [(200, (("content-type", "text/event-stream"),), frame) for frame in frames]
    return [each for each in answers if len(each[2]) < 20_000]


@cache
def batched() -> list[tuple[int, Pairs, bytes]]:
    """Those of them that answer several calls, and a few that answer but one."""
    return [each for each in corpus() if each[0] == 207] + corpus()[:3]


def damaged_answer(dice: random.Random) -> Answer:
    """A recorded response with a few things wrong, sometimes none."""
    batch = dice.choice((None, None, None, "streaming", "buffered"))
    status, headers, body = dice.choice(corpus() if batch is None else batched())
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
        match dice.randrange(8):
            case 0:
                status = dice.choice(_STATUSES)
            case 1 | 2:
                headers = damaged_headers(dice, headers)
            case 3 | 4 | 5:
                body = damaged_json(dice, body)
            case _:
                body = damaged(dice, body, [dice.choice(corpus())[2] for _ in range(2)])
    return Answer(
        dice.choice(("v1", "v1", "v2")),
        status,
        headers,
        pieces_of(dice, body),
        is_streamed=dice.random() < 0.7,
        hint=dice.choice(_HINTS),
        batch=batch,
    )


class _Sender:
    """Gives what it holds. A body that ought to be a stream is one."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.body: Body = b""

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        assert self.answer is not None
        streams = self.answer.is_streamed or is_streamed(self.answer.headers)
        self.body = Pieces(self.answer.pieces) if streams else b"".join(self.answer.pieces)
        return Response(self.answer.status, self.answer.headers, self.body)

    async def aclose(self) -> None:
        pass


@cache
def client_of(dialect: Any, batch: Any) -> tuple[_Sender, ORPCClient]:
    sender = _Sender()
    batching = None if batch is None else Batching(mode=batch)
    link = RPCLink("http://fuzz/rpc", sender=sender, dialect=dialect, batch=batching)
    return sender, create_orpc_client(link)


async def check_answer(answer: Answer) -> str:
    """Let the client read it, and check what must hold for any response; gives how it ended.

    Raises:
        AssertionError: It does not hold.
    """
    sender, client = client_of(answer.dialect, answer.batch)
    sender.answer = answer
    others = asyncio.all_tasks()
    async with asyncio.timeout(HANG):
        if answer.batch is None:
            ended = await _ended(client, answer)
        else:
            endings = await asyncio.gather(*[_ended(client, answer) for _ in range(2)])
            ended = f"batched {endings[0]}"
            while asyncio.all_tasks() != others:  # the rest of a batch is read after its answers
                await asyncio.sleep(0)
    assert asyncio.all_tasks() == others, "a task was left behind"
    if isinstance(sender.body, Pieces):
        assert sender.body.times_closed, "the body was not closed"
    return ended


async def _ended(client: ORPCClient, answer: Answer) -> str:
    try:
        return await _read(await client.call(1, output=answer.hint))
    except (ORPCError, RPCClientError) as error:
        return type(error).__name__


async def _read(value: Any) -> str:
    if isinstance(value, EventStream):
        async with value as stream:
            async for _ in stream:
                pass
        return "stream"
    if isinstance(value, OctetStream):
        await value.read()
        await value.aclose()
        return "octets"
    if isinstance(value, File):
        await value.read()
        return "file"
    return "value"
