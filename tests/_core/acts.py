"""Every way to make each move of the law, for tests that try them all."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from durable_execution._core import transitions
from durable_execution._core.patch import Transition, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import WaitingStatus
from durable_execution._core.transitions import Move
from durable_execution.errors import StoredError
from tests._core.records import NOW, record_in

ERROR = StoredError(message="no")
CHILD = record_in("ready", execution_id="te_child", parent_execution_id="te_1", index_in_parent=0)
STEP = record_in("ready", execution_id="te_step", parent_execution_id="te_1", index_in_parent=2)
"""The child that comes next in a waiting record of `record_in`."""
FINALIZE = record_in("ready", execution_id="te_last", parent_execution_id="te_1", is_finalize=True)

Act = Callable[[ExecutionRecord], ExecutionRecord]


def _by(make: Callable[[ExecutionRecord], Transition]) -> Act:
    return lambda record: patched(record, make(record).patch)


def _wait_again(record: ExecutionRecord, to: WaitingStatus) -> ExecutionRecord:
    spawned = msgspec.structs.replace(record, waiting_for_children_at=2_500)
    return transitions.reopened(spawned, to=to, children=2, now=NOW)


ACTS: dict[str, tuple[Move, Act]] = {
    "claim": ("claim", lambda row: transitions.claimed(row, executor_id="new", now=NOW)),
    "complete": ("complete", _by(lambda row: transitions.complete(row, output=b"x", now=NOW))),
    "fail": (
        "fail",
        _by(lambda row: transitions.fail(row, status="failed", error=ERROR, now=NOW)),
    ),
    "time out": (
        "fail",
        _by(lambda row: transitions.fail(row, status="timed_out", error=ERROR, now=NOW)),
    ),
    "give up": (
        "fail",
        _by(lambda row: transitions.fail(row, status="cancelled", error=ERROR, now=NOW)),
    ),
    "retry": (
        "retry",
        _by(lambda row: transitions.retry(row, error=ERROR, start_at=NOW + 9, now=NOW)),
    ),
    "hand_back": ("hand_back", _by(lambda row: transitions.hand_back(row, now=NOW))),
    "rescue": ("rescue", _by(lambda row: transitions.rescue(row, now=NOW))),
    "park": ("park", _by(lambda row: transitions.park(row, lease_ms=9_000, now=NOW))),
    "extend": ("extend", _by(lambda row: transitions.extend(row, lease_ms=9_000, now=NOW))),
    "spawn": (
        "spawn",
        _by(lambda row: transitions.spawn(row, run_output=b"r", children=(CHILD,), now=NOW)),
    ),
    "advance": ("advance", _by(lambda row: transitions.advance(row, child=STEP, now=NOW))),
    "finalize": ("finalize", _by(lambda row: transitions.finalize(row, child=FINALIZE, now=NOW))),
    "join": ("join", _by(lambda row: transitions.join(row, output=b"x", now=NOW))),
    "fail_to_join": (
        "fail_to_join",
        _by(lambda row: transitions.fail_to_join(row, error=ERROR, now=NOW)),
    ),
    "wake up well": (
        "wake_up",
        _by(lambda row: transitions.wake_up(row, output=b"x", error=None, now=NOW)),
    ),
    "wake up badly": (
        "wake_up",
        _by(lambda row: transitions.wake_up(row, output=None, error=ERROR, now=NOW)),
    ),
    "expire": ("expire", _by(lambda row: transitions.expire(row, error=ERROR, now=NOW))),
    "cancel": ("cancel", _by(lambda row: transitions.cancel(row, error=ERROR, now=NOW))),
    "run again": ("run_again", lambda row: transitions.reopened(row, now=NOW)),
    "wait again": ("wait_again", lambda row: _wait_again(row, "waiting_for_children")),
    "wait again for finalize": (
        "wait_again",
        lambda row: _wait_again(row, "waiting_for_finalize"),
    ),
    "cancel with ancestor": (
        "cancel",
        lambda row: transitions.cancelled_with_ancestor(row, error=ERROR, now=NOW),
    ),
}
