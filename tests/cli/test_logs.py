from __future__ import annotations

import logging

from durable_execution.telemetry import LineFormatter


def formatted(**extra: object) -> str:
    record = logging.getLogger("durable_execution.x").makeRecord(
        "durable_execution.x", logging.WARNING, "file", 1, "a beat failed", (), None, extra=extra
    )
    return LineFormatter().format(record)


def test_facts_follow_the_message() -> None:
    line = formatted(error="locked", count=3)
    assert line.endswith("WARNING durable_execution.x: a beat failed error='locked' count=3")


def test_record_without_facts_ends_with_its_message() -> None:
    assert formatted(color_message="no fact").endswith(": a beat failed")


def test_fact_with_a_line_break_stays_one_line() -> None:
    assert "\n" not in formatted(error="one\ntwo")
