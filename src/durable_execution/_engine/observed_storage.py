"""A storage whose calls are told: one around another, made only when somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from durable_execution._observing import Fact, StorageCalled
from durable_execution.storage.protocol import Storage

_UNTOLD: Final = frozenset({"close", "listen", "open"})
"""What is no question to the database, or waits for another one's end."""


def observed(
    storage: Storage, tell: Callable[[Fact], None], monotonic: Callable[[], float]
) -> Storage:
    """Return a storage that does what this one does, and tells of every call."""
    return cast("Storage", _ObservedStorage(storage, tell, monotonic))


class _ObservedStorage:
    """Passes everything on to the storage inside.

    Verbs are not named here, so that none is forgotten: whatever is callable is a verb.
    """

    def __init__(
        self, inside: Storage, tell: Callable[[Fact], None], monotonic: Callable[[], float]
    ) -> None:
        self._inside = inside
        self._tell = tell
        self._monotonic = monotonic

    def sibling(self) -> Storage:
        """Return the storage for the other loop: this one, if the storage inside says so."""
        sibling = self._inside.sibling()
        if sibling is self._inside:
            return cast("Storage", self)
        return observed(sibling, self._tell, self._monotonic)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inside, name)
        if name in _UNTOLD or not callable(found):
            return found

        async def told(*arguments: Any, **options: Any) -> Any:
            began_at = self._monotonic()
            error: str | None = None
            try:
                return await found(*arguments, **options)
            except BaseException as raised:
                error = type(raised).__name__
                raise
            finally:
                self._tell(StorageCalled(name, self._monotonic() - began_at, error))

        self.__dict__[name] = told  # found without asking here, from now on
        return told
