from __future__ import annotations

import asyncio

import pytest

from durable_execution.orpc._client import RPCTimeoutError, SafeResult, safe
from durable_execution.orpc._protocol import ORPCError


async def returns(value: object) -> object:
    return value


async def raises(error: BaseException) -> None:
    raise error


async def test_success_carries_the_data() -> None:
    assert await safe(returns(1)) == SafeResult(None, 1, is_defined=False, is_success=True)


async def test_result_unpacks() -> None:
    error, data, is_defined, is_success = await safe(returns(None))
    assert (error, data, is_defined, is_success) == (None, None, False, True)


@pytest.mark.parametrize("is_defined", [True, False])
async def test_protocol_error_says_whether_it_is_declared(is_defined: bool) -> None:
    error = ORPCError("LIMIT", status=429, defined=is_defined)
    result = await safe(raises(error))
    assert result == SafeResult(error, None, is_defined=is_defined, is_success=False)


async def test_local_error_is_never_declared() -> None:
    result = await safe(raises(RPCTimeoutError("late")))
    assert isinstance(result.error, RPCTimeoutError)
    assert not result.is_defined


@pytest.mark.parametrize("signal", [asyncio.CancelledError(), KeyboardInterrupt()])
async def test_what_is_no_exception_passes_through(signal: BaseException) -> None:
    with pytest.raises(type(signal)):
        await safe(raises(signal))
