"""The leases that an in-memory storage keeps, and what executors told with their beats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from durable_execution.storage.protocol import Beat, ListedExecutor

_SIGNED_OFF: Final = 0


class Leases:
    """Leases by executor; all that is known of one is forgotten with its lease.

    Args:
        dead: Executors whose leases are over.
    """

    def __init__(self, dead: Iterable[str] = ()) -> None:
        self._ends: dict[str, int] = dict.fromkeys(dead, _SIGNED_OFF)
        self._task_ids: dict[str, frozenset[str]] = {}
        self._beats: dict[str, ListedExecutor] = {}
        """The last of each executor."""

    def ends(self) -> dict[str, int]:
        """Return when each lease ends."""
        return dict(self._ends)

    def runs(self, executor_id: str | None, now: int) -> bool:
        """Whether an executor has a lease."""
        return self._ends.get(executor_id or "", _SIGNED_OFF) > now

    def extend(self, beat: Beat, now: int) -> bool:
        """Take note of a beat; return whether the executor was known before."""
        who = beat.executor_id
        was_known = self._ends.get(who, _SIGNED_OFF) != _SIGNED_OFF
        before = self._beats.get(who)
        self._ends[who] = now + beat.lease_ms
        if beat.task_ids is not None:
            self._task_ids[who] = beat.task_ids
        self._beats[who] = ListedExecutor(
            executor_id=who,
            lease_expires_at=now + beat.lease_ms,
            started_at=now if before is None else before.started_at,
            beat_at=now,
            held_count=len(beat.held),
            ended_count=beat.ended,
        )
        return was_known

    def sign_off(self, executor_id: str) -> None:
        """End a lease, if there is one."""
        if executor_id in self._ends:
            self._ends[executor_id] = _SIGNED_OFF

    def dead(self, now: int) -> list[str]:
        """Return the executors whose lease is over."""
        return [executor_id for executor_id, over in self._ends.items() if over <= now]

    def forget(self, executor_id: str) -> None:
        """Forget a dead executor."""
        del self._ends[executor_id]
        self._task_ids.pop(executor_id, None)
        self._beats.pop(executor_id, None)

    def known_task_ids(self, now: int) -> frozenset[str]:
        """Return the tasks that living executors have told of."""
        alive = [executor_id for executor_id, over in self._ends.items() if over > now]
        return frozenset().union(*(self._task_ids.get(each, ()) for each in alive))

    def listed(self, limit: int) -> list[ListedExecutor]:
        """Return executors by their ids; if there are too many, those whose lease ends last."""
        found = [
            msgspec.structs.replace(
                self._beats.get(
                    executor_id, ListedExecutor(executor_id=executor_id, lease_expires_at=0)
                ),
                lease_expires_at=over,
                task_ids=self._task_ids.get(executor_id),
            )
            for executor_id, over in self._ends.items()
        ]
        found.sort(key=lambda each: (-each.lease_expires_at, each.executor_id))
        return sorted(found[: max(0, limit)], key=lambda each: each.executor_id)
