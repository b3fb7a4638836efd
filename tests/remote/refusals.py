"""What a call is refused with."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from durable_execution.orpc import ORPCError


async def refusal_of(call: Awaitable[Any]) -> ORPCError:
    with pytest.raises(ORPCError) as caught:
        await call
    return caught.value


def paths_of(error: ORPCError) -> list[list[object]]:
    """Where in the input something is wrong."""
    return [issue["path"] for issue in error.data["issues"]]
