"""The list of all checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from durable_execution.testing.storage_suite import (
    apply,
    cascade,
    claim,
    concurrency,
    deletion,
    get,
    insert,
    joins,
    keys,
    lease,
    overview,
    parking,
    past,
    progress,
    reopening,
    search,
    sleepers,
    starts,
    traces,
    tree,
)
from durable_execution.testing.storage_suite.harness import Harness

Check: TypeAlias = Callable[[Harness], Awaitable[None]]

CHECKS: Final[tuple[Check, ...]] = (
    *insert.CHECKS,
    *keys.CHECKS,
    *starts.CHECKS,
    *get.CHECKS,
    *claim.CHECKS,
    *apply.CHECKS,
    *tree.CHECKS,
    *joins.CHECKS,
    *cascade.CHECKS,
    *lease.CHECKS,
    *sleepers.CHECKS,
    *parking.CHECKS,
    *progress.CHECKS,
    *past.CHECKS,
    *reopening.CHECKS,
    *search.CHECKS,
    *overview.CHECKS,
    *deletion.CHECKS,
    *traces.CHECKS,
    *concurrency.CHECKS,
)
"""Every check, by verb."""


def check_name(check: Check) -> str:
    """Return what the check says, as a name for a test report."""
    name = getattr(check, "__name__", repr(check))
    return name.removeprefix("check_")
