"""A storage that breaks when told to: before a call, after it, or while it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from durable_execution.errors import StorageUnavailableError
from durable_execution.storage import Storage

VERBS = frozenset(
    {
        "insert",
        "get",
        "get_by_sleeping_unique_id",
        "children_of",
        "last_children_of",
        "claim",
        "apply",
        "heartbeat",
        "sign_off",
        "held_by",
        "orphans",
        "joinable",
        "expired_sleepers",
        "glance",
        "report_progress",
    }
)


class FaultyStorage:
    """Passes every call on to another storage, but for the faults that a test asked for.

    `calls` counts calls by verb. A sibling shares the faults, so that the heart's beats fail too.
    """

    def __init__(self, storage: Storage, shared: FaultyStorage | None = None) -> None:
        self._storage = storage
        self.calls: Counter[str] = Counter() if shared is None else shared.calls
        self._faults: dict[str, list[Callable[[], Exception] | Literal["after"]]] = (
            {} if shared is None else shared._faults
        )
        self._hooks: dict[str, Callable[[], Any]] = {} if shared is None else shared._hooks

    def fail_before(self, verb: str, times: int = 1, error: Exception | None = None) -> None:
        """Let the next calls fail with nothing written."""
        fault = error or StorageUnavailableError(f"{verb} was not reached")
        self._faults.setdefault(verb, []).extend([lambda: fault] * times)

    def fail_after(self, verb: str, times: int = 1) -> None:
        """Let the next calls do their work and lose the answer."""
        self._faults.setdefault(verb, []).extend(["after"] * times)

    def after_next(self, verb: str, hook: Callable[[], Any]) -> None:
        """Call back when the next call has done its work, before its caller hears of it."""
        self._hooks[verb] = hook

    def recover(self) -> None:
        """Take back all faults that have not happened yet."""
        self._faults.clear()

    def sibling(self) -> FaultyStorage:
        """Return a sibling that breaks as this one does."""
        sibling = self._storage.sibling()
        return self if sibling is self._storage else FaultyStorage(sibling, self)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)
        # One way or the other, what is enqueued is inserted.
        verb = "insert" if name == "insert_claimed" else name
        return self._guarded(verb, method) if verb in VERBS else method

    def _guarded(
        self, verb: str, method: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[verb] += 1
            faults = self._faults.get(verb)
            fault = faults.pop(0) if faults else None
            if fault is not None and fault != "after":
                await asyncio.sleep(0)
                raise fault()
            result = await method(*args, **kwargs)
            hook = self._hooks.pop(verb, None)
            if hook is not None:
                hook()
            if fault == "after":
                raise StorageUnavailableError(f"the answer to {verb} was lost")
            return result

        return call
