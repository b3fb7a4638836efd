"""The statuses of an execution, as the reference spells them on the wire."""

from __future__ import annotations

from typing import Final, Literal, get_args

FinishedStatus = Literal["completed", "failed", "timed_out", "finalize_failed", "cancelled"]
ErroredStatus = Literal["failed", "timed_out", "finalize_failed", "cancelled"]
WaitingStatus = Literal["waiting_for_children", "waiting_for_finalize"]
Status = Literal[
    "ready",
    "running",
    "waiting_for_children",
    "waiting_for_finalize",
    "completed",
    "failed",
    "timed_out",
    "finalize_failed",
    "cancelled",
]

STATUSES: Final[frozenset[Status]] = frozenset(get_args(Status))
FINISHED: Final[frozenset[Status]] = frozenset(get_args(FinishedStatus))
ERRORED: Final[frozenset[Status]] = frozenset(get_args(ErroredStatus))
WAITING: Final[frozenset[Status]] = frozenset(get_args(WaitingStatus))
UNFINISHED: Final[frozenset[Status]] = STATUSES - FINISHED
