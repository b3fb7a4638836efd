from __future__ import annotations

import pytest

from durable_execution.testing.storage_suite import CHECKS, Check, Harness, check_name


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
async def test_storage(check: Check, harness: Harness) -> None:
    await check(harness)


def test_every_check_is_listed() -> None:
    names = [check_name(check) for check in CHECKS]
    assert len(set(names)) == len(names)
    written = {
        name.removeprefix("check_")
        for check in CHECKS
        for name in vars(__import__(check.__module__, fromlist=["_"]))
        if name.startswith("check_") and name != "check_same"
    }
    assert set(names) == written
