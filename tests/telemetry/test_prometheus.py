from __future__ import annotations

import re
from collections import defaultdict
from threading import Thread
from typing import get_args

import pytest

from durable_execution.telemetry import (
    METRICS,
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    BatchWritten,
    CallMade,
    CallServed,
    ExecutionFinished,
    ExecutionRescued,
    ExecutorSeen,
    Fact,
    LeaseEnded,
    LoopStalled,
    PrometheusMetrics,
    StorageCalled,
    TasksEnqueued,
)
from durable_execution.telemetry.catalog import IS_HEALTHY
from durable_execution.telemetry.measuring import measurements_of

FACTS: tuple[Fact, ...] = (
    TasksEnqueued("mail", 3),
    AttemptStarted("mail", "x1", 0, 0.2),
    AttemptEnded("mail", "x1", 0, "completed", 0.02),
    AttemptLost("mail", "x1"),
    ExecutionFinished("mail", "x1", "completed", 2.0),
    ExecutionRescued("mail", "x1", is_given_up=False),
    ExecutionRescued("mail", "x2", is_given_up=True),
    LeaseEnded("de_1"),
    LoopStalled("de_1", 61.0),
    ExecutorSeen("de_1", 3, 7, 1.5),
    BatchWritten("apply", 30, 0.004),
    StorageCalled("claim", 0.003, None),
    StorageCalled("claim", 3.0, "StorageUnavailableError"),
    CallServed("enqueueTask", None, 0.001),
    CallServed("enqueueTask", "NOT_FOUND", 0.001),
    CallMade("charge", None, 0.1),
)
SAMPLE = re.compile(r"([a-z_]+)(?:\{((?:[a-z]+=\"(?:[^\"\\\n]|\\.)*\",?)*)\})? (\S+)")


def samples(text: str) -> dict[str, float]:
    """Read the text as Prometheus does, strictly."""
    found: dict[str, float] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line)
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name = f"{match[1]}{{{match[2] or ''}}}"
        assert name not in found, name
        found[name] = float(match[3])
    return found


def counted(*facts: Fact, **options: int) -> dict[str, float]:
    metrics = PrometheusMetrics(**options)
    for fact in facts:
        metrics(fact)
    return samples(metrics.text())


def test_facts_are_counted() -> None:
    found = counted(*FACTS)
    name = "durable_execution_"
    assert found[f'{name}tasks_enqueued_total{{task="mail"}}'] == 3
    assert found[f'{name}attempts_ended_total{{task="mail",outcome="completed"}}'] == 1
    assert found[f'{name}attempts_lost_total{{task="mail"}}'] == 1
    assert found[f'{name}executions_finished_total{{task="mail",status="completed"}}'] == 1
    assert found[f'{name}executions_rescued_total{{task="mail",result="returned"}}'] == 1
    assert found[f'{name}executions_rescued_total{{task="mail",result="given_up"}}'] == 1
    assert found[f"{name}leases_ended_total{{}}"] == 1
    assert found[f"{name}loop_stalls_total{{}}"] == 1
    errors = f'{name}storage_errors_total{{verb="claim",error="StorageUnavailableError"}}'
    assert found[errors] == 1
    assert found[f'{name}calls_served_total{{procedure="enqueueTask",code="ok"}}'] == 1
    assert found[f'{name}calls_served_total{{procedure="enqueueTask",code="NOT_FOUND"}}'] == 1
    assert found[f'{name}calls_made_total{{procedure="charge",code="ok"}}'] == 1


def test_every_metric_that_is_told_is_measured_by_some_fact() -> None:
    measured = {metric for fact in FACTS for metric, _, _ in measurements_of(fact)}
    assert {each.name for each in set(METRICS) - measured} == {
        "durable_execution_series_dropped_total",  # told by nobody: what the others add to
        "durable_execution_executor_healthy",  # whoever is not tells nothing
    }
    for fact in FACTS:
        for metric, _, labels in measurements_of(fact):
            assert len(labels) == len(metric.labels), metric
    assert {type(fact) for fact in FACTS} == set(get_args(Fact))


def test_buckets_of_a_histogram_are_cumulative_and_its_bounds_inclusive() -> None:
    took = [StorageCalled("get", duration, None) for duration in (0.0001, 0.001, 0.0011, 99.0)]
    found = counted(*took)
    name = "durable_execution_storage_call_duration_seconds"
    buckets = [value for key, value in found.items() if key.startswith(f"{name}_bucket")]
    assert buckets == sorted(buckets)
    assert found[f'{name}_bucket{{verb="get",le="0.0005"}}'] == 1
    assert found[f'{name}_bucket{{verb="get",le="0.001"}}'] == 2
    assert found[f'{name}_bucket{{verb="get",le="0.0025"}}'] == 3
    assert found[f'{name}_bucket{{verb="get",le="10"}}'] == 3
    assert found[f'{name}_bucket{{verb="get",le="+Inf"}}'] == 4
    assert found[f'{name}_count{{verb="get"}}'] == 4
    assert found[f'{name}_sum{{verb="get"}}'] == pytest.approx(99.0022)


def test_counters_without_labels_are_there_before_they_count() -> None:
    found = counted()
    assert found == {
        "durable_execution_leases_ended_total{}": 0,
        "durable_execution_loop_stalls_total{}": 0,
        "durable_execution_series_dropped_total{}": 0,
    }


def test_labels_are_bounded_and_what_is_too_much_is_counted_together() -> None:
    found = counted(*(TasksEnqueued(f"task{number}", 1) for number in range(10)), max_series=3)
    by_task = {key: value for key, value in found.items() if "tasks_enqueued" in key}
    assert len(by_task) == 4
    assert by_task['durable_execution_tasks_enqueued_total{task="other"}'] == 7
    assert found["durable_execution_series_dropped_total{}"] == 7


def test_labels_are_escaped() -> None:
    found = counted(CallMade('a"b\\c\nd', None, 0.1))
    assert 'durable_execution_calls_made_total{procedure="a\\"b\\\\c\\nd",code="ok"}' in found


def test_gauges_are_what_is_asked_for_and_not_what_was_told_a_while_ago() -> None:
    metrics = PrometheusMetrics()
    metrics(ExecutorSeen("de_1", 3, 7, 1.5))
    found = samples(metrics.text({IS_HEALTHY: 1}))
    assert found["durable_execution_executor_healthy{}"] == 1
    assert "durable_execution_queue_age_seconds{}" not in found


def test_threads_lose_no_count() -> None:
    metrics = PrometheusMetrics()

    def count() -> None:
        for _ in range(2_000):
            metrics(TasksEnqueued("mail", 1))

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = samples(metrics.text())
    assert found['durable_execution_tasks_enqueued_total{task="mail"}'] == 8_000


def test_names_are_unique_and_say_their_unit() -> None:
    kinds = defaultdict(set)
    for metric in METRICS:
        kinds[metric.name].add(metric.kind)
        assert metric.name.startswith("durable_execution_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.unit == "s") == metric.name.endswith("_seconds")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
    assert len(kinds) == len(METRICS)


def test_bound_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_series"):
        PrometheusMetrics(max_series=0)
