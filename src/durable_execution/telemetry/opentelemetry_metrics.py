"""Metrics for OpenTelemetry: the same facts and names, for whatever the application exports to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_execution._observing import Fact
from durable_execution.telemetry import catalog
from durable_execution.telemetry.catalog import Metric
from durable_execution.telemetry.extra import needs_extra
from durable_execution.telemetry.measuring import measurements_of
from durable_execution.telemetry.series import MAX_SERIES, BoundedLabels

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

_Record = Callable[[float, dict[str, str]], None]


class OpenTelemetryMetrics:
    """Hears of facts, from any thread, and measures them with OpenTelemetry.

        ExecutorOptions(observers=[OpenTelemetryMetrics()])

    Names are those of the Prometheus text, with dots: `durable_execution.attempt_lag`, in seconds.

    Args:
        meter_provider: The application's global one, unless given.

    Raises:
        ModuleNotFoundError: The `telemetry` extra is not installed.
    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        with needs_extra("OpenTelemetryMetrics"):
            from opentelemetry import metrics
        meter = metrics.get_meter("durable_execution", meter_provider=meter_provider)
        self._labels = BoundedLabels(MAX_SERIES)
        self._records: dict[str, _Record] = {}
        for metric in catalog.METRICS:
            name, unit = open_telemetry_name(metric), metric.unit
            if metric.kind == "counter":
                counter = meter.create_counter(name, unit, metric.help)
                self._records[metric.name] = counter.add
            elif metric.kind == "histogram":
                histogram = meter.create_histogram(
                    name, unit, metric.help, explicit_bucket_boundaries_advisory=metric.buckets
                )
                self._records[metric.name] = histogram.record
            elif metric is not catalog.IS_HEALTHY:  # who is not tells nothing
                self._records[metric.name] = meter.create_gauge(name, unit, metric.help).set

    def __call__(self, fact: Fact, /) -> None:
        """Take note of a fact."""
        for metric, value, wanted in measurements_of(fact):
            labels = self._labels.bounded(metric, wanted)
            self._records[metric.name](value, dict(zip(metric.labels, labels, strict=True)))


def open_telemetry_name(metric: Metric) -> str:
    """Return what OpenTelemetry calls a metric: its unit and its kind are told apart there."""
    name = metric.name.removeprefix("durable_execution_")
    return f"durable_execution.{name.removesuffix('_total').removesuffix('_seconds')}"
