"""What is run again when a tree that has failed is retried, and what of it is kept.

A tree is retried from its root, all at once: so a finished row never has an unfinished one below
it. What has completed is kept, with all that is below it, even what failed there: whoever completed
has settled that. What has failed is reopened:

- a row that has no children yet runs again, with all its retries to spend;
- a row that has some waits again, for those of them that failed, which are reopened with it;
- one whose children are all complete waits for its finalize child, which is reopened if it failed.

Where children run again, a finalize child that failed stays as it is, and another one follows them:
it is to see their new results.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from durable_execution._core.past import Attempt, last_attempt
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.transitions import reopened

MAX_REOPENED: Final = 100_000
"""Rows that one retry reopens at most, because they change in one transaction."""

Refusal = Literal["child", "cut", "too_large"]
"""Why no tree is retried: this is not its root, some of it was deleted, or it is too large."""


class Family(msgspec.Struct, frozen=True):
    """What is below a row, as far as it matters to reopening it."""

    children_count: int = 0
    """Children that there are, finalize children left out."""
    failed: tuple[ExecutionRecord, ...] = ()
    """Those of them that have failed."""
    finalize: ExecutionRecord | None = None
    """The newest finalize child."""


NO_FAMILY: Final = Family()


class Reopening(NamedTuple):
    """A row as it was, as it becomes, and its children that are reopened with it.

    Where the row itself runs again, its last attempt, if one began, goes to its past.
    """

    before: ExecutionRecord
    after: ExecutionRecord
    repeated: tuple[ExecutionRecord, ...]
    ended: Attempt | None = None


def reopen(record: ExecutionRecord, family: Family, *, now: int) -> Reopening | Refusal:
    """Decide what becomes of a row that has failed, in a tree that is retried."""
    if family.children_count < record.children_count:
        return "cut"
    if record.waiting_for_children_at is None:
        return Reopening(record, reopened(record, now=now), (), last_attempt(record))
    finalize = family.finalize
    repeated: tuple[ExecutionRecord, ...]
    if finalize is not None and (finalize.status == "completed" or not family.failed):
        repeated = () if finalize.status == "completed" else (finalize,)
        after = reopened(record, to="waiting_for_finalize", children=len(repeated), now=now)
    else:
        repeated = family.failed
        after = reopened(record, to="waiting_for_children", children=len(repeated), now=now)
    return Reopening(record, after, repeated)


def new_finalize_index(parent: ExecutionRecord) -> int:
    """Return the place of a finalize child that is about to be inserted: after those before it."""
    return 0 if parent.waiting_for_finalize_at is None else parent.fence
