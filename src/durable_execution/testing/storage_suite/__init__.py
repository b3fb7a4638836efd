"""What every storage must do, as checks that need no test framework.

Each check takes a `Harness` around an empty, open storage and raises AssertionError with the
reason. With pytest:

    @pytest.mark.parametrize("check", CHECKS, ids=check_name)
    async def test_storage(check, harness):
        await check(harness)
"""

from __future__ import annotations

from durable_execution.testing.storage_suite.harness import Harness
from durable_execution.testing.storage_suite.listing import CHECKS, Check, check_name

__all__ = ["CHECKS", "Check", "Harness", "check_name"]
