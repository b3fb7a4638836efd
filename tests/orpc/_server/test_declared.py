"""Declared errors: how they are made, and which errors count as defined."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import UNDEFINED, CallContext, DefinedError, ORPCError, call, rpc

LIMIT: dict[str, Any] = {"LIMIT": {"status": 429, "message": "Slow down", "data": dict[str, int]}}


async def error_of(declarations: Any, error: ORPCError) -> ORPCError:
    def handler() -> None:
        raise error

    with pytest.raises(ORPCError) as caught:
        await call(rpc.errors(declarations).handler(handler))
    return caught.value


@pytest.mark.parametrize(
    ("error", "is_defined"),
    [
        (ORPCError("LIMIT", status=429, data={"ms": 1}), True),
        (ORPCError("LIMIT", status=429, data={"ms": 1}, defined=True), True),
        (ORPCError("LIMIT", status=429, data={"ms": "soon"}, defined=True), False),
        (ORPCError("LIMIT", status=429, defined=True), False),
        (ORPCError("LIMIT", status=500, data={"ms": 1}, defined=True), False),
        (ORPCError("OTHER", status=429, data={"ms": 1}, defined=True), False),
    ],
    ids=["by-match", "by-flag", "bad-data", "no-data", "other-status", "other-code"],
)
async def test_error_is_defined_only_when_it_matches_the_declaration(
    error: ORPCError, is_defined: bool
) -> None:
    assert (await error_of(LIMIT, error)).defined is is_defined


async def test_data_is_not_looked_at_without_a_hint() -> None:
    error = await error_of({"X": {}}, ORPCError("X", data=object))

    assert error.defined
    assert error.data is object


async def test_declared_code_of_the_table_has_its_status() -> None:
    assert (await error_of({"NOT_FOUND": {}}, ORPCError("NOT_FOUND"))).defined


async def test_subclass_of_the_error_comes_out_as_it_was_raised() -> None:
    class SoldOutError(ORPCError):
        def __init__(self) -> None:
            super().__init__("SOLD_OUT", status=409)

    error = await error_of({"SOLD_OUT": {"status": 409}}, SoldOutError())

    assert type(error) is SoldOutError
    assert error.defined


async def test_error_of_a_middleware_is_checked_as_well() -> None:
    async def refuse(ctx: CallContext, value: Any, proceed: Any) -> Any:
        raise ORPCError("X")

    with pytest.raises(ORPCError) as caught:
        await call(rpc.errors({"X": {}}).use(refuse).handler(lambda: None))

    assert caught.value.defined


async def test_constructor_fills_in_what_was_declared() -> None:
    def handler(ctx: CallContext) -> list[Any]:
        error = ctx.errors.LIMIT(data={"ms": 1})
        plain = ctx.errors["LIMIT"]("Wait")
        return [error.code, error.status, error.message, error.data, plain.message, plain.data]

    result = await call(rpc.errors(LIMIT).output(object).handler(handler))

    assert result == ["LIMIT", 429, "Slow down", {"ms": 1}, "Wait", UNDEFINED]


async def test_undeclared_code_names_the_declared_ones() -> None:
    def by_attribute(ctx: CallContext) -> None:
        ctx.errors.LIMITS()

    def by_item(ctx: CallContext) -> None:
        ctx.errors["odd code"]()

    with pytest.raises(AttributeError, match=r"'LIMITS' is not declared .* declared: LIMIT"):
        await call(rpc.errors(LIMIT).handler(by_attribute))
    with pytest.raises(KeyError, match="'odd code' is not declared"):
        await call(rpc.handler(by_item))


async def test_constructors_list_the_declared_codes() -> None:
    listed = rpc.errors({"B": {}, "A": {}}).handler(lambda ctx: [dir(ctx.errors), repr(ctx.errors)])

    assert await call(listed) == [["A", "B"], "ErrorConstructors(B, A)"]


@pytest.mark.parametrize(
    ("declarations", "error", "complaint"),
    [
        ({"X": {"staus": 409}}, TypeError, r"errors\['X'\]: unknown \['staus'\]"),
        ({"X": 409}, TypeError, r"errors\['X'\]: expected a mapping, got int"),
        ({"X": {"status": 200}}, ValueError, "status: 200 means success"),
        ({"X": {"status": "409"}}, TypeError, "status: expected int, got str"),
        ({"X": {"message": 1}}, TypeError, "message: expected str"),
        ({"": {}}, ValueError, "code: expected a non-empty text"),
    ],
)
def test_bad_declaration_is_refused_when_defining(
    declarations: Any, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        rpc.errors(declarations)


class SoldOut(DefinedError[dict[str, int]], status=409, message="Gone"):
    pass


class Closed(DefinedError[None], code="CLOSED"):
    pass


async def test_declared_class_is_defined_however_it_is_raised() -> None:
    by_class = await error_of(SoldOut, SoldOut({"left": 1}))
    by_code = await error_of(SoldOut, ORPCError("SOLD_OUT", status=409, data={"left": 1}))
    undeclared = await error_of({}, SoldOut({"left": 1}))
    bad: Any = {"left": "one"}
    misused = await error_of(SoldOut, SoldOut(bad))

    assert [e.defined for e in (by_class, by_code, undeclared, misused)] == [
        True,
        True,
        False,
        False,
    ]


async def test_classes_and_entries_mix_and_have_constructors() -> None:
    @rpc.errors(SoldOut, {"LATE": {"status": 410}}, Closed).handler
    async def order(ctx: CallContext) -> None:
        assert dir(ctx.errors) == ["CLOSED", "LATE", "SOLD_OUT"]
        raise ctx.errors.SOLD_OUT(data={"left": 0})

    with pytest.raises(ORPCError) as caught:
        await call(order)
    assert (caught.value.message, caught.value.status, caught.value.defined) == ("Gone", 409, True)


@pytest.mark.parametrize("declaration", [DefinedError, ORPCError, "SOLD_OUT", SoldOut({})])
def test_what_declares_no_error_is_refused(declaration: Any) -> None:
    with pytest.raises(TypeError, match="expected classes made of DefinedError or a mapping"):
        rpc.errors(declaration)
