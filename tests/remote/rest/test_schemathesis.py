"""The door and its OpenAPI document, each checked against the other by schemathesis."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import events, from_schema

from durable_execution.codegen import generate_openapi
from tests.interop.generated.tasks import make_app, tasks
from tests.served import served

CHECKED = ("placeOrder", "greet", "approval")
"""Without pydantic models: what pydantic takes besides what a schema of it says is its own."""
EXAMPLES = 6

LEFT_OUT = ("cursor", "wait")
UNSAYABLE = (
    # What is wrong with values that are right by themselves.
    "Sleeping task unique id is taken",
    "has two values for",
    "maxDelayMs must not be below baseDelayMs",
    # A name that no key may have, whatever else its object says of names.
    r"\"__proto__\" gets lost",
)
PERFORMED = {
    "allow_header_conformance",
    "content_type_conformance",
    "negative_data_rejection",
    "not_a_server_error",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
}


def document() -> dict[str, Any]:
    """What is generated, without waits, which take time, and cursors, which no schema knows."""
    written: dict[str, Any] = json.loads(generate_openapi({key: tasks[key] for key in CHECKED}))
    for place in written["paths"].values():
        if "get" in place:
            parameters = place["get"]["parameters"]
            place["get"]["parameters"] = [p for p in parameters if p["name"] not in LEFT_OUT]
    return written


class Report:
    """What became of the checks."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failures: list[str] = []

    def add(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.FatalError | events.NonFatalError):
            self.failures.append(repr(event))
        if not isinstance(event, events.ScenarioFinished):
            return
        for case_id, checks in event.recorder.checks.items():
            for check in checks:
                if check.failure_info is None:
                    self.passed[check.name] += 1
                else:
                    self._add_failure(event, case_id, check)

    def _add_failure(self, event: events.ScenarioFinished, case_id: str, check: Any) -> None:
        interaction = event.recorder.interactions.get(case_id)
        answered = interaction.response if interaction else None
        answer = answered.content.decode(errors="replace") if answered and answered.content else ""
        if not any(reason in answer for reason in UNSAYABLE):
            failure = check.failure_info
            self.failures.append(f"{failure.failure}\n{failure.code_sample}\n{answer}")


@pytest.mark.timeout(180)
def test_door_is_as_its_document_says() -> None:
    report = Report()
    with served(make_app()) as origin:
        schema = schemathesis.openapi.from_dict(document())
        schema.config.update(base_url=f"{origin}/api")
        schema.config.generation.update(max_examples=EXAMPLES, deterministic=True)
        schema.config.seed = 7
        for event in from_schema(schema).execute():
            report.add(event)

    assert not report.failures, "\n\n".join(report.failures)
    assert report.passed.keys() >= PERFORMED
    assert report.passed["positive_data_acceptance"] > 100
