"""How long a storage takes: counts and percentiles by verb, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from durable_execution._observing import Fact, StorageCalled

_STEP: Final = 1.05
"""Percentiles are within five hundredths of what was measured: durations are counted in classes,
each so much longer than the one before."""
_SHORTEST: Final = 1e-6
_LOG_STEP: Final = math.log(_STEP)


@dataclass(frozen=True, slots=True)
class StorageCallMetrics:
    """The calls of one verb. Durations are seconds; percentiles are within 5 %."""

    count: int
    errors: int
    """Those that raised. Their durations count like the others."""
    min: float
    max: float
    p50: float
    p90: float
    p95: float


class StorageMetrics:
    """Counts the calls of a storage, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._verbs: dict[str, _Verb] = {}

    def __call__(self, fact: Fact, /) -> None:
        """Take note of a call."""
        if isinstance(fact, StorageCalled):
            with self._lock:
                self._verbs.setdefault(fact.verb, _Verb()).add(fact)

    def by_verb(self) -> Mapping[str, StorageCallMetrics]:
        """Return what was counted so far."""
        with self._lock:
            return {name: verb.metrics() for name, verb in sorted(self._verbs.items())}


class _Verb:
    def __init__(self) -> None:
        self._count = 0
        self._errors = 0
        self._min = math.inf
        self._max = 0.0
        self._classes: dict[int, int] = {}

    def add(self, call: StorageCalled) -> None:
        self._count += 1
        self._errors += call.error is not None
        self._min = min(self._min, call.duration)
        self._max = max(self._max, call.duration)
        place = math.ceil(math.log(max(call.duration, _SHORTEST) / _SHORTEST) / _LOG_STEP)
        self._classes[place] = self._classes.get(place, 0) + 1

    def metrics(self) -> StorageCallMetrics:
        return StorageCallMetrics(
            count=self._count,
            errors=self._errors,
            min=self._min,
            max=self._max,
            p50=self._percentile(0.5),
            p90=self._percentile(0.9),
            p95=self._percentile(0.95),
        )

    def _percentile(self, share: float) -> float:
        wanted, seen = math.ceil(self._count * share), 0
        for place, count in sorted(self._classes.items()):
            seen += count
            if seen >= wanted:
                return min(max(_SHORTEST * _STEP**place, self._min), self._max)
        return self._max
