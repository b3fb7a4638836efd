"""A bound on labels: whoever names them may be a stranger, and every one is kept for ever."""

from __future__ import annotations

from typing import Final

from durable_execution.telemetry.catalog import Metric

MAX_SERIES: Final = 1000
"""Different labels of one metric; what comes later is counted together."""
OTHER: Final = "other"


class BoundedLabels:
    """Lets through so many different labels for each metric."""

    def __init__(self, most: int = MAX_SERIES) -> None:
        self._most = most
        self._known: dict[str, set[tuple[str, ...]]] = {}

    def bounded(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the labels, or those of everything that there is no room for."""
        known = self._known.setdefault(metric.name, set())
        if labels in known:
            return labels
        if len(known) < self._most:
            known.add(labels)
            return labels
        return (OTHER,) * len(labels)
