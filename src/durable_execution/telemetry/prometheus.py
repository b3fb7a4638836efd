"""Metrics in the text that Prometheus reads, kept and written by ourselves.

The format is a page long, and a registry of our own costs no dependency, no global, and no second
way to bound labels (see docs/decisions).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

from durable_execution._observing import Fact
from durable_execution.telemetry import catalog
from durable_execution.telemetry.catalog import Metric
from durable_execution.telemetry.measuring import Measurement, measurements_of
from durable_execution.telemetry.series import MAX_SERIES, OTHER, BoundedLabels

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Labels = tuple[str, ...]


class PrometheusMetrics:
    """Counts facts, from any thread, and writes them as Prometheus reads them.

        metrics = PrometheusMetrics()
        executor = DurableExecutor(storage, ExecutorOptions(observers=[metrics]))
        print(metrics.text())

    `create_executor_app(..., metrics=metrics)` serves it at `/metrics`. One may observe several
    executors and links of a process.

    Args:
        max_series: Different labels of one metric; what comes later is counted as "other".
    """

    def __init__(self, *, max_series: int = MAX_SERIES) -> None:
        if type(max_series) is not int or max_series < 1:
            raise ValueError(f"max_series: expected a positive int, got {max_series!r}")
        self._lock = Lock()
        self._labels = BoundedLabels(max_series)
        self._counters: dict[str, dict[_Labels, float]] = {}
        self._histograms: dict[str, dict[_Labels, _Histogram]] = {}

    def __call__(self, fact: Fact, /) -> None:
        """Take note of a fact."""
        with self._lock:
            for measurement in measurements_of(fact):
                if measurement.metric.kind != "gauge":  # which a scrape asks for
                    self._add(measurement)

    def text(self, gauges: Mapping[Metric, float] | None = None) -> str:
        """Write everything that was counted so far, and gauges as they are now."""
        lines: list[str] = []
        given = gauges or {}
        with self._lock:
            for metric in catalog.METRICS:
                lines.append(f"# HELP {metric.name} {metric.help}")
                lines.append(f"# TYPE {metric.name} {metric.kind}")
                lines += self._lines(metric, given)
        return "\n".join([*lines, ""])

    def _lines(self, metric: Metric, gauges: Mapping[Metric, float]) -> list[str]:
        if metric.kind == "gauge":
            return [_line(metric.name, (), (), gauges[metric])] if metric in gauges else []
        if metric.kind == "histogram":
            series = sorted(self._histograms.get(metric.name, {}).items())
            return [line for labels, each in series for line in each.lines(metric, labels)]
        # One without labels is 0 before it counts anything.
        counted = self._counters.get(metric.name, {} if metric.labels else {(): 0.0})
        return [
            _line(metric.name, metric.labels, labels, value)
            for labels, value in sorted(counted.items())
        ]

    def _add(self, measurement: Measurement) -> None:
        metric, value, wanted = measurement
        labels = self._labels.bounded(metric, wanted)
        if labels != wanted and OTHER in labels:
            self._add(Measurement(catalog.SERIES_DROPPED, 1))
        if metric.kind == "histogram":
            series = self._histograms.setdefault(metric.name, {})
            if labels not in series:
                series[labels] = _Histogram(len(metric.buckets))
            series[labels].add(metric, value)
        else:
            counters = self._counters.setdefault(metric.name, {})
            counters[labels] = counters.get(labels, 0.0) + value


class _Histogram:
    __slots__ = ("_counts", "_sum")

    def __init__(self, buckets: int) -> None:
        self._counts = [0] * (buckets + 1)
        self._sum = 0.0

    def add(self, metric: Metric, value: float) -> None:
        self._counts[bisect_left(metric.buckets, value)] += 1
        self._sum += value

    def lines(self, metric: Metric, labels: _Labels) -> list[str]:
        names, total, lines = (*metric.labels, "le"), 0, []
        for bound, count in zip((*metric.buckets, None), self._counts, strict=True):
            total += count
            le = "+Inf" if bound is None else f"{bound:g}"
            lines.append(_line(f"{metric.name}_bucket", names, (*labels, le), total))
        lines.append(_line(f"{metric.name}_sum", metric.labels, labels, self._sum))
        lines.append(_line(f"{metric.name}_count", metric.labels, labels, total))
        return lines


def _line(name: str, labels: Sequence[str], values: Sequence[str], value: float) -> str:
    pairs = ",".join(
        f'{label}="{_escaped(text)}"' for label, text in zip(labels, values, strict=True)
    )
    return f"{name}{{{pairs}}} {value:.15g}" if pairs else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
