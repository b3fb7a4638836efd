"""A link, a handler, and those who observe both: real codec and ASGI, no socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from durable_execution._observing import (
    Activity,
    CallMade,
    CallServed,
    Fact,
    MakeCall,
    ServeCall,
    continuing,
    current_trace,
)
from durable_execution.orpc import (
    AsgiSender,
    CallContext,
    ORPCError,
    Retries,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    SyncLink,
    create_orpc_client,
    observe_calls,
    rpc,
)

SENT = f"00-{7:032x}-{9:016x}-01"
MADE = f"00-{7:032x}-{11:016x}-01"
SERVED = f"00-{7:032x}-{13:016x}-01"


@rpc.handler
async def current(ctx: CallContext) -> list[str | None]:
    return [current_trace.get(), ctx.headers.get("traceparent")]


@rpc.handler
async def refuse(ctx: CallContext) -> None:
    raise ORPCError("CONFLICT")


@rpc.handler
async def fail(ctx: CallContext) -> None:
    raise LookupError("a secret")


class Spans:
    def __init__(self, traceparent: str) -> None:
        self._traceparent = traceparent
        self.begun: list[tuple[Activity, str | None]] = []

    @contextmanager
    def __call__(self, activity: Activity, parent: str | None) -> Iterator[str | None]:
        self.begun.append((activity, parent))
        yield self._traceparent


def link_to(handler: RPCHandler, **options: object) -> RPCLink:
    return RPCLink("http://app.test/rpc?key=secret", sender=AsgiSender(handler), **options)  # type: ignore[arg-type]


def handler(*observed: object) -> RPCHandler:
    builder = rpc
    for each in observed:
        builder = builder.use(each)  # type: ignore[arg-type]
    routes = {"current": current, "errors": {"refuse": refuse, "fail": fail}}
    return RPCHandler(builder.router(routes), prefix="/rpc")


async def test_current_trace_goes_out_with_every_call_and_is_continued() -> None:
    async with link_to(handler(observe_calls())) as link:
        client = create_orpc_client(link)
        assert await client.current() == [None, None]
        with continuing({"traceparent": SENT}):
            assert await client.current() == [SENT, SENT]
            own = await client.current(headers={"traceparent": MADE})
        assert own == [MADE, MADE]
    assert current_trace.get() is None


def test_calls_without_an_event_loop_are_part_of_the_trace_too() -> None:
    with SyncLink(link_to(handler(observe_calls()))) as link, continuing({"traceparent": SENT}):
        assert create_orpc_client(link).current() == [SENT, SENT]


async def test_header_that_is_no_trace_is_not_continued() -> None:
    async with link_to(handler(observe_calls())) as link:
        sent = await create_orpc_client(link).current(headers={"traceparent": "00-x"})
    assert sent == [None, "00-x"]


async def test_both_sides_make_spans_of_one_trace() -> None:
    made, served = Spans(MADE), Spans(SERVED)
    async with link_to(handler(observe_calls(tracer=served)), tracer=made) as link:
        with continuing({"traceparent": SENT}):
            assert await create_orpc_client(link).current() == [SERVED, MADE]
    assert made.begun == [(MakeCall("current", "http://app.test/rpc"), SENT)]
    assert served.begun == [(ServeCall("current"), MADE)]


async def test_calls_are_told_on_both_sides_with_the_code_of_their_error() -> None:
    facts: list[Fact] = []
    observing = observe_calls(observers=[facts.append])
    async with link_to(handler(observing), observers=[facts.append]) as link:
        client = create_orpc_client(link)
        await client.current()
        with pytest.raises(ORPCError):
            await client.errors.refuse()
        with pytest.raises(ORPCError):
            await client.errors.fail()
    assert [(type(fact), fact.procedure, fact.code) for fact in facts] == [  # type: ignore[union-attr]
        (CallServed, "current", None),
        (CallMade, "current", None),
        (CallServed, "errors.refuse", "CONFLICT"),
        (CallMade, "errors.refuse", "CONFLICT"),
        (CallServed, "errors.fail", "INTERNAL_SERVER_ERROR"),
        (CallMade, "errors.fail", "INTERNAL_SERVER_ERROR"),
    ]
    assert all(fact.duration >= 0 for fact in facts)  # type: ignore[union-attr]


async def test_call_without_an_answer_is_told_by_the_name_of_its_error() -> None:
    facts: list[Fact] = []

    class Cut:
        async def send(self, request: object, *, max_response_size: int) -> object:
            raise RPCConnectionError("cut", was_sent=False)

        async def aclose(self) -> None:
            return

    async with RPCLink(
        "http://app.test", sender=Cut(), retries=Retries(attempts=1), observers=[facts.append]
    ) as link:  # type: ignore[arg-type]
        with pytest.raises(RPCConnectionError):
            await create_orpc_client(link).current()
    assert [fact.code for fact in facts if isinstance(fact, CallMade)] == ["RPCConnectionError"]
