"""Who hears of facts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from durable_execution._observing.facts import Fact

_logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears of every fact, where it happens: on the event loop, or in the thread of the heart.

        def count_rescues(fact: Fact) -> None:
            if isinstance(fact, ExecutionRescued):
                rescues.inc()

    It must be quick, must not block, and may be called in several threads at once. What it raises
    is logged once and changes nothing.
    """

    def __call__(self, fact: Fact, /) -> None:
        """Take note of a fact."""
        ...


def told_to(observers: Sequence[Observer]) -> Callable[[Fact], None] | None:
    """Return what tells all of them; None when nobody listens, so that no fact need be made."""
    if not observers:
        return None
    broken: set[int] = set()

    def tell(fact: Fact) -> None:
        for place, observer in enumerate(observers):
            try:
                observer(fact)
            except Exception:
                if place not in broken:
                    broken.add(place)
                    _logger.exception("an observer failed", extra={"observer": repr(observer)})

    return tell
