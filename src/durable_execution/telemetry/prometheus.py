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
from durable_execution.telemetry.measuring import measurements_of
from durable_execution.telemetry.series import MAX_SERIES, OTHER

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
        self._most = max_series
        self._series: dict[str, dict[_Labels, _Counter | _Histogram]] = {
            metric.name: {} for metric in catalog.METRICS
        }
        for metric in catalog.METRICS:
            if metric.kind == "counter" and not metric.labels:
                self._series[metric.name][()] = _Counter()  # 0 before it counts anything

    def __call__(self, fact: Fact, /) -> None:
        """Take note of a fact."""
        with self._lock:
            for metric, value, labels in measurements_of(fact):
                series = self._series[metric.name].get(labels)
                if series is None:
                    if metric.kind == "gauge":
                        continue  # which a scrape asks for
                    series = self._new_series(metric, labels)
                series.add(value)

    def text(self, gauges: Mapping[Metric, float] | None = None) -> str:
        """Write everything that was counted so far, and gauges as they are now."""
        lines: list[str] = []
        given = {metric.name: value for metric, value in (gauges or {}).items()}
        with self._lock:
            for metric in catalog.METRICS:
                lines.append(f"# HELP {metric.name} {metric.help}")
                lines.append(f"# TYPE {metric.name} {metric.kind}")
                if metric.name in given:
                    lines.append(_line(metric.name, (), (), given[metric.name]))
                for labels, series in sorted(self._series[metric.name].items(), key=_labels_of):
                    lines += series.lines(metric, labels)
        return "\n".join([*lines, ""])

    def _new_series(self, metric: Metric, labels: _Labels) -> _Counter | _Histogram:
        """Return the series of labels that are new, or the one for what there is no room for."""
        known = self._series[metric.name]
        if len(known) >= self._most:
            self._series[catalog.SERIES_DROPPED.name][()].add(1)
            labels = (OTHER,) * len(labels)
        if labels not in known:
            is_counter = metric.kind == "counter"
            known[labels] = _Counter() if is_counter else _Histogram(metric.buckets)
        return known[labels]


def _labels_of(item: tuple[_Labels, object]) -> _Labels:
    return item[0]


class _Counter:
    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0.0

    def add(self, value: float) -> None:
        self._value += value

    def lines(self, metric: Metric, labels: _Labels) -> list[str]:
        return [_line(metric.name, metric.labels, labels, self._value)]


class _Histogram:
    __slots__ = ("_buckets", "_counts", "_sum")

    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._buckets, value)] += 1
        self._sum += value

    def lines(self, metric: Metric, labels: _Labels) -> list[str]:
        names, total, lines = (*metric.labels, "le"), 0, []
        for bound, count in zip((*self._buckets, None), self._counts, strict=True):
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
