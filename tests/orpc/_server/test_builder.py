"""What the builder makes of middlewares, hints, errors and routers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from durable_execution.orpc import (
    CallContext,
    Middleware,
    Next,
    ORPCError,
    Procedure,
    call,
    rpc,
)


@dataclass
class Planet:
    id: int
    name: str = "Earth"


def tracing(name: str, trace: list[Any]) -> Middleware:
    async def middleware(ctx: CallContext, value: Any, proceed: Next) -> Any:
        trace.append((name, value))
        result = await proceed()
        trace.append((name, result))
        return result

    return middleware


async def add_user(ctx: CallContext, value: Any, proceed: Next) -> Any:
    return await proceed(context={"user": "ada"})


async def test_middlewares_run_in_the_order_of_use_around_the_handler() -> None:
    trace: list[Any] = []
    procedure = rpc.use(tracing("outer", trace)).use(tracing("inner", trace)).handler(lambda: "r")

    assert await call(procedure, "v") == "r"
    assert trace == [("outer", "v"), ("inner", "v"), ("inner", "r"), ("outer", "r")]


async def test_middleware_after_input_sees_the_validated_input() -> None:
    trace: list[Any] = []
    procedure = (
        rpc.use(tracing("before", trace))
        .input(Planet)
        .use(tracing("after", trace))
        .handler(lambda ctx, planet: None)
    )

    await call(procedure, {"id": 1})

    assert trace[:2] == [("before", {"id": 1}), ("after", Planet(1))]


async def test_all_middlewares_run_before_the_input_is_validated_by_hints() -> None:
    trace: list[Any] = []

    @rpc.use(tracing("m", trace)).handler
    def find(ctx: CallContext, planet: Planet) -> int:
        return planet.id

    with pytest.raises(ORPCError) as caught:
        await call(find, {"id": "x"})

    assert caught.value.code == "BAD_REQUEST"
    assert trace == [("m", {"id": "x"})]


async def test_middleware_before_output_sees_the_validated_output() -> None:
    trace: list[Any] = []
    procedure = (
        rpc.use(tracing("before", trace))
        .output(Planet)
        .use(tracing("after", trace))
        .handler(lambda: {"id": 1})
    )

    assert await call(procedure) == Planet(1)
    assert trace[2:] == [("after", {"id": 1}), ("before", Planet(1))]


async def test_context_of_a_middleware_reaches_only_what_follows_it() -> None:
    seen: list[Any] = []

    async def look(ctx: CallContext, value: Any, proceed: Next) -> Any:
        seen.append(dict(ctx.context))
        return await proceed(context={"role": "admin"})

    procedure = rpc.use(look).use(add_user).handler(lambda ctx: dict(ctx.context))
    given = {"app": 1, "role": "guest"}

    assert await call(procedure, context=given) == {"app": 1, "role": "admin", "user": "ada"}
    assert seen == [{"app": 1, "role": "guest"}]
    assert given == {"app": 1, "role": "guest"}


async def test_middleware_may_answer_instead_of_the_handler() -> None:
    async def cached(ctx: CallContext, value: Any, proceed: Next) -> Any:
        return "cached"

    def never() -> None:
        raise AssertionError

    assert await call(rpc.use(cached).handler(never)) == "cached"


async def test_middleware_may_turn_an_error_into_a_result() -> None:
    async def forgiving(ctx: CallContext, value: Any, proceed: Next) -> Any:
        try:
            return await proceed()
        except ORPCError as error:
            return error.code

    def missing() -> None:
        raise ORPCError("NOT_FOUND")

    assert await call(rpc.use(forgiving).handler(missing)) == "NOT_FOUND"


def test_builder_is_never_changed() -> None:
    base = rpc.use(add_user)

    base.use(add_user)
    base.input(int)
    base.errors({"X": {}})

    assert base == rpc.use(add_user)
    assert rpc.handler(lambda: None).middlewares == ()


async def test_router_guards_everything_below_it() -> None:
    inner = rpc.handler(lambda ctx: ctx.context.get("user"))
    router = rpc.use(add_user).router({"a": inner, "deep": {"er": {"b": inner}}})

    guarded = [router["a"], router["deep"]["er"]["b"]]  # type: ignore[index]

    assert [await call(procedure) for procedure in guarded] == ["ada", "ada"]
    assert await call(inner) is None


async def test_router_does_not_run_the_middlewares_twice_of_what_was_built_with_them() -> None:
    trace: list[Any] = []
    base = rpc.use(tracing("m", trace))
    router = base.router({"a": base.handler(lambda: None)})

    await call(router["a"])  # type: ignore[arg-type]

    assert len(trace) == 2


async def test_input_is_still_validated_in_its_place_inside_a_guarded_router() -> None:
    trace: list[Any] = []
    procedure = rpc.input(Planet).use(tracing("own", trace)).handler(lambda ctx, planet: None)
    router = rpc.use(tracing("guard", trace)).router({"a": procedure})

    await call(router["a"], {"id": 1})  # type: ignore[arg-type]

    assert trace[:2] == [("guard", {"id": 1}), ("own", Planet(1))]


async def test_router_adds_its_errors_and_keeps_those_of_the_procedure() -> None:
    def codes(ctx: CallContext) -> list[str]:
        return [ctx.errors.SHARED().message, ctx.errors.OUTER().message]

    procedure = rpc.errors({"SHARED": {"message": "inner"}}).handler(codes)
    guard = rpc.errors({"SHARED": {"message": "outer"}, "OUTER": {"message": "outer"}})

    assert await call(guard.router({"a": procedure})["a"]) == ["inner", "outer"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "builder", [rpc.input(int), rpc.output(int), rpc.route(method="GET")], ids=repr
)
def test_router_of_a_builder_for_one_procedure_is_refused(builder: Any) -> None:
    with pytest.raises(TypeError, match="belong to a procedure"):
        builder.router({})


@pytest.mark.parametrize("handler", [None, 5, rpc])
def test_handler_that_is_no_function_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match="handler: expected a function"):
        rpc.handler(handler)


def not_async(ctx: Any, value: Any, proceed: Any) -> Any:
    return proceed()


async def too_few(ctx: Any, value: Any) -> Any: ...


@pytest.mark.parametrize(
    ("middleware", "complaint"),
    [
        (None, "expected a function, got NoneType"),
        (not_async, "not_async: expected async def"),
        (too_few, r"too_few: expected parameters \(ctx, input, next\)"),
    ],
)
def test_middleware_that_cannot_work_is_refused(middleware: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        rpc.use(middleware)


@pytest.mark.parametrize("method", ["get", "TRACE", ""])
def test_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="method: expected one of DELETE, GET"):
        rpc.route(method=method)


def test_input_that_no_schema_can_be_made_of_is_refused_when_defining() -> None:
    with pytest.raises(TypeError):
        rpc.input(Callable[[], int])


def test_decorated_handler_is_a_procedure_that_keeps_the_function() -> None:
    @rpc.handler
    def ping() -> str:
        return "pong"

    assert isinstance(ping, Procedure)
    assert ping.function() == "pong"
